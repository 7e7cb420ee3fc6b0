"""Pausing, cancelling, forking, recovering, compensating."""

import asyncio

import pytest

from flux_engine import (
    InvalidTransitionError,
    RunNotFoundError,
    create_workflow,
    wait,
)


def two_steps(calls, started=None, go_on=None):
    """Return a workflow whose first step can be held."""

    async def first(ctx):
        calls.append("first")
        ctx.data.first = True
        if started is not None:
            started.set()
            await go_on.wait()

    return create_workflow("w").step("first", first).step("second", lambda ctx: calls.append("second"))


async def test_a_paused_run_stops_before_its_next_step(engine):
    """The step under way comes to its end; resume goes on."""
    calls, started, go_on = [], asyncio.Event(), asyncio.Event()
    flow = two_steps(calls, started, go_on)
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()
    pausing = asyncio.ensure_future(engine.pause("r"))
    await asyncio.sleep(0)
    go_on.set()
    state = await pausing
    assert (state.status, state.current_step, state.data) == ("paused", "second", {"first": True})
    assert (await running).status == "paused"
    assert (await engine.resume(flow, "r")).ok
    assert calls == ["first", "second"]


async def test_a_cancelled_run_ends_at_once(engine, trace):
    """The step under way is cancelled, and says so; the run can be retried."""
    calls, started, go_on = [], asyncio.Event(), asyncio.Event()
    flow = two_steps(calls, started, go_on)
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()
    state = await engine.cancel("r")
    assert (state.status, state.step("first").status, state.data) == ("cancelled", "cancelled", {})
    assert (await running).status == "cancelled"
    assert trace.types()[-1] == "workflow:cancel"
    with pytest.raises(InvalidTransitionError, match="cancelled"):
        await engine.cancel("r")
    with pytest.raises(InvalidTransitionError):
        await engine.resume(flow, "r")
    go_on.set()
    assert (await engine.retry_step(flow, "r", "first")).ok


async def test_runs_that_nobody_drives_can_be_cancelled(make_engine):
    """Suspended, paused, interrupted; not those that have ended."""
    engine, other = make_engine(), make_engine()
    flow = create_workflow("w").step("ask", lambda ctx: wait("go"))
    suspended = await engine.execute(flow)
    state = await other.cancel(suspended.id)
    assert (state.status, state.step("ask").status) == ("cancelled", "cancelled")
    done = await engine.execute(create_workflow("x").step("s", lambda ctx: None))
    for verb in (engine.cancel, engine.pause):
        with pytest.raises(InvalidTransitionError, match="completed"):
            await verb(done.id)
        with pytest.raises(RunNotFoundError):
            await verb("nowhere")


async def test_a_fork_is_a_new_run_with_the_results_before_the_step(engine):
    """The other run stays as it is; keys are new."""
    keys = []

    async def note(ctx):
        keys.append(ctx.idempotency_key)
        ctx.data.n = ctx.data.get("n", 0) + 1

    flow = create_workflow("w").step("a", note).step("b", note).step("c", note)
    original = await engine.execute(flow, {"some": "input"})
    before = await engine.get(original.id)
    fork = await engine.fork(flow, original.id, "b", data={"n": 10})
    assert (fork.status, fork.data) == ("completed", {"n": 12})
    assert fork.id != original.id
    assert len(set(keys)) == 5
    assert await engine.get(original.id) == before
    assert (await engine.get(fork.id)).input == {"some": "input"}
    again = await engine.retry_step(flow, fork.id, "b")
    assert again.data == {"n": 12}


async def test_a_fork_has_the_signals_of_the_steps_it_copies(engine):
    """A step behind the wait finds the payload."""
    flow = create_workflow("w").step("ask", lambda ctx: wait("go"))
    flow.step("use", lambda ctx: {"got": ctx.signals["go"]})
    suspended = await engine.execute(flow)
    await engine.signal(flow, suspended.id, "go", 7)
    fork = await engine.fork(flow, suspended.id, "use")
    assert fork.history[1].output == {"got": 7}


async def test_recovered_runs_go_on_in_the_background(make_engine):
    """Completed steps do not run again; runs of other workflows are left alone."""
    calls, started, go_on = [], asyncio.Event(), asyncio.Event()
    flow = two_steps(calls, started, go_on)
    first, second = make_engine(), make_engine()
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    go_on.set()
    assert await second.recover([create_workflow("other").step("s", lambda ctx: None)]) == []
    assert await second.recover([flow]) == ["r"]
    assert await second.recover([flow]) == []
    async with asyncio.timeout(20):
        while (await second.get("r")).status != "completed":
            await asyncio.sleep(0.001)
    assert calls == ["first", "first", "second"]


