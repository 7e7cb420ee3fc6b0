"""Reaching into runs on a real Restate server: signals, cancel, fork, and what is refused."""

import asyncio
from datetime import timedelta

import pytest

from flux_engine import (
    InvalidTransitionError,
    RunExistsError,
    RunNotFoundError,
    SignalMismatchError,
    StepNotFoundError,
    create_workflow,
    wait,
)
from flux_engine.integrations.restate import RestateClient, RestateError


def approval(name, **options):
    """Wait for an approval between two steps."""

    def ask(ctx):
        ctx.data.asked = True
        return wait("approval", **options)

    return (
        create_workflow(name)
        .step("before", lambda ctx: ctx.data.update(n=1))
        .step("ask", ask)
        .step("after", lambda ctx: ctx.data.update(answer=ctx.signals["approval"], n=ctx.data.n + 1))
    )


async def test_a_signal_ends_the_wait(services, name):
    """The run is suspended until then; the payload is the step's output and in ctx.signals."""
    await services.serve(approval(name))
    run_id = await services.client.start(name)
    waiting = await services.until(run_id, "suspended")
    assert waiting.step("ask").waits_for.signal == "approval"
    await services.client.signal(run_id, "approval", {"by": "ada"})
    run = await services.until(run_id, "completed")
    assert run.data == {"n": 2, "asked": True, "answer": {"by": "ada"}}
    assert run.step("ask").output == {"by": "ada"}
    assert services.kinds(run_id)[4:9] == [
        ("step:suspend", "ask"),
        ("workflow:suspend", None),
        ("workflow:start", None),
        ("signal:received", "ask"),
        ("step:complete", "ask"),
    ]


async def test_signals_that_nobody_waits_for_are_refused(services, name):
    """A signal of another name, one to a run that moves, has ended or does not exist, and one sent twice."""
    await services.serve(approval(name))
    run_id = await services.client.start(name)
    await services.until(run_id, "suspended")
    with pytest.raises(SignalMismatchError, match="waits for signal 'approval'"):
        await services.client.signal(run_id, "other")
    await services.client.signal(run_id, "approval", 1)
    await services.until(run_id, "completed")
    with pytest.raises(InvalidTransitionError, match="waits for no signal"):
        await services.client.signal(run_id, "approval", 2)
    with pytest.raises(RunNotFoundError):
        await services.client.signal(f"{run_id}-no", "approval")


async def test_a_wait_that_runs_out_fails_its_step(services, name):
    """As on one machine: WaitTimeoutError."""
    await services.serve(approval(name, timeout=0.2))
    run = await services.execute(name)
    assert (run.status, run.error.type, run.error.step) == ("failed", "WaitTimeoutError", "ask")


async def test_a_step_beside_one_that_waits_goes_on(services, name):
    """A signal reaches a run that moves, when a step of it waits."""
    signalled = asyncio.Event()

    async def work(ctx):
        await signalled.wait()

    flow = (
        create_workflow(name)
        .step("ask", lambda ctx: wait("go"), after=())
        .step("work", work, after=())
        .step("end", lambda ctx: None, after=("ask", "work"))
    )
    await services.serve(flow)
    run_id = await services.client.start(name)
    for _ in range(1500):
        if (await services.look(run_id)).step("ask").status == "suspended":
            break
        await asyncio.sleep(0.02)
    await services.client.signal(run_id, "go")
    for _ in range(1500):
        if (await services.look(run_id)).step("ask").status == "completed":
            break
        await asyncio.sleep(0.02)
    signalled.set()
    await services.until(run_id, "completed")


async def test_cancel_stops_the_handler_and_begins_nothing_further(services, name):
    """The step under way is cancelled, as is the run; no compensation runs, as on one machine."""
    begun, stopped, after = asyncio.Event(), asyncio.Event(), []

    async def hang(ctx):
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    flow = (
        create_workflow(name)
        .step("first", lambda ctx: None, compensate=lambda ctx: after.append("compensated"))
        .step("hang", hang)
        .step("after", lambda ctx: after.append("after"))
    )
    await services.serve(flow)
    run_id = await services.client.start(name)
    await asyncio.wait_for(begun.wait(), 20)
    await services.client.cancel(run_id)
    run = await services.until(run_id, "cancelled")
    assert stopped.is_set()
    assert [step.status for step in run.history] == ["completed", "cancelled", "pending"]
    assert after == []
    assert services.kinds(run_id)[-1] == ("workflow:cancel", None)
    with pytest.raises(InvalidTransitionError):
        await services.client.cancel(run_id)


async def test_a_run_that_waits_can_be_cancelled(services, name):
    """The wait is cancelled with it."""
    await services.serve(approval(name))
    run_id = await services.client.start(name)
    await services.until(run_id, "suspended")
    await services.client.cancel(run_id)
    run = await services.until(run_id, "cancelled")
    assert run.step("ask").status == "cancelled"


async def test_a_fork_begins_at_a_step_with_the_results_before_it(services, name):
    """The steps before it are not run again; data is merged over what the step found; the other run stays."""
    ran = []

    def step(label):
        def handler(ctx):
            ran.append(label)
            ctx.data[label] = ctx.data.get("seed", 0)

        return handler

    flow = create_workflow(name).step("a", step("a")).step("b", step("b")).step("c", step("c"))
    await services.serve(flow)
    first = await services.execute(name)
    new_id = await services.client.fork(first.id, "b", data={"seed": 5})
    run = await services.until(new_id, "completed")
    assert ran == ["a", "b", "c", "b", "c"]
    assert run.data == {"a": 0, "seed": 5, "b": 5, "c": 5}
    start = services.events(new_id)[0]
    assert (start["type"], start["meta"]) == ("workflow:start", {"forkedFrom": first.id, "fromStep": "b"})
    with pytest.raises(StepNotFoundError):
        await services.client.fork(first.id, "nowhere")


