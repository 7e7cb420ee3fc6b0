"""The clock and the sink that tests are given."""

import asyncio

import pytest

from flux_engine.testing import ManualClock, RecordingTraceSink
from flux_engine.trace.events import TraceEvent


class TestManualClock:
    async def test_it_stands_still_until_it_is_moved(self) -> None:
        """Both times move by what ``advance`` is told, and by nothing else."""
        clock = ManualClock(1000.0)
        assert (clock.now(), clock.monotonic()) == (1000.0, 0.0)
        clock.advance(2.5)
        assert (clock.now(), clock.monotonic()) == (1002.5, 2.5)

    async def test_sleepers_wake_when_their_time_has_come(self) -> None:
        """A sleep ends when the clock has moved far enough, and not before."""
        clock = ManualClock()
        woken: list[int] = []

        async def sleep(seconds: int) -> None:
            await clock.sleep(seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleep(seconds)) for seconds in (20, 10)]
        assert await clock.sleeper() in {10, 20}
        await asyncio.sleep(0)
        assert clock.sleepers == (10, 20)
        clock.advance(10)
        assert clock.sleepers == (10,)
        await tasks[1]
        assert woken == [10]
        clock.advance(10)
        await tasks[0]
        assert clock.sleepers == ()

    async def test_an_automatic_clock_jumps_to_the_end_of_each_sleep(self) -> None:
        """With ``auto`` a sleep takes its time on the clock and none of the test's."""
        clock = ManualClock(auto=True)
        await clock.sleep(3600)
        await clock.sleep(0.5)
        assert clock.monotonic() == 3600.5

    async def test_a_cancelled_sleeper_is_forgotten(self) -> None:
        """Cancelling a sleep leaves nothing behind on the clock."""
        clock = ManualClock()
        task = asyncio.create_task(clock.sleep(10))
        await clock.sleeper()
        task.cancel()
        await asyncio.wait([task])
        assert clock.sleepers == ()
        clock.advance(10)

    async def test_no_sleep_at_all_lets_others_run(self) -> None:
        """A sleep of nothing returns, after a turn of the event loop."""
        await ManualClock().sleep(0)

    def test_it_never_goes_back(self) -> None:
        """A negative step is a mistake of the test."""
        with pytest.raises(ValueError, match="forward"):
            ManualClock().advance(-1)


def test_a_recording_sink_keeps_what_it_was_given() -> None:
    """Events are kept in their order, and found by their type."""
    sink = RecordingTraceSink()
    events = [TraceEvent(type=name, timestamp=1) for name in ("step:start", "step:error", "step:start")]
    for event in events:
        sink.emit(event)
    assert sink.events == events
    assert sink.types() == ["step:start", "step:error", "step:start"]
    assert sink.of("step:error") == [events[1]]
