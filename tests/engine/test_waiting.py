"""Waiting: for signals, for time, and what happens when neither comes."""

import asyncio

import pytest

from flux_engine import (
    DefinitionError,
    InvalidTransitionError,
    RunBusyError,
    RunNotFoundError,
    SerializationError,
    SignalMismatchError,
    create_workflow,
    sleep,
    wait,
)
from flux_engine.running.deadlines import Deadline, Deadlines
from flux_engine.testing import ManualClock


def approval(timeout=None, name="approval"):
    """Return a workflow that waits for a signal between two steps."""

    async def ask(ctx):
        ctx.data.asked = True
        return wait(name, timeout=timeout)

    async def pay(ctx):
        ctx.data.approved_by = ctx.signals[name]["by"]
        ctx.data.same = ctx.outputs["ask"] == ctx.signals[name]

    flow = create_workflow("approval").step("prepare", lambda ctx: ctx.data.update(n=1))
    return flow.step("ask", ask).commit("pay", pay)


async def until(condition):
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.001)


def waiting(engine, run_id, step):
    """Return a condition for ``until``: the step waits."""

    async def waits():
        known = [run.id for run in await engine.list()]
        return run_id in known and (await engine.get(run_id)).step(step).status == "suspended"

    return waits


async def test_a_run_waits_for_its_signal_and_goes_on_with_the_payload(engine, trace):
    """Execute returns when the run is suspended; the payload is output and ctx.signals."""
    suspended = await engine.execute(approval())
    assert suspended.status == "suspended"
    state = await engine.get(suspended.id)
    assert (state.status, state.current_step, state.interrupted) == ("suspended", "ask", False)
    assert state.step("ask").status == "suspended"
    assert state.step("ask").waits_for.signal == "approval"
    assert state.data == {"n": 1}, "what the waiting step changed counts when it is complete"
    result = await engine.signal(approval(), suspended.id, "approval", {"by": "ada"})
    assert (result.status, result.data) == (
        "completed",
        {"n": 1, "asked": True, "approved_by": "ada", "same": True},
    )
    types = trace.types()
    assert types.index("step:suspend") < types.index("workflow:suspend") < types.index("signal:received")
    assert types[-1] == "workflow:complete"


async def test_another_engine_can_send_the_signal(make_engine):
    """The run is in nobody's hands while it waits."""
    suspended = await make_engine().execute(approval())
    result = await make_engine().signal(approval(), suspended.id, "approval", {"by": "bo"})
    assert result.data.approved_by == "bo"


async def test_a_signal_of_another_name_is_refused(engine):
    """The error names the signal that the run waits for; the run still waits."""
    suspended = await engine.execute(approval())
    with pytest.raises(SignalMismatchError, match="'approval', not for 'refusal'"):
        await engine.signal(approval(), suspended.id, "refusal")
    assert (await engine.get(suspended.id)).status == "suspended"


async def test_a_signal_to_a_run_that_does_not_wait_is_refused(engine):
    """Completed, failed, unknown; also the second of two equal signals."""
    suspended = await engine.execute(approval())
    await engine.signal(approval(), suspended.id, "approval", {"by": "ada"})
    with pytest.raises(InvalidTransitionError, match="completed and waits for no signal"):
        await engine.signal(approval(), suspended.id, "approval", {"by": "ada"})
    with pytest.raises(RunNotFoundError):
        await engine.signal(approval(), "nowhere", "approval")


async def test_a_signal_that_comes_too_early_is_to_be_sent_again(engine):
    """While the run moves and does not wait yet, the sender is told so."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        started.set()
        await go_on.wait()

    flow = create_workflow("w").step("slow", slow).step("ask", lambda ctx: wait("go"))
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()
    with pytest.raises(RunBusyError, match="does not wait for signal 'go' yet"):
        await engine.signal(flow, "r", "go")
    go_on.set()
    assert (await running).status == "suspended"
    assert (await engine.signal(flow, "r", "go")).ok


async def test_a_signal_reaches_a_branch_that_waits_while_another_moves(engine):
    """The branch goes on at once; execute returns at the end of both."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        started.set()
        await go_on.wait()

    flow = (
        create_workflow("w")
        .step("slow", slow, after=())
        .step("ask", lambda ctx: wait("go"), after=())
        .step("behind", lambda ctx: go_on.set(), after="ask")
    )
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()

    async def waits():
        return (await engine.get("r")).step("ask").status == "suspended"

    await until(waits)
    assert (await engine.signal(flow, "r", "go", 1)).ok
    assert (await running).ok


