"""Going on with a run that was left in the middle."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest
from pydantic import BaseModel

from flux_engine import (
    DefinitionChangedError,
    FluxEngine,
    FluxSilentLogger,
    InvalidInputError,
    InvalidTransitionError,
    SQLiteStorage,
    StorageError,
    create_workflow,
)


def steps(names, calls, broken=()):
    """Return a workflow whose steps note that they ran and set a key each."""

    def step(name):
        async def handler(ctx):
            calls.append(name)
            ctx.data[name] = len(ctx.data)
            if name in broken:
                raise ValueError(name)

        return handler

    flow = create_workflow("w")
    for name in names:
        flow.step(name, step(name))
    return flow


async def test_a_failed_run_goes_on_from_its_first_open_step(engine):
    """Completed and skipped steps are not run again."""
    calls, broken = [], {"c"}
    flow = steps("abcd", calls, broken)
    failed = await engine.execute(flow)
    broken.clear()
    result = await engine.resume(flow, failed.id)
    assert (result.status, calls) == ("completed", list("abccd"))
    assert result.data == {"a": 0, "b": 1, "c": 2, "d": 3}


@pytest.mark.parametrize("start", ["b", 1])
async def test_resume_from_a_step_goes_back_to_it(engine, start):
    """By name or index, like a retry."""
    calls = []
    flow = steps("abc", calls)
    done = await engine.execute(flow)
    result = await engine.resume(flow, done.id, from_step=start)
    assert (result.data, calls) == ({"a": 0, "b": 1, "c": 2}, list("abcbc"))


async def test_a_completed_run_has_nothing_to_go_on_with(engine):
    """The message says what to use instead."""
    flow = steps("a", [])
    done = await engine.execute(flow)
    with pytest.raises(InvalidTransitionError, match="retry_step"):
        await engine.resume(flow, done.id)


async def test_cancelling_the_caller_releases_the_run_at_once(make_engine, trace):
    """It is interrupted, not cancelled: another engine goes on with it, and the attempt is on record."""
    started = asyncio.Event()
    calls = []

    async def stuck(ctx):
        calls.append(ctx.attempt)
        if ctx.attempt == 1:
            started.set()
            await asyncio.sleep(3600)

    flow = create_workflow("w").step("a", lambda ctx: ctx.data.update(x=1)).step("stuck", stuck)
    first, second = make_engine(), make_engine()
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    state = await second.get("r")
    assert (state.status, state.interrupted, state.current_step) == ("running", True, "stuck")
    assert (await second.list())[0].interrupted
    assert state.step("stuck").status == "cancelled"
    assert trace.types()[-1] == "workflow:pause"
    result = await second.resume(flow, "r")
    assert (result.status, calls, result.data) == ("completed", [1, 2], {"x": 1})
    assert [attempt.status for attempt in result.history[1].attempt_log] == ["cancelled", "completed"]


async def test_closing_the_engine_hands_runs_back_at_a_step_boundary(make_engine):
    """The step under way comes to its end and counts; the next is not begun."""
    started, go_on = asyncio.Event(), asyncio.Event()
    calls = []

    async def first_step(ctx):
        calls.append("first")
        started.set()
        await go_on.wait()
        ctx.data.x = 1

    flow = create_workflow("w").step("first", first_step).step("second", lambda ctx: calls.append("second"))
    engine, other = make_engine(), make_engine()
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()
    closing = asyncio.ensure_future(engine.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    result = await running
    assert (result.status, calls) == ("running", ["first"])
    state = await other.get("r")
    assert (state.interrupted, state.step("first").status, state.data) == (True, "completed", {"x": 1})
    assert (await other.resume(flow, "r")).ok
    assert calls == ["first", "second"]


async def test_closing_the_engine_does_not_wait_for_ever(make_engine):
    """After the grace a handler is cancelled; a run that waits out a back-off is let go at once."""
    started = asyncio.Event()

    async def stuck(ctx):
        started.set()
        await asyncio.sleep(3600)

    engine, other = make_engine(stop_grace=0.01), make_engine()
    running = asyncio.ensure_future(engine.execute(create_workflow("w").step("s", stuck), run_id="r"))
    await started.wait()
    await engine.close()
    assert (await running).status == "running"
    assert (await other.get("r")).interrupted


@pytest.mark.parametrize(
    ("now", "added", "removed", "moved"),
    [
        ("xabc", ("x",), (), ()),
        ("axbc", ("x",), (), ()),
        ("bc", (), ("a",), ()),
        ("bac", (), (), ("b", "a")),
        ("Abc", ("A",), ("a",), ()),
    ],
)
async def test_changes_before_the_start_are_refused_unless_allowed(engine, now, added, removed, moved):
    """The error lists what was added, removed and moved."""
    calls, broken = [], {"c"}
    failed = await engine.execute(steps("abc", calls, broken))
    broken.clear()
    calls.clear()
    changed = steps(now, calls)
    for attempt in (engine.resume(changed, failed.id), engine.retry_step(changed, failed.id, "c")):
        with pytest.raises(DefinitionChangedError) as caught:
            await attempt
        assert (caught.value.added, caught.value.removed, caught.value.moved) == (added, removed, moved)
    assert calls == []
    result = await engine.resume(changed, failed.id, allow_changed=True)
    assert result.status == "completed"
    assert calls == [*added, "c"], "steps that are new run, those that were done do not"
    assert (await engine.get(failed.id)).graph["steps"][0]["name"] == now[0]


@pytest.mark.parametrize("now", ["abcx", "abxc", "abyd"])
async def test_changes_behind_the_starting_point_are_welcome(engine, now):
    """The run goes on with the steps as they are now."""
    calls, broken = [], {"c"}
    failed = await engine.execute(steps("abc", calls, broken))
    calls.clear()
    result = await engine.resume(steps(now, calls), failed.id)
    assert (result.status, calls) == ("completed", list(now[2:]))


async def test_stored_input_that_no_longer_fits_is_told(engine):
    """The run is not taken and stays as it is."""

    class Before(BaseModel):
        n: int = 1

    class After(BaseModel):
        n: int = 1
        needed: str

    failed = await engine.execute(steps("ab", [], {"b"}).input(Before), {})
    with pytest.raises(InvalidInputError, match="needed"):
        await engine.resume(steps("ab", []).input(After), failed.id)
    assert (await engine.get(failed.id)).status == "failed"
    assert (await engine.resume(steps("ab", []).input(Before), failed.id)).ok


PROGRAM = """
    import asyncio, os, signal, sys
    from flux_engine import FluxEngine, SQLiteStorage, create_workflow

    folder, dies = sys.argv[1], sys.argv[2] == "dies"

    def note(word):
        with open(f"{folder}/calls", "a") as file:
            file.write(word + "\\n")

    async def first(ctx):
        note("first")
        ctx.data.first = {"n": [1, 2]}

    async def second(ctx):
        note("second")
        ctx.data.second = True
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)

    async def third(ctx):
        note("third")

    flow = create_workflow("w").step("first", first).step("second", second).step("third", third)

    async def main():
        async with FluxEngine(storage=SQLiteStorage(f"{folder}/flux.db")) as engine:
            if dies:
                await engine.execute(flow, run_id="r")
            else:
                assert (await engine.get("r")).interrupted
                result = await engine.resume(flow, "r")
                kept = result.data == {"first": {"n": [1, 2]}, "second": True}
                print(result.status, kept, result.history[1].attempts)

    asyncio.run(main())
