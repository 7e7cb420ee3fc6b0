"""The store in a PostgreSQL database, which any number of processes on any number of hosts may share."""

try:
    import psycopg as _psycopg  # noqa: F401 - looked for before anything that needs it
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'PostgresStorage needs psycopg 3, which is not installed: pip install "flux-tui[postgres]".',
        name=error.name,
    ) from error

from flux_engine.storage.postgres.store import PostgresStorage

__all__ = ["PostgresStorage"]