async def test_a_branch_goes_on_at_once_while_a_single_step_runs_beside_it(engine):
    """What follows the wait does not wait for the other branch."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        started.set()
        await go_on.wait()

    flow = (
        create_workflow("w")
        .step("ask", lambda ctx: wait("go"), after=())
        .step("quick", lambda ctx: None, after=())
        .step("slow", slow, after="quick", timeout=20)
        .step("behind", lambda ctx: go_on.set(), after="ask")
    )
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()

    async def waits():
        return (await engine.get("r")).step("ask").status == "suspended"

    await until(waits)
    assert (await engine.signal(flow, "r", "go")).ok
    assert (await running).ok


async def test_of_two_engines_that_signal_at_once_one_wins(make_engine):
    """The step behind the wait runs once."""
    calls = []
    flow = create_workflow("w").step("ask", lambda ctx: wait("go"))
    flow.step("count", lambda ctx: calls.append(ctx.signals["go"]))
    suspended = await make_engine().execute(flow)
    outcomes = await asyncio.gather(
        *(make_engine().signal(flow, suspended.id, "go", number) for number in range(4)),
        return_exceptions=True,
    )
    assert len(calls) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(refused) == 3
    assert all(isinstance(error, RunBusyError | InvalidTransitionError) for error in refused)


async def test_a_payload_that_cannot_be_stored_is_refused(engine):
    """The run still waits."""
    suspended = await engine.execute(approval())
    with pytest.raises(SerializationError, match="payload"):
        await engine.signal(approval(), suspended.id, "approval", object())
    assert (await engine.get(suspended.id)).status == "suspended"


async def test_a_wait_that_runs_out_fails_the_step_with_an_error_of_its_own(make_engine):
    """While the engine lives it needs no help."""
    clock = ManualClock()
    engine = make_engine(clock=clock)
    suspended = await engine.execute(approval(timeout=3600))
    state = await engine.get(suspended.id)
    assert state.step("ask").waits_for.until.timestamp() == clock.now() + 3600
    assert await clock.sleeper() == 3600
    clock.advance(3600)

    async def failed():
        return (await engine.get(suspended.id)).status == "failed"

    await until(failed)
    state = await engine.get(suspended.id)
    assert (state.error.type, state.error.step) == ("WaitTimeoutError", "ask")
    with pytest.raises(InvalidTransitionError):
        await engine.signal(approval(), suspended.id, "approval")


async def test_a_wait_that_has_run_out_already_fails_the_step(engine):
    """Also when its time is over before the run is suspended."""
    suspended = await engine.execute(approval(timeout=0))

    async def failed():
        return (await engine.get(suspended.id)).status == "failed"

    await until(failed)


async def test_a_signal_at_the_moment_of_suspension_is_not_lost(engine):
    """Whoever sees the step wait can send the signal, though the run is just about to be let go."""
    told = []

    class Sink:
        async def emit(self, event):
            if event.type == "step:suspend":
                told.append(asyncio.ensure_future(engine.signal(flow, "r", "approval", {"by": "ada"})))

    flow = approval()
    engine._services.announcer._sink = Sink()
    await engine.execute(flow, run_id="r")
    result = await told[0]
    assert (result.status, result.data.approved_by) == ("completed", "ada")


async def test_a_signal_in_time_leaves_nothing_to_run_out(make_engine):
    """The deadline passes without effect."""
    clock = ManualClock()
    engine = make_engine(clock=clock)
    suspended = await engine.execute(approval(timeout=60))
    await clock.sleeper()
    result = await engine.signal(approval(timeout=60), suspended.id, "approval", {"by": "ada"})
    clock.advance(61)
    await asyncio.sleep(0.01)
    assert (await engine.get(suspended.id)).status == result.status == "completed"


async def test_the_time_of_a_wait_passes_without_effect_while_the_run_goes_on(make_engine):
    """Its signal came in time: a step behind it may last longer than the wait could."""
    clock, started, go_on = ManualClock(), asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        started.set()
        await go_on.wait()

    flow = create_workflow("w").step("ask", lambda ctx: wait("go", timeout=60)).step("slow", slow)
    engine = make_engine(clock=clock)
    await engine.execute(flow, run_id="r")
    await clock.sleeper()
    running = asyncio.ensure_future(engine.signal(flow, "r", "go"))
    await started.wait()
    clock.advance(61)
    for _ in range(5):  # whoever sleeps on the clock comes to its turn
        await asyncio.sleep(0)
    go_on.set()
    assert ((await running).status, (await engine.get("r")).error) == ("completed", None)


async def test_time_outs_survive_a_restart(make_engine):
    """Another engine that recovers watches them, those that have passed included."""
    clock = ManualClock()
    flow = approval(timeout=60)
    first = make_engine(clock=clock)
    suspended = await first.execute(flow)
    await first.close()
    clock.advance(61)
    second = make_engine(clock=clock)
    assert await second.recover([flow]) == []

    async def failed():
        return (await second.get(suspended.id)).status == "failed"

    await until(failed)


async def test_waits_can_be_watched_without_taking_runs_over(make_engine):
    """Interrupted runs stay as they are; a wait that runs out fails its step."""
    clock = ManualClock()
    flow = approval(timeout=60)
    first = make_engine(clock=clock)
    suspended = await first.execute(flow)
    await first.close()
    second = make_engine(clock=clock)
    await second.watch_waits([flow])
    assert await clock.sleeper() == 60
    assert (await second.get(suspended.id)).status == "suspended"
    clock.advance(60)

    async def failed():
        return (await second.get(suspended.id)).status == "failed"

    await until(failed)


async def test_a_sleep_is_waited_out_and_durable(make_engine, trace):
    """The step has no output; a restart in the middle waits out the rest."""
    clock = ManualClock()
    calls = []
    flow = create_workflow("w").step("nap", lambda ctx: calls.append("nap") or sleep(100))
    flow.step("after", lambda ctx: calls.append("after"))
    first, second = make_engine(clock=clock), make_engine(clock=clock)
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    assert await clock.sleeper() == 100
    assert (await first.get("r")).step("nap").status == "suspended"
    clock.advance(30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await second.recover([flow]) == ["r"]
    assert await clock.sleeper() == 70
    clock.advance(70)

    async def completed():
        return (await second.get("r")).status == "completed"

    await until(completed)
    assert calls == ["nap", "after"]


async def test_a_retry_of_a_waiting_step_asks_again(engine):
    """What it waited for before is forgotten."""
    suspended = await engine.execute(approval())
    again = await engine.retry_step(approval(), suspended.id, "ask")
    assert again.status == "suspended"
    assert (await engine.resume(approval(), suspended.id)).status == "suspended"
    assert (await engine.signal(approval(), suspended.id, "approval", {"by": "ada"})).ok


@pytest.mark.parametrize(
    "mistake",
    [lambda: wait(""), lambda: wait(3), lambda: wait("x", timeout=-1), lambda: sleep("1"), lambda: sleep(-1)],
)
def test_nonsense_is_refused_where_it_is_written(mistake):
    """So that the step fails with a message, not the engine."""
    with pytest.raises(DefinitionError):
        mistake()


async def test_what_a_waiting_step_changed_is_there_for_the_next(engine):
    """After a timer, and after a signal that came while another branch moved."""

    def count(ctx):
        ctx.data.count = ctx.data.get("count", 0) + 1

    async def nap(ctx):
        count(ctx)
        return sleep(5)

    flow = create_workflow("w").step("a", count).step("nap", nap).step("b", count)
    assert (await engine.execute(flow)).data == {"count": 3}

    release = asyncio.Event()

    async def slow(ctx):
        await release.wait()

    async def last(ctx):
        count(ctx)
        release.set()

    flow = (
        create_workflow("x")
        .step("a", count)
        .step("slow", slow, after="a")
        .step("ask", lambda ctx: count(ctx) or wait("go"), after="a")
        .step("b", last, after="ask")
    )
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await until(waiting(engine, "r", "ask"))
    await engine.signal(flow, "r", "go")
    assert (await running).data == {"count": 3}


async def test_a_step_that_waited_can_be_in_conflict(engine):
    """Another branch has changed the same key meanwhile: the step that waited is the later one."""
    release = asyncio.Event()

    async def other(ctx):
        await release.wait()
        ctx.data.key = "other"

    flow = (
        create_workflow("w")
        .step("ask", lambda ctx: ctx.data.update(key="asked") or wait("go"), after=())
        .step("other", other, after=())
    )
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await until(waiting(engine, "r", "ask"))
    release.set()
    assert (await running).status == "suspended"
    result = await engine.signal(flow, "r", "go")
    assert (result.status, result.error.type, result.error.step) == ("failed", "DataConflictError", "ask")
    assert result.data == {"key": "other"}


async def test_a_wait_is_watched_once_however_often_it_is_asked_for():
    """A runner is asked again whenever another one has left a wait behind."""
    due = []

    async def note(deadline):
        due.append(deadline.run_id)

    deadlines = Deadlines(ManualClock(auto=True), note)
    definition = create_workflow("w").step("ask", lambda ctx: None).build()
    for run_id in ("a", "b", "a"):
        deadlines.add(Deadline(5.0, run_id, "ask", definition))
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(due) == ["a", "b"]
    deadlines.add(Deadline(5.0, "a", "ask", definition))
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(due) == ["a", "a", "b"]
    await deadlines.close()
