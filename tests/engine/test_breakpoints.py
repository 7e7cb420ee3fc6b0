"""Pausing before a step, going on, and editing what the step finds."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from flux_engine import InvalidTransitionError, SerializationError, create_workflow, wait


class Stops:
    """Stops before the steps that are named at the moment, and remembers what it was asked."""

    def __init__(self, *steps):
        self.steps = set(steps)
        self.asked = []

    def __call__(self, workflow, run_id, step):
        self.asked.append((workflow, run_id, step))
        return step in self.steps


def chain(calls, names="abc"):
    """Return a workflow whose steps add their name to the data."""

    def step(name):
        async def handler(ctx):
            calls.append(name)
            ctx.data.path = ctx.data.get("path", "") + name

        return handler

    flow = create_workflow("chain")
    for name in names:
        flow.step(name, step(name))
    return flow


def paused_before(trace):
    """Return what the trace says of the latest pause."""
    event = trace.events[-1]
    assert event.type == "workflow:pause"
    return event.meta["before"]


async def test_a_run_stops_before_the_step_once(make_engine, trace):
    """It is paused in the store, has not begun the step, and goes through it when it is sent on."""
    calls, stops = [], Stops("b")
    engine, flow = make_engine(pause_before=stops), chain(calls)
    paused = await engine.execute(flow)
    assert (paused.status, calls, paused.data) == ("paused", ["a"], {"path": "a"})
    assert paused_before(trace) == ["b"]
    state = await engine.get(paused.id)
    assert (state.status, state.current_step, state.step("b").attempts) == ("paused", "b", 0)
    assert (await engine.resume(flow, paused.id)).data == {"path": "abc"}
    assert stops.asked == [("chain", paused.id, name) for name in "abc"]


async def test_the_first_step_can_be_stopped_before(make_engine, trace):
    """The run exists then, and nothing of it has run."""
    calls = []
    engine, flow = make_engine(pause_before=Stops("a")), chain(calls)
    paused = await engine.execute(flow)
    assert (paused.status, calls) == ("paused", [])
    assert trace.types() == ["workflow:start", "workflow:pause"]
    assert (await engine.resume(flow, paused.id)).ok


async def test_a_step_that_comes_again_stops_the_run_again(make_engine):
    """A retry from further up comes by; a retry from the step itself wants that step to run."""
    calls, stops = [], Stops("b")
    engine, flow = make_engine(pause_before=stops), chain(calls)
    run = await engine.execute(flow)
    await engine.resume(flow, run.id)
    assert (await engine.retry_step(flow, run.id, "a")).status == "paused"
    assert (await engine.retry_step(flow, run.id, "b")).ok
    assert calls == ["a", "b", "c", "a", "b", "c"]
    assert (await engine.fork(flow, run.id, "b")).status == "paused"


async def test_a_skipped_step_stops_nothing(make_engine):
    """Its condition is asked first."""
    flow = create_workflow("w").step("a", lambda ctx: None, when=lambda ctx: False)
    flow.step("b", lambda ctx: None)
    assert (await make_engine(pause_before=Stops("a")).execute(flow)).ok


async def test_further_attempts_are_not_asked_about(make_engine):
    """Only a step that starts is; a step that fails goes on with its retries."""
    failures = [OSError("once"), OSError("twice")]

    def flaky(ctx):
        if failures:
            raise failures.pop()

    stops = Stops()
    engine = make_engine(pause_before=stops)
    assert (await engine.execute(create_workflow("w").step("a", flaky, retries=2))).ok
    assert len(stops.asked) == 1


async def test_steps_beside_it_come_to_their_end(make_engine, trace):
    """What became ready together with the step runs, its retries included; nothing begins after it."""
    calls, failures = [], [OSError("once")]

    async def beside(ctx):
        calls.append("beside")
        if failures:
            raise failures.pop()
        ctx.data.beside = True

    flow = create_workflow("w")
    flow.step("stop", lambda ctx: calls.append("stop"), after=())
    flow.step("beside", beside, after=(), retries=1)
    flow.step("behind", lambda ctx: calls.append("behind"), after=("beside",))
    flow.step("end", lambda ctx: calls.append("end"), after=("stop", "behind"))
    engine = make_engine(pause_before=Stops("stop", "behind"))
    paused = await engine.execute(flow)
    assert (paused.status, calls, paused.data) == ("paused", ["beside", "beside"], {"beside": True})
    assert paused_before(trace) == ["stop"]
    # Both are where the run goes on from; so neither stops it again.
    assert (await engine.resume(flow, paused.id)).ok
    assert sorted(calls[2:]) == ["behind", "end", "stop"]


async def test_a_failure_beside_it_fails_the_run(make_engine):
    """A run that cannot go on is not called paused."""

    def fail(ctx):
        raise ValueError("no")

    flow = create_workflow("w").step("stop", lambda ctx: None, after=()).step("beside", fail, after=())
    assert (await make_engine(pause_before=Stops("stop")).execute(flow)).status == "failed"


async def test_a_signal_goes_through_the_stop_it_found_and_not_through_the_next(make_engine):
    """The branch that was stopped before goes on with it; the step behind the wait is new."""
    calls = []
    flow = create_workflow("w")
    flow.step("ask", lambda ctx: wait("go"), after=())
    flow.step("stop", lambda ctx: calls.append("stop"), after=())
    flow.step("pay", lambda ctx: calls.append("pay"), after=("ask",))
    engine = make_engine(pause_before=Stops("stop", "pay"))
    paused = await engine.execute(flow)
    assert paused.status == "paused"
    signalled = await engine.signal(flow, paused.id, "go")
    assert (signalled.status, calls) == ("paused", ["stop"])
    assert (await engine.resume(flow, paused.id)).ok
    assert calls == ["stop", "pay"]


@dataclass
class Price:
    """A value of a class."""

    amount: int


async def test_data_can_be_edited_on_the_way(make_engine, trace):
    """The step finds the values with their types; the edit is recorded with it."""
    calls, found = [], []

    def look(ctx):
        found.append((ctx.data.price, ctx.data.due, ctx.data.kept))
        raise ValueError("not yet")

    flow = create_workflow("w").step("a", lambda ctx: ctx.data.update(price=Price(1), kept=1))
    flow.step("look", look).step("c", lambda ctx: calls.append("c"))
    due = datetime(2026, 1, 1, tzinfo=UTC)
    engine = make_engine(pause_before=Stops("look"))
    paused = await engine.execute(flow)
    failed = await engine.resume(flow, paused.id, data={"price": Price(5), "due": due})
    assert (failed.status, found) == ("failed", [(Price(5), due, 1)])
    assert (await engine.get(paused.id)).step("look").edit.set["due"] == due
    start = next(event for event in reversed(trace.events) if event.type == "workflow:start")
    assert (start.meta["resume"], start.meta["fromStep"]) == (True, "look")
    assert json.loads(bytes(start.meta["edit"]))["deleted"] == []
    await engine.retry_step(flow, paused.id, "look")
    assert found[-1] == (Price(5), due, 1)


async def test_an_edit_stays_until_a_retry_from_further_up(make_engine):
    """From further down it is still there; from further up the data is made anew."""
    calls = []
    engine, flow = make_engine(pause_before=Stops("b")), chain(calls)
    run = await engine.execute(flow)
    assert (await engine.resume(flow, run.id, data={"path": "X"})).data == {"path": "Xbc"}
    assert (await engine.retry_step(flow, run.id, "c")).data == {"path": "Xbc"}
    assert (await engine.retry_step(flow, run.id, "a")).status == "paused"
    assert (await engine.resume(flow, run.id)).data == {"path": "abc"}


async def test_an_edit_that_cannot_be_made_changes_nothing(make_engine):
    """The run stays as it is."""
    engine, flow = make_engine(pause_before=Stops("c")), chain([])
    run = await engine.execute(flow)
    with pytest.raises(SerializationError):
        await engine.resume(flow, run.id, data={"path": object()})
    with pytest.raises(TypeError, match="mapping"):
        await engine.resume(flow, run.id, data="path")
    assert (await engine.get(run.id)).status == "paused"
    assert (await engine.resume(flow, run.id, from_step="b", data={"path": "Y"})).status == "paused"
    assert (await engine.resume(flow, run.id)).data == {"path": "Ybc"}
    with pytest.raises(InvalidTransitionError):
        await engine.resume(flow, run.id, data={"path": "Z"})


async def test_another_engine_goes_on_from_the_stop(make_engine):
    """Where the run stopped is in the store, not in the engine that stopped it."""
    calls = []
    first, second = make_engine(pause_before=Stops("b")), make_engine(pause_before=Stops("b", "c"))
    flow = chain(calls)
    paused = await first.execute(flow)
    again = await second.resume(flow, paused.id, data={"path": "X"})
    assert (again.status, again.data, calls) == ("paused", {"path": "Xb"}, ["a", "b"])
    assert (await first.resume(flow, paused.id)).data == {"path": "Xbc"}


async def test_a_breakpoint_that_raises_lets_the_run_go_on(make_engine):
    """It is counted, as a hook that fails."""

    def broken(workflow, run_id, step):
        raise KeyError(step)

    engine = make_engine(pause_before=broken)
    assert (await engine.execute(chain([]))).ok
    assert engine.problems == {"pause_before": 3}


async def test_a_cancelled_run_is_cancelled_and_not_paused(make_engine):
    """What was asked for last counts."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def beside(ctx):
        started.set()
        await go_on.wait()

    flow = create_workflow("w").step("stop", lambda ctx: None, after=()).step("beside", beside, after=())
    engine = make_engine(pause_before=Stops("stop"))
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()
    assert (await engine.cancel("r")).status == "cancelled"
    assert (await running).status == "cancelled"


