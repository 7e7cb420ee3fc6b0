"""Who owns a run, for how long, and what becomes of what was left in the middle."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from flux_engine import (
    FatalError,
    FluxEngine,
    InvalidTransitionError,
    OwnershipLostError,
    RunBusyError,
    SignalMismatchError,
    SQLiteStorage,
    StorageError,
    create_workflow,
)
from flux_engine.testing import ManualClock


async def eventually(condition):
    """Wait until the condition holds."""
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.005)


async def test_a_lease_that_ran_out_lets_others_take_over_and_keeps_the_old_owner_from_writing(make_engine):
    """The token of the old owner is refused; the new one's result stands."""
    clock = ManualClock()
    first, second = make_engine(clock=clock, lease=60), make_engine(clock=clock)
    started, go_on, calls = asyncio.Event(), asyncio.Event(), []

    async def slow(ctx):
        calls.append(ctx.attempt)
        if ctx.attempt == 1:
            started.set()
            await go_on.wait()
        ctx.data.by = ctx.attempt

    flow = create_workflow("w").step("slow", slow).step("after", lambda ctx: calls.append("after"))
    stuck = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    with pytest.raises(RunBusyError):
        await second.resume(flow, "r")
    clock.advance(61)
    result = await second.resume(flow, "r")
    assert (result.status, result.data.by) == ("completed", 2)
    go_on.set()
    with pytest.raises(OwnershipLostError):
        await stuck
    assert (await second.get("r")).data == {"by": 2}
    assert calls == [1, 2, "after"]


async def test_what_the_old_owner_wrote_at_the_last_moment_is_not_run_again(make_engine, storage):
    """Between the look at the run and the claim: the taker is told, and the next time takes it as it is."""
    clock = ManualClock()
    started, go_on, calls = asyncio.Event(), asyncio.Event(), []

    async def slow(ctx):
        calls.append("slow")
        started.set()
        await go_on.wait()

    async def rest(ctx):
        calls.append("rest")
        await asyncio.Event().wait() if len(calls) == 2 else None

    flow = create_workflow("w").step("slow", slow).step("rest", rest)
    first, second = make_engine(clock=clock, lease=60), make_engine(clock=clock)
    stuck = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    clock.advance(61)
    claim = storage.claim

    async def late_claim(run_id, **columns):
        go_on.set()
        await eventually(lambda: asyncio.sleep(0, len(calls) == 2))
        return await claim(run_id, **columns)

    storage.claim = late_claim
    with pytest.raises(RunBusyError, match="Try again"):
        await second.resume(flow, "r")
    storage.claim = claim
    assert (await second.resume(flow, "r")).ok
    assert calls == ["slow", "rest", "rest"]
    stuck.cancel()
    with pytest.raises((asyncio.CancelledError, OwnershipLostError)):
        await stuck


async def test_a_run_that_fails_while_recover_looks_at_it_is_not_run_again(make_engine, storage):
    """It was listed as running, of the very engine that recovers; by then it has ended."""
    started, go_on, calls = asyncio.Event(), asyncio.Event(), []

    async def fails(ctx):
        calls.append("fails")
        started.set()
        await go_on.wait()
        raise FatalError("no")

    flow = create_workflow("w").step("first", lambda ctx: calls.append("first")).step("fails", fails)
    engine = make_engine()
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()
    find = storage.find

    async def late_find(run_id):
        found = await find(run_id)
        storage.find = find
        go_on.set()
        await running
        return found

    storage.find = late_find
    assert await engine.recover([flow]) == []
    assert (await engine.get("r")).status == "failed"
    assert calls == ["first", "fails"]


async def test_an_end_that_the_old_owner_stored_at_the_last_moment_stands(make_engine, storage):
    """The last write of a run need not touch its journal; who claims it looks at its status too."""
    clock = ManualClock()
    claiming, ending, calls = asyncio.Event(), asyncio.Event(), []

    def fails(ctx):
        raise FatalError("no")

    flow = create_workflow("w").step("first", lambda ctx: calls.append("first"), compensate=lambda ctx: None)
    flow = flow.step("fails", fails)
    first, second = make_engine(clock=clock, lease=60), make_engine(clock=clock)
    save, claim = storage.save, storage.claim

    async def late_save(write):
        if write.status == "failed":
            ending.set()
            await claiming.wait()
        return await save(write)

    async def late_claim(run_id, **columns):
        claiming.set()
        await running
        return await claim(run_id, **columns)

    storage.save, storage.claim = late_save, late_claim
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await ending.wait()
    clock.advance(61)
    assert await second.recover([flow]) == []
    assert (await second.get("r")).status == "failed"
    assert calls == ["first"]


