"""Writes that share a transaction, and whose turn it is to write."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_engine import OwnershipLostError, SQLiteStorage
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord, RunWrite
from flux_engine.storage.times import to_seconds, to_text
from flux_engine.storage.turn import Turn


@pytest.fixture
async def store(tmp_path):
    """An open store with the runs 0 to 9."""
    storage = SQLiteStorage(tmp_path / "flux.db")
    await storage.open()
    for number in range(10):
        await storage.create(
            RunRecord(
                id=str(number),
                workflow="flow",
                status=RunStatus.RUNNING,
                input="null",
                graph="{}",
                created_at=1.0,
                updated_at=1.0,
                owner="me",
                fence=1,
            )
        )
    yield storage
    await storage.close()


def step(run, *, seq=1, fence=1, status=RunStatus.RUNNING, name="pay", owner="me"):
    """A step forward."""
    entry = JournalEntry(seq=seq, kind=EntryKind.ATTEMPT, step=name, status=StepStatus.RUNNING, attempt=1)
    return RunWrite(
        run_id=str(run),
        fence=fence,
        status=status,
        updated_at=2.0,
        current_step=name,
        owner=owner,
        entries=(entry,),
    )


async def test_steps_of_many_runs_at_once_are_all_stored(store):
    """Heads and entries, together with runs that end in the same transaction."""
    ends = [step(number, status=RunStatus.COMPLETED, owner=None) for number in (8, 9)]
    await asyncio.gather(*[store.save(write) for write in [*map(step, range(8)), *ends]])
    for number in range(10):
        record = await store.find(str(number))
        assert (record.updated_at, record.current_step) == (2.0, "pay")
        assert record.status == ("running" if number < 8 else "completed")
        assert [entry.step for entry in await store.journal(str(number))] == ["pay"]


async def test_a_step_that_is_refused_does_not_keep_the_others_from_the_disk(store):
    """An old fencing token, a text that SQLite cannot hold: each caller hears of its own write alone."""
    writes = [step(0), step(1), step(2, fence=7), step(3, name="\ud800"), step(4)]
    told = await asyncio.gather(*[store.save(write) for write in writes], return_exceptions=True)
    assert [type(each).__name__ for each in told] == [
        "NoneType",
        "NoneType",
        OwnershipLostError.__name__,
        "StorageError",
        "NoneType",
    ]
    assert [len(await store.journal(str(number))) for number in range(5)] == [1, 1, 0, 0, 1]


async def test_a_request_is_told_to_its_own_run_among_many(store):
    """The others hear nothing of it."""
    await store.request("3", "pause")
    told = await asyncio.gather(*[store.save(step(number)) for number in range(10)])
    assert told == [None] * 3 + ["pause"] + [None] * 6


async def test_two_steps_of_one_run_at_once_are_stored_in_their_order(store):
    """The later form of an entry is the one that stays."""
    await asyncio.gather(store.save(step(0, name="first")), store.save(step(0, name="second")))
    assert [entry.step for entry in await store.journal("0")] == ["second"]
    assert (await store.find("0")).current_step == "second"


def test_a_store_can_be_used_by_one_event_loop_after_another(tmp_path):
    """Also when the one before ended in the middle of a write."""
    store = SQLiteStorage(tmp_path / "flux.db")

    async def leave_a_write_behind():
        await store.open()
        reads = [store.revision() for _ in range(100)]
        left = [asyncio.ensure_future(call) for call in (*reads, store.renew("me", 1.0))]
        await asyncio.sleep(0)
        assert not any(task.done() for task in left)

    async def close():
        await store.renew("me", 1.0)
        await store.close()

    asyncio.run(leave_a_write_behind())
    asyncio.run(close())


async def test_a_transaction_that_was_there_before_the_first_write_has_its_turn(store, tmp_path):
    """The write waits for it and does not meet a locked file."""
    async with contextlib.AsyncExitStack() as stack:
        second = SQLiteStorage(tmp_path / "flux.db")
        await second.open()
        stack.push_async_callback(second.close)
        within = second.transaction("0")
        await within.execute("CREATE TABLE accounts (name TEXT)")
        write = asyncio.create_task(second.save(step(1)))
        assert await second.find("1") is not None  # there and back again, as the write would have been
        assert not write.done()
        await within.rollback()
        assert await write is None


async def test_turns_are_given_in_the_order_in_which_they_were_asked_for():
    """One that is asked for no longer is passed over."""
    turn, order = Turn(), []
    assert turn.take_now()
    assert not turn.take_now()

    async def take(name):
        await turn.take()
        order.append(name)
        turn.give_back()

    tasks = [asyncio.create_task(take(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    turn.give_back()
    await asyncio.wait(tasks)
    assert order == ["a", "c"]
    assert turn.take_now()


async def test_a_turn_that_comes_to_one_who_was_just_cancelled_goes_on():
    """It is not lost with the task that was to have it."""
    turn = Turn()
    turn.take_now()
    task = asyncio.create_task(turn.take())
    await asyncio.sleep(0)
    turn.give_back()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert turn.take_now()


@given(st.floats(min_value=-(10**9), max_value=10**10))
def test_times_are_written_as_datetime_writes_them(seconds):
    """To the microsecond, and read back as the same microsecond."""
    moment = datetime.fromtimestamp(seconds, UTC)
    assert to_text(seconds) == moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    assert to_seconds(to_text(seconds)) == moment.timestamp()
