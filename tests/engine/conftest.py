"""Engines on both storages, with time that obeys the test."""

from collections.abc import AsyncIterator, Callable

import pytest

from flux_engine import FluxEngine, FluxSilentLogger, MemoryStorage, SQLiteStorage, WorkflowStorage
from flux_engine.testing import ManualClock, RecordingTraceSink


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path) -> WorkflowStorage:
    """A new store of each kind."""
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
