"""Engines on each storage, with time that obeys the test."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from postgres_server import fresh_database

from flux_engine import FluxEngine, FluxSilentLogger, MemoryStorage, SQLiteStorage, WorkflowStorage
from flux_engine.storage.postgres import PostgresStorage
from flux_engine.testing import ManualClock, RecordingTraceSink

ON_POSTGRES = {"test_ownership", "test_hand_back", "test_concurrent_steps"}
"""Where it matters whose hands a run is in, and in which order writes are made."""

_schemas = (f"engine_{number}" for number in itertools.count(1))


def pytest_collection_modifyitems(items):
    """Run the tests of some modules on a server too."""
    items[:] = [item for item in items if not _on_postgres(item) or item.module.__name__ in ON_POSTGRES]


def _on_postgres(item) -> bool:
    return hasattr(item, "callspec") and item.callspec.params.get("storage") == "postgres"


@pytest.fixture(scope="session")
def postgres_database(postgres_server) -> Iterator[str]:
    """A database for stores in schemas of their own."""
    with fresh_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def storage(request, tmp_path) -> WorkflowStorage:
    """A new store of each kind."""
    if request.param == "postgres":
        return PostgresStorage(request.getfixturevalue("postgres_database"), schema=next(_schemas))
    return MemoryStorage() if request.param == "memory" else SQLiteStorage(tmp_path / "flux.db")


@pytest.fixture
def trace() -> RecordingTraceSink:
    return RecordingTraceSink()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(auto=True)


@pytest.fixture
async def make_engine(storage, trace, clock) -> AsyncIterator[Callable[..., FluxEngine]]:
    """Makes engines that share the store; all are closed at the end."""
    engines: list[FluxEngine] = []

    def make(**options) -> FluxEngine:
        chosen = {
            "storage": storage,
            "trace": trace,
            "clock": clock,
            "default_retries": 0,
            "logger": FluxSilentLogger(),
        } | options
        engines.append(FluxEngine(**chosen))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.close()


@pytest.fixture
def engine(make_engine) -> FluxEngine:
    return make_engine()