KILLED = """
import os, signal, sys
from flux_engine import FluxEngine, SQLiteStorage, create_workflow

flow = create_workflow("w").step("a", lambda ctx: ctx.data.update(a=1)).step("b", lambda ctx: None)
engine = FluxEngine(storage=SQLiteStorage(sys.argv[1]), pause_before=lambda w, r, step: step == "b")

async def main():
    await engine.execute(flow, run_id="r")
    os.kill(os.getpid(), signal.SIGKILL)

import asyncio
asyncio.run(main())
"""


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
async def test_a_process_killed_at_the_stop_leaves_the_run_paused(make_engine, tmp_path):
    """It is stored before it is told, and goes on elsewhere."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "flux.db")], check=False, timeout=60)
    engine, calls = make_engine(), []
    state = await engine.get("r")
    assert (state.status, state.interrupted, state.data) == ("paused", False, {"a": 1})
    flow = create_workflow("w").step("a", lambda ctx: None).step("b", lambda ctx: calls.append(ctx.data.a))
    assert (await engine.resume(flow, "r")).ok
    assert calls == [1]


FORKED = """
import os, sys
from flux_engine import FluxEngine, create_workflow

async def on_the_loop(ctx):
    fork(ctx)

def fork(ctx):
    child = os.fork()
    if child == 0:
        if sys.argv[2] == "raises":
            raise SystemExit(3)
        return
    ctx.data.code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

handler = on_the_loop if sys.argv[1] == "async" else fork
flow = create_workflow("w").step("a", handler).step("b", lambda ctx: print("b", ctx.data.code, flush=True))
result = FluxEngine().execute_sync(flow)
print(result.status, flush=True)
"""


@pytest.mark.parametrize("kind", ["async", "plain"])
@pytest.mark.parametrize(("end", "code"), [("returns", 0), ("raises", 3)])
def test_a_child_that_a_handler_forked_does_not_go_on_with_the_run(kind, end, code):
    """It ends where the handler ends, so that one process moves the run."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, kind, end],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
    )
    assert done.stdout.split("\n") == [f"b {code}", "completed", ""]