async def test_compensations_run_in_reverse_when_a_later_step_fails_for_good(engine, trace):
    """Each is recorded; the run fails with the error of the step; a retry runs all that was taken back."""
    calls, broken = [], {"ship"}

    def step(name):
        async def handler(ctx):
            calls.append(name)
            ctx.data[name] = True
            if name in broken:
                raise ValueError(name)

        return handler

    def undo(name):
        async def handler(ctx):
            calls.append(f"undo {name}")
            assert ctx.data[name]

        return handler

    flow = (
        create_workflow("w")
        .commit("charge", step("charge"), compensate=undo("charge"))
        .step("note", step("note"))
        .commit("reserve", step("reserve"), compensate=undo("reserve"))
        .step("ship", step("ship"))
    )
    failed = await engine.execute(flow)
    assert calls == ["charge", "note", "reserve", "ship", "undo reserve", "undo charge"]
    assert (failed.status, failed.error.step) == ("failed", "ship")
    assert [h.status for h in failed.history] == ["compensated", "completed", "compensated", "failed"]
    assert trace.types().count("step:compensate") == 4
    broken.clear()
    calls.clear()
    result = await engine.resume(flow, failed.id)
    assert (result.status, calls) == ("completed", ["charge", "reserve", "ship"])


async def test_a_compensation_that_fails_for_good_leaves_both_errors(engine):
    """It is retried as its step would be; the others still run."""
    calls = []

    async def fail(ctx):
        raise ValueError("step")

    async def broken_undo(ctx):
        calls.append("broken")
        raise OSError("undo")

    flow = (
        create_workflow("w")
        .step("a", lambda ctx: None, compensate=lambda ctx: calls.append("a"))
        .step("b", lambda ctx: None, compensate=broken_undo, retries=1)
        .step("c", fail)
    )
    failed = await engine.execute(flow)
    assert calls == ["broken", "broken", "a"]
    assert failed.error.step == "c"
    state = await engine.get(failed.id)
    assert [h.status for h in state.history] == ["compensated", "completed", "failed"]
    assert state.step("b").compensation_error.message == "undo"


@pytest.mark.parametrize("verb", ["resume", "recover"])
async def test_a_run_that_is_interrupted_while_it_compensates_goes_on_compensating(make_engine, verb):
    """What was taken back is not done again, and the step that failed for good is not tried again."""
    calls, started = [], asyncio.Event()

    def step(name):
        return lambda ctx: calls.append(name)

    async def undo(ctx):
        calls.append(f"undo {ctx.current_step}")
        if not started.is_set():
            started.set()
            await asyncio.sleep(3600)

    async def ship(ctx):
        calls.append("ship")
        if ctx.attempt == 1:
            raise ValueError("cannot be shipped")

    flow = create_workflow("w").commit("charge", step("charge"), compensate=undo).step("ship", ship)
    first, second = make_engine(), make_engine()
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    if verb == "resume":
        await second.resume(flow, "r")
    else:
        assert await second.recover([flow]) == ["r"]
    async with asyncio.timeout(20):
        while (await second.get("r")).status == "running":
            await asyncio.sleep(0.001)
    state = await second.get("r")
    assert (state.status, state.error.step, state.step("charge").status) == ("failed", "ship", "compensated")
    assert calls == ["charge", "ship", "undo charge", "undo charge"]
    assert (await second.resume(flow, "r")).ok
    assert calls[4:] == ["charge", "ship"]


async def test_cancelling_a_run_that_moves_also_ends_its_waiting_branch(make_engine):
    """The step that runs and the one that waits are both cancelled, and no signal is taken any more."""
    started = asyncio.Event()

    async def stuck(ctx):
        started.set()
        await asyncio.sleep(3600)

    flow = create_workflow("w").step("ask", lambda ctx: wait("go"), after=()).step("stuck", stuck, after=())
    engine, other = make_engine(), make_engine()
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await started.wait()
    async with asyncio.timeout(20):
        while (await other.get("r")).step("ask").status != "suspended":
            await asyncio.sleep(0.001)
    state = await engine.cancel("r")
    assert [step.status for step in state.history] == ["cancelled", "cancelled"]
    assert (await running).status == "cancelled"
    with pytest.raises(InvalidTransitionError):
        await engine.signal(flow, "r", "go")
