"""What tests of workflows, of engines and of stores need: one step alone, time that obeys, a contract.

A store of your own passes the contract when this test file does, with any plugin that runs async tests::

    from flux_engine.testing import StorageContract

    class TestMyStorage(StorageContract):
        async def make_storage(self):
            return MyStorage(...)    # new and empty, not opened
"""

import asyncio

from flux_engine.single_step import StepOutcome, recorded, run_step, run_step_sync
from flux_engine.storage.contract import StorageContract
from flux_engine.trace.events import TraceEvent

__all__ = [
    "ManualClock",
    "RecordingTraceSink",
    "StepOutcome",
    "StorageContract",
    "recorded",
    "run_step",
    "run_step_sync",
]


class ManualClock:
    """A clock that stands still until a test moves it.

    ``start`` is seconds since the epoch (default: the start of 2026). With ``auto`` each sleep moves the
    clock to its end by itself, so that back-offs of minutes take no time.
    """

    def __init__(self, start: float = 1_767_225_600.0, *, auto: bool = False) -> None:
        self.auto = auto
        self._start = start
        self._passed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._arrival = asyncio.Event()

    def now(self) -> float:
        """Return the wall-clock time in seconds since the epoch."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Return the seconds that have passed on this clock."""
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has been moved by so many seconds."""
        wake = self._passed + seconds
        if self.auto:
            self._move(wake)
        if wake <= self._passed:
            await asyncio.sleep(0)
            return
        sleeper = (wake, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        self._arrival.set()
        try:
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Move the clock, and wake who has slept long enough. They run when the caller next awaits."""
        if seconds < 0:
            raise ValueError(f"A clock goes forward only, not by {seconds} seconds.")
        self._move(self._passed + seconds)

    @property
    def sleepers(self) -> tuple[float, ...]:
        """The seconds that each sleeping task has left, the shortest first."""
        return tuple(sorted(wake - self._passed for wake, future in self._sleepers if not future.done()))

    async def sleeper(self) -> float:
        """Wait until a task sleeps on this clock, and return the seconds that the first has left."""
        while not self.sleepers:
            self._arrival.clear()
            await self._arrival.wait()
        return self.sleepers[0]

    def _move(self, passed: float) -> None:
        self._passed = max(self._passed, passed)
        for wake, future in self._sleepers:
            if wake <= self._passed and not future.done():
                future.set_result(None)


class RecordingTraceSink:
    """A trace sink that keeps its events in ``events``."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []

    def emit(self, event: TraceEvent) -> None:
        """Keep the event."""
        self.events.append(event)

    def types(self) -> list[str]:
        """Return the types of the events, in the order in which they came."""
        return [str(event.type) for event in self.events]

    def of(self, type: str) -> list[TraceEvent]:  # noqa: A002 - the field's name
        """Return the events of one type."""
        return [event for event in self.events if event.type == type]
