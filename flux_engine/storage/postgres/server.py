"""The server of a store: how to connect to it, what to do while it is away, and what its errors mean."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from flux_engine.errors import FluxError, StorageError

Result = TypeVar("Result")
Connection = psycopg.Connection[Any]

DURABILITY = {"full": "on", "normal": "off"}
"""The values of ``synchronous_commit``."""

_NEVER_DECIDED = ("40001", "40P01")
"""Serialization failure and deadlock: rolled back by the server, to be tried again."""

_PASSING = ("08", "57P", "53300", "25006")
"""Lost connections; a server that ends, or starts, or is full, or that only reads at the moment."""

_KEEPALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
"""So that each side learns within half a minute that the other is gone without a word."""


class Server(NamedTuple):
    """Where the store is, and how patient to be with it. ``parameters`` can hold a password."""

    parameters: dict[str, Any]
    schema: str
    durability: str
    patience: float
    connect_timeout: float
    read_only: bool

    def __repr__(self) -> str:
        return f"Server({self.address!r}, schema={self.schema!r})"

    @property
    def address(self) -> str:
        """Where it is, without login."""
        port = self.parameters.get("port", 5432)
        return f"{self.parameters.get('host', 'localhost')}:{port}/{self.parameters.get('dbname', '')}"

    def connect(self, name: str, **settings: str) -> Connection:
        """Open a connection in autocommit mode. ``name`` is what the server lists it under."""
        options = {"synchronous_commit": DURABILITY[self.durability], **settings}
        options |= {f"tcp_{key}": str(value) for key, value in _KEEPALIVE.items()}
        if self.read_only:
            options["default_transaction_read_only"] = "on"
        given = [self.parameters.get("options", ""), *(f"-c {key}={value}" for key, value in options.items())]
        parameters = {
            **_KEEPALIVE,
            "tcp_user_timeout": 30_000,
            "connect_timeout": max(2, round(self.connect_timeout)),
            **self.parameters,
            "options": " ".join(given),
            "application_name": name,
            "client_encoding": "UTF8",
        }
        connection: Connection = psycopg.connect(autocommit=True, **parameters)
        return connection

    def translate(self, error: BaseException) -> FluxError:
        """Return what to raise for ``error``: itself when it is one of Flux, else a ``StorageError``."""
        if isinstance(error, FluxError):
            return error
        return StorageError(self._without_secrets(self._message(error)))

    def _message(self, error: BaseException) -> str:
        said = " ".join(str(error).split())
        state = getattr(error, "sqlstate", None) or ""
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return self._not_allowed(error.diag.message_primary or said)
        for beginning, advice in _ADVICE.items():
            if state.startswith(beginning):
                return f"PostgreSQL at {self.address} {advice} ({said})"
        for part, advice in _ADVICE_ON_TEXT.items():
            if not state and part in said:
                return f"PostgreSQL at {self.address} {advice} ({said})"
        if isinstance(error, psycopg.OperationalError):
            return (
                f"PostgreSQL at {self.address} cannot be reached. Check that it runs and that the address is "
                f"right; what was stored before is kept. ({said})"
            )
        return f"PostgreSQL at {self.address}: {type(error).__name__}: {said}"

    def _not_allowed(self, said: str) -> str:
        role, schema = self.parameters.get("user") or "ROLE", self.schema
        begun = f"PostgreSQL at {self.address} does not allow it."
        if said.startswith("permission denied for database"):
            advice = f"or a schema of its own: `CREATE SCHEMA {schema} AUTHORIZATION {role}`"
            return f"{begun} {role} needs CREATE on the database, {advice} ({said})"
        tables = f"ON ALL TABLES IN SCHEMA {schema} TO {role}"
        look = f"GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT {tables}"
        work = f"GRANT INSERT, UPDATE, DELETE {tables}"
        return (
            f"{begun} The schema {schema} is another role's, which can let {role} look: `{look}`, "
            f"and work: `{work}` ({said})"
        )

    def _without_secrets(self, text: str) -> str:
        password = self.parameters.get("password")
        return text.replace(str(password), "***") if password else text


_ADVICE = {
    "28": "refused the login. Check user and password of the DSN",
    "3D000": "has no such database. Create it with `createdb`, or name another one in the DSN",
    "53100": "has no room left on its disk. Free some space; what was stored before is intact",
    "53300": "has too many connections. Give the store fewer (writers=, readers=, transactions=), or raise "
    "max_connections",
    "25006": "can only be read: it is a standby, or was opened with read_only",
    "54000": "cannot store a text of this length in an index: ids, names and keys are limited to 2,700 bytes",
}

_ADVICE_ON_TEXT = {
    "password authentication failed": _ADVICE["28"],
    "no password supplied": _ADVICE["28"],
    "does not exist": "has no such database or role. Check the DSN",
    "timeout expired": "did not answer in time. Check that the address is right and can be reached from here",
}


def parse(dsn: str) -> dict[str, Any]:
    """Return the parameters of a DSN. Raises ``StorageError``, which does not show it, nor its password."""
    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.Error:
        parameters = None
    if parameters is None:
        raise StorageError(
            "The DSN is not one that PostgreSQL understands. Write it as "
            "postgresql://user:password@host:5432/database (special characters percent-encoded), or as "
            "'host=… dbname=… user=…'."
        )
    return dict(parameters)


def check_schema_name(name: str) -> None:
    """Raise ``StorageError`` for a name that cannot be one of a schema."""
    if not re.fullmatch(r"[^\W\d][\w$ -]{0,62}", name) or len(name.encode()) > 63:  # noqa: PLR2004 - NAMEDATALEN
        raise StorageError(
            f"schema is a name of letters, digits and _ of at most 63 bytes, not {name!r}; 'flux' by default."
        )
    if name.startswith("pg_") or name == "information_schema":
        raise StorageError(f"The schema {name!r} is one of PostgreSQL's own. Choose another name.")


def is_lost(error: BaseException, connection: Connection | None) -> bool:
    """Say whether this error will pass when one connects again."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_PASSING)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and (
        connection is None or connection.closed
    )


def is_undecided(error: BaseException) -> bool:
    """Say whether the server has rolled back what may succeed when it is made again."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _NEVER_DECIDED


def back_off(patience: float, first: float = 0.02, most: float = 1.0) -> Iterator[float]:
    """Sleep longer each time, and give the seconds that are left; end when patience does."""
    until, pause = time.monotonic() + patience, first
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(pause * 2, most)
        yield until - time.monotonic()


Make = Callable[[Connection], Result]
