"""What tests in all folders share."""

import gc
import os
from collections.abc import Iterator

import pytest
from postgres_server import fresh_database, shared_server
from restate_server import RestateServer, start_restate


def pytest_xdist_auto_num_workers() -> int:
    """One more worker than there are cores: now and then a test waits for a process of its own."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Keep what is loaded by now out of the garbage collector's way: its rounds took a sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of a PostgreSQL server that nobody stops, started when the first test asks for it."""
    with shared_server() as dsn:
        yield dsn


@pytest.fixture
def postgres_dsn(postgres_server) -> Iterator[str]:
    """The DSN of a new and empty database."""
    with fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def restate_server() -> Iterator[RestateServer]:
    """A running Restate server, one for each worker that has tests of it."""
    with start_restate() as server:
        yield server