"""


def test_a_killed_process_loses_and_repeats_no_completed_step(tmp_path):
    """SIGKILL in the middle of a step; another process goes on from there, at once."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    killed = subprocess.run([sys.executable, program, tmp_path, "dies"], check=False)
    assert killed.returncode == -signal.SIGKILL
    done = subprocess.run(
        [sys.executable, program, tmp_path, "resumes"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["completed", "True", "2"]
    assert (tmp_path / "calls").read_text().split() == ["first", "second", "second", "third"]
    with contextlib.closing(sqlite3.connect(tmp_path / "flux.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_store_that_fails_in_the_middle_loses_nothing(tmp_path):
    """The error is raised; when the fault is gone the same engine goes on with the run."""
    path = tmp_path / "flux.db"
    calls = []
    blocker = []

    async def block(ctx):
        calls.append("a")
        if not blocker:
            lock = sqlite3.connect(path, isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            blocker.append(lock)

    flow = create_workflow("w").step("a", block).step("b", lambda ctx: calls.append("b"))
    engine = FluxEngine(storage=SQLiteStorage(path, busy_timeout=0.05), logger=FluxSilentLogger())
    async with engine:
        with pytest.raises(StorageError, match="locked"):
            await engine.execute(flow, run_id="r")
        blocker[0].execute("ROLLBACK")
        blocker[0].close()
        assert (await engine.resume(flow, "r")).ok
        assert calls == ["a", "a", "b"]


def test_ownership_survives_the_reuse_of_a_pid():
    """A process with the same pid but another start is not the owner."""
    from msgspec.structs import replace  # noqa: PLC0415

    from flux_engine.running.ownership import abandoned, is_gone, this_owner  # noqa: PLC0415

    mine = this_owner()
    assert not is_gone(mine)
    assert is_gone(replace(mine, started="another:1"))
    assert not is_gone(replace(mine, host="elsewhere", pid=1, started="x"))
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert is_gone(replace(mine, pid=child.pid))
    elsewhere = replace(mine, host="elsewhere").encode()
    assert abandoned(elsewhere, lease_until=10, now=11)
    assert not abandoned(elsewhere, lease_until=10, now=9)
    assert not abandoned(mine.encode(), lease_until=10, now=11)
    assert abandoned(None)
    assert os.getpid() == mine.pid
