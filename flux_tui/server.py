"""A look at a Postgres server beside the store on it: for what is said of the server itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flux_engine.errors import StorageError
from flux_tui.address import StoreAddress

SERVER_ERRORS: Final = (StorageError, OSError)
"""What ``connected`` and the questions raise: whatever the library says comes as ``StorageError``."""


class Server:
    """A connection that is open inside ``connected``."""

    def __init__(self, connection: Any, address: StoreAddress) -> None:
        self._connection = connection
        self._address = address

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Make one statement and return its rows."""
        cursor = self._connection.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *parameters: Any) -> Any:
        """Return the first value of the first row, or ``None``."""
        rows = self.run(sql, *parameters)
        return rows[0][0] if rows else None

    @property
    def version(self) -> str:
        """The version of the server, such as ``15.4``."""
        return str(self.value("SHOW server_version")).partition(" ")[0]

    def has_tables(self) -> bool:
        """Say whether a store was made in the schema."""
        found = self.value("SELECT to_regclass(format('%%I.runs', %s::text))", self._address.schema)
        return found is not None

    def tables(self) -> list[str]:
        """Return the tables of the schema, quoted as statements need them."""
        rows = self.run(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = %s ORDER BY 1",
            self._address.schema,
        )
        return [str(name) for (name,) in rows]

    def size(self) -> int:
        """Return how many bytes the tables of the schema take, with their indexes."""
        found = self.value(
            "SELECT sum(pg_total_relation_size(format('%%I.%%I', schemaname, tablename)))"
            " FROM pg_tables WHERE schemaname = %s",
            self._address.schema,
        )
        return int(found or 0)


def is_empty(address: StoreAddress, patience: float) -> bool:
    """Say whether the schema of an address certainly has no store in it yet."""
    try:
        with connected(address, patience) as server:
            return not server.has_tables()
    except SERVER_ERRORS:
        return False  # whoever opens the store says what is wrong


@contextmanager
def connected(address: StoreAddress, patience: float) -> Iterator[Server]:
    """Connect to the server of a store, outside transactions. Raises what ``SERVER_ERRORS`` has."""
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError:
        raise StorageError('psycopg is not installed: pip install "flux-tui[postgres]"') from None
    try:
        seconds = max(round(patience), 2)  # libpq takes less for 2
        with psycopg.connect(address.dsn, autocommit=True, connect_timeout=seconds) as connection:
            yield Server(connection, address)
    except psycopg.Error as error:
        raise StorageError(address.scrub(str(error)).strip()) from None