async def test_a_run_that_ends_when_it_is_cancelled_elsewhere_stays_as_it_ended(make_engine, storage):
    """Its owner, whose lease had run out, was faster."""
    clock = ManualClock()
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        started.set()
        await go_on.wait()

    flow = create_workflow("w").step("slow", slow)
    first, second = make_engine(clock=clock, lease=60), make_engine(clock=clock)
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    clock.advance(61)
    claim = storage.claim

    async def late_claim(run_id, **columns):
        go_on.set()
        await running
        return await claim(run_id, **columns)

    storage.claim = late_claim
    with pytest.raises(InvalidTransitionError):
        await second.cancel("r")
    found = await storage.find("r")
    assert (found.status, found.owner) == ("completed", None)


async def test_an_owner_that_hears_too_late_of_its_write_begins_nothing(make_engine, storage):
    """The write was made in time, its answer came when another had the run, and had finished it."""
    clock = ManualClock()
    first, second = make_engine(clock=clock, lease=60), make_engine(clock=clock)
    calls, save = [], storage.save
    flow = create_workflow("w").step("a", lambda ctx: calls.append("a"))
    flow = flow.commit("b", lambda ctx: calls.append("b"))

    async def slow_save(write):
        asked = await save(write)
        if write.current_step == "b":
            storage.save = save
            clock.advance(61)
            assert (await second.resume(flow, "r")).ok
        return asked

    storage.save = slow_save
    with pytest.raises(OwnershipLostError):
        await first.execute(flow, run_id="r")
    assert calls == ["a", "b"]


async def test_an_owner_that_lives_renews_its_lease(make_engine):
    """However long the handler takes."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        started.set()
        await go_on.wait()

    flow = create_workflow("w").step("slow", slow)
    clock = ManualClock()
    first, second = make_engine(clock=clock, lease=0.6), make_engine(clock=clock)
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    before = (await first._storage.find("r")).lease_until
    clock.advance(0.3)

    async def renewed():  # a server says it to the microsecond, and not always the same
        return (await first._storage.find("r")).lease_until > before + 0.1

    await eventually(renewed)
    clock.advance(0.4)
    with pytest.raises(RunBusyError):
        await second.resume(flow, "r")
    go_on.set()
    assert (await running).ok


@pytest.mark.parametrize(("verb", "status"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_a_run_in_the_hands_of_another_engine_is_asked(make_engine, verb, status):
    """It is told at its next write, or when it renews its lease, and stops at the boundary after that."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        started.set()
        await go_on.wait()

    flow = create_workflow("w").step("slow", slow).step("after", lambda ctx: None)
    flow.step("last", lambda ctx: None)
    first, second = make_engine(lease=0.6), make_engine()
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    assert (await getattr(second, verb)("r")).status == "running"
    if verb == "pause":
        go_on.set()
    assert (await running).status == status
    assert (await second.get("r")).status == status


async def test_an_idempotency_key_makes_one_run(make_engine):
    """However often and from wherever it is asked for."""
    calls = []

    async def count(ctx):
        calls.append(1)
        await asyncio.sleep(0)
        ctx.data.n = len(calls)

    flow = create_workflow("w").step("count", count)
    engine, other = make_engine(), make_engine()
    first = await engine.execute(flow, idempotency_key="k")
    again = await other.execute(flow, idempotency_key="k")
    assert (again.id, again.status, again.data, len(calls)) == (first.id, "completed", {"n": 1}, 1)
    assert (await engine.execute(flow, idempotency_key="other")).id != first.id
    both = await asyncio.gather(
        engine.execute(flow, idempotency_key="both"), engine.execute(flow, idempotency_key="both")
    )
    assert both[0].id == both[1].id
    assert len(calls) == 3


async def test_a_failed_run_with_the_key_is_returned_and_not_run_again(engine):
    """A redelivered message does not repeat what failed; that is for a retry."""

    async def fail(ctx):
        raise ValueError("no")

    flow = create_workflow("w").step("s", fail)
    first = await engine.execute(flow, idempotency_key="k")
    again = await engine.execute(flow, idempotency_key="k")
    assert (again.id, again.status, again.error.message) == (first.id, "failed", "no")
    assert again.history[0].attempts == 1