async def test_a_run_id_and_an_idempotency_key_start_one_run(services, name):
    """A second start with the id is refused, one with the key returns the same run."""
    ran = []
    await services.serve(create_workflow(name).step("s", lambda ctx: ran.append(ctx.id)))
    await services.execute(name, run_id=f"{name}-1")
    with pytest.raises(RunExistsError):
        await services.client.start(name, run_id=f"{name}-1")
    keyed = [await services.client.start(name, idempotency_key="k") for _ in range(2)]
    await services.until(keyed[0], "completed")
    assert keyed[0] == keyed[1]
    assert ran == [f"{name}-1", keyed[0]]


async def test_workflows_and_runs_are_listed(services, name):
    """Graphs without any run, runs newest first, each with status and error."""

    def fail(ctx):
        raise ValueError("broken")

    await services.serve(approval(name), create_workflow(f"{name} (odd)").step("s", fail))
    found = {workflow.name: workflow for workflow in await services.client.workflows()}
    assert [step["name"] for step in found[name].description["steps"]] == ["before", "ask", "after"]
    assert found[f"{name} (odd)"].service != f"{name} (odd)"
    waiting = await services.client.start(name)
    await services.until(waiting, "suspended")
    failed = await services.execute(f"{name} (odd)")
    rows = await services.client.runs(limit=2)
    assert [(row.id, row.workflow, row.status, row.error) for row in rows] == [
        (failed.id, f"{name} (odd)", "failed", "ValueError: broken"),
        (waiting, name, "suspended", None),
    ]
    assert [row.id for row in await services.client.runs(name)] == [waiting]
    await services.client.cancel(waiting)


async def test_a_server_that_cannot_be_reached_is_told_with_its_address(services):
    """So is an address that is not the admin port, and a workflow that nobody serves."""
    with pytest.raises(RestateError, match=r"127.0.0.1:1 cannot be reached"):
        await RestateClient("http://127.0.0.1:1").runs()
    with pytest.raises(RestateError, match="not the admin port"):
        await RestateClient(services.server.ingress_url).runs()
    with pytest.raises(RestateError, match="No workflow 'nobody'"):
        await services.client.start("nobody")
    with pytest.raises(RestateError, match="http://HOST:PORT"):
        RestateClient("localhost:9070")


async def test_asking_twice_to_cancel_is_asking_once(services, name):
    """The second one finds the run on its way to its end, or ended."""
    await services.serve(approval(name))
    run_id = await services.client.start(name)
    waiting = await services.until(run_id, "suspended")
    invocation = (await services.client.run(waiting.id)).invocation
    ask = services.client._admin.ask
    asked = [ask("PATCH", f"/invocations/{invocation.id}/cancel") for _ in range(3)]
    await asyncio.gather(*asked, return_exceptions=True)
    run = await services.until(run_id, "cancelled")
    assert services.kinds(run.id).count(("workflow:cancel", None)) == 1


async def test_an_attempt_may_last_longer_than_a_handler_may_be_idle(services, name):
    """Restate asks it to pause; it goes on to its end, once."""

    async def long(ctx):
        await asyncio.sleep(0.6)

    flow = create_workflow(name).step("long", long).step("on", lambda ctx: None)
    await services.serve(flow, inactivity_timeout=timedelta(milliseconds=100))
    run = await services.execute(name)
    assert (run.status, run.step("long").attempts) == ("completed", 1)


async def test_many_runs_at_once_all_end(services, name):
    """Each with its own data, its steps told in their order."""

    async def step(ctx):
        await asyncio.sleep(0.01)
        ctx.data.seen = [*ctx.data.get("seen", []), ctx.current_step, ctx.id]

    flow = create_workflow(name).step("a", step).step("b", step).step("c", step, after=("a",))
    await services.serve(flow.step("d", lambda ctx: None, after=("b",)))
    ids = [await services.client.start(name) for _ in range(30)]
    runs = await asyncio.gather(*[services.until(run_id, "completed", "failed") for run_id in ids])
    assert {run.error.type if run.error else "" for run in runs} == {
        "DataConflictError"
    }  # b and c, each time
    assert all(run.data["seen"][:2] == ["a", run.id] for run in runs)


async def test_a_listing_shows_the_step_that_is_under_way(services, name):
    """Also of a run of many steps, whose status has not changed since its first."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def long(ctx):
        begun.set()
        await go_on.wait()

    flow = create_workflow(name)
    for number in range(4):
        flow = flow.step(f"s{number}", lambda ctx: None)
    await services.serve(flow.step("long", long).step("on", lambda ctx: None))
    run_id = await services.client.start(name)
    await asyncio.wait_for(begun.wait(), 20)
    for _ in range(1500):
        [row] = await services.client.runs(name)
        if row.current_step == "long":
            break
        await asyncio.sleep(0.02)
    record = (await services.client.run(run_id)).record
    go_on.set()
    assert (row.status, row.current_step, record.current_step) == ("running", "long", "long")
    assert row.updated_at == record.updated_at > row.created_at
    await services.until(run_id, "completed")
    [row] = await services.client.runs(name)
    assert (row.status, row.current_step) == ("completed", None)
