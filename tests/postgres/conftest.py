"""What the tests of PostgreSQL share."""

import itertools
from collections.abc import Iterator

import pytest
from postgres_server import fresh_database

from flux_engine.storage.postgres import PostgresStorage

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def database(postgres_server) -> Iterator[str]:
    """The DSN of one database for many tests, each with a schema of its own."""
    with fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
def schema() -> str:
    """The name of a schema that nobody else uses."""
    return f"flux_{next(_numbers)}"


@pytest.fixture
async def make_storage(database, schema):
    """Makes stores on the same schema, not opened; all are closed at the end."""
    made: list[PostgresStorage] = []

    def make(**options) -> PostgresStorage:
        made.append(PostgresStorage(database, **{"schema": schema, "patience": 20.0} | options))
        return made[-1]

    yield make
    for storage in made:
        await storage.close()


@pytest.fixture
async def storage(make_storage) -> PostgresStorage:
    """An open store."""
    storage = make_storage()
    await storage.open()
    return storage