async def test_an_interrupted_run_with_the_key_goes_on(make_engine):
    """From where it was left."""
    started, calls = asyncio.Event(), []

    async def stuck(ctx):
        calls.append(ctx.attempt)
        if ctx.attempt == 1:
            started.set()
            await asyncio.sleep(3600)

    flow = create_workflow("w").step("a", lambda ctx: calls.append("a")).step("stuck", stuck)
    running = asyncio.ensure_future(make_engine().execute(flow, idempotency_key="k"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await make_engine().execute(flow, idempotency_key="k")).ok
    assert calls == ["a", 1, 2]


def held(calls, started=None):
    """Return a workflow whose commit is held when it is in doubt."""

    async def charge(ctx):
        calls.append(ctx.idempotency_key)
        if ctx.attempt == 1 and started is not None:
            started.set()
            await asyncio.sleep(3600)

    flow = create_workflow("w").commit("charge", charge, on_crash="hold")
    return flow.step("after", lambda ctx: calls.append("after"))


@pytest.mark.parametrize(("verdict", "times"), [("done", 1), ("again", 2)])
async def test_a_commit_in_doubt_is_held_until_somebody_decides(make_engine, verdict, times):
    """``done`` takes it as completed, ``again`` runs it with the same key."""
    started, calls = asyncio.Event(), []
    flow = held(calls, started)
    first, second = make_engine(), make_engine()
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await second.resume(flow, "r")).status == "suspended"
    state = await second.get("r")
    assert state.step("charge").waits_for.in_doubt
    with pytest.raises(SignalMismatchError, match="'done' when it was done, 'again'"):
        await second.signal(flow, "r", "charge", "maybe")
    result = await second.signal(flow, "r", "charge", verdict)
    assert (result.status, calls) == ("completed", ["r:charge"] * times + ["after"])


async def test_large_values_are_stored_once_and_come_back(engine, storage):
    """Whichever steps and runs set them."""
    big = "x" * 70_000

    async def put(ctx):
        ctx.data[ctx.current_step] = {"big": big}
        return {"big": big}

    flow = create_workflow("w").step("a", put).step("b", put)
    first, second = await engine.execute(flow), await engine.execute(flow)
    blobs = await storage.blobs(first.id) | await storage.blobs(second.id)
    assert len(blobs) == 1
    state = await engine.get(first.id)
    assert state.data == {"a": {"big": big}, "b": {"big": big}}
    assert state.step("b").output == {"big": big}
    journal = await storage.journal(first.id)
    assert sum(len(entry.changes or "") for entry in journal) < 1000
    again = await engine.retry_step(flow, first.id, "b")
    assert again.data == state.data
    await engine.delete(first.id)
    assert len(await storage.blobs(second.id)) == 1


PROGRAM = """
    import asyncio, sys
    from flux_engine import FluxEngine, SQLiteStorage, create_workflow

    async def slow(ctx):
        if ctx.attempt == 1:
            print("started", flush=True)
            sys.stdin.readline()
        ctx.data.by = ctx.attempt

    flow = create_workflow("w").step("slow", slow)

    async def main():
        async with FluxEngine(storage=SQLiteStorage(sys.argv[1]), lease=0.3) as engine:
            result = await engine.execute(flow, run_id="r")
            print(result.status, flush=True)

    asyncio.run(main())
"""


async def test_a_stopped_process_that_wakes_up_cannot_write(tmp_path):
    """SIGSTOP past the lease; another engine takes the run over; the woken process is refused."""
    program, path = tmp_path / "program.py", tmp_path / "flux.db"
    program.write_text(textwrap.dedent(PROGRAM))
    process = subprocess.Popen(
        [sys.executable, program, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "started\n"
        os.kill(process.pid, signal.SIGSTOP)
        try:
            flow = create_workflow("w").step("slow", lambda ctx: ctx.data.update(by=ctx.attempt))
            async with FluxEngine(storage=SQLiteStorage(path)) as engine:

                async def taken():
                    return await engine.recover([flow]) == ["r"]

                await eventually(taken)

                async def completed():
                    return (await engine.get("r")).status == "completed"

                await eventually(completed)
                assert (await engine.get("r")).data == {"by": 2}
        finally:
            os.kill(process.pid, signal.SIGCONT)
        _, errors = process.communicate("go on\n", timeout=30)
        assert "OwnershipLostError" in errors
        async with FluxEngine(storage=SQLiteStorage(path)) as engine:
            assert (await engine.get("r")).data == {"by": 2}


async def test_a_run_that_could_not_be_released_is_free_when_the_store_is_back(make_engine, storage):
    """Its owner lives, and has other runs in hand: their leases are renewed, not that of the one it left."""
    first, second = make_engine(lease=0.9), make_engine()
    busy, away, calls, save = asyncio.Event(), [True], [], storage.save

    async def save_if_there(write):
        if away[0] and write.run_id == "left" and calls:
            raise StorageError("the store is away")
        return await save(write)

    storage.save = save_if_there
    other = create_workflow("other").step("waits", lambda ctx: busy.wait())
    flow = create_workflow("w").step("a", lambda ctx: calls.append("a"))
    flow = flow.step("b", lambda ctx: calls.append("b"))
    waiting = asyncio.ensure_future(first.execute(other, run_id="other"))
    with pytest.raises(StorageError):
        await first.execute(flow, run_id="left")
    with pytest.raises(RunBusyError):
        await second.resume(flow, "left")
    away[0] = False

    async def is_free():
        return (await storage.find("left")).owner is None

    await eventually(is_free)
    assert (await second.resume(flow, "left")).ok
    assert calls == ["a", "b"]
    busy.set()
    assert (await waiting).ok
