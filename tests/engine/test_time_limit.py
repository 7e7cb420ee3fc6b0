"""The time-outs of attempts, on one timer a task."""

import asyncio
import contextlib

import pytest

from flux_engine.running.time_limit import TimeLimit


@pytest.fixture
def limit():
    """A limit that gives back its timer."""
    found = TimeLimit()
    yield found
    found.close()


async def test_what_runs_too_long_is_cancelled_and_that_goes_no_further(limit):
    """The ``with`` ends quietly, the task is not left cancelled, and the limit says what it did."""
    with limit.of(0.01):
        await asyncio.Event().wait()
    assert limit.expired
    assert asyncio.current_task().cancelling() == 0


async def test_a_limit_counts_anew_each_time(limit):
    """A long limit, which set the timer, does not make a short one behind it late."""
    with limit.of(60):
        await asyncio.sleep(0)
    with limit.of(0.01):
        await asyncio.Event().wait()
    assert limit.expired
    with limit.of(60):
        await asyncio.sleep(0.03)
    assert not limit.expired
    with limit.of(None):
        await asyncio.sleep(0.03)
    assert not limit.expired


async def test_the_timer_of_an_attempt_that_is_over_hurts_nobody(limit):
    """It goes off while the next attempt, with more time, is under way."""
    with limit.of(0.01):
        await asyncio.sleep(0)
    with limit.of(60):
        await asyncio.sleep(0.05)
    assert not limit.expired


async def test_what_is_raised_in_place_of_the_cancellation_is_kept(limit):
    """A handler that cleans up may fail on its own account, or come to its end all the same."""

    async def fail():
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), limit.of(0.01):
        await fail()
    assert limit.expired
    with limit.of(0.01), contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    assert limit.expired
    assert asyncio.current_task().cancelling() == 0


async def test_a_cancellation_from_outside_is_passed_on(limit):
    """Also when the limit expires at the same moment."""
    inside = asyncio.Event()

    async def attempt():
        with limit.of(0.02):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(attempt())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not limit.expired


async def test_both_at_once_is_a_cancellation_from_outside(limit):
    """The task was asked to end by somebody else too, so it ends."""

    async def attempt():
        with limit.of(0):
            await asyncio.Event().wait()

    task = asyncio.create_task(attempt())
    await asyncio.sleep(0)
    limit._wake()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
