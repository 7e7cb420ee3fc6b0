"""How workflows are served: names, code that changes under a run, HTTP/1.1, hooks."""

import asyncio
from datetime import timedelta

import pytest
import uvicorn
from restate_server import free_port

from flux_engine import DefinitionError, Hooks, create_workflow, wait
from flux_engine.integrations.restate import restate_app
from flux_engine.integrations.restate.service_names import service_name


@pytest.mark.parametrize("name", ["order", "order-process", "order.v2", "Order_1"])
def test_names_that_restate_allows_stay(name):
    """Most do."""
    assert service_name(name) == name


def test_other_names_are_changed_and_stay_apart():
    """What is not allowed is replaced, and what is reserved is not taken."""
    changed = [
        service_name(name) for name in ("a b", "a/b", "größe", "1st", "restate-orders", "OpenAPI", "-")
    ]
    assert len(set(changed)) == 7
    for name in changed:
        assert name[0].isalpha()
        assert name.isascii()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
        assert not name.lower().startswith("restate")


def test_two_workflows_of_one_name_are_refused():
    """As is an application without any."""
    flow = create_workflow("twice").step("s", lambda ctx: None)
    with pytest.raises(DefinitionError, match="twice, twice"):
        restate_app([flow, flow])
    with pytest.raises(DefinitionError, match="none"):
        restate_app([])


async def test_the_code_of_steps_may_change_while_a_run_waits(services, name):
    """The one that ran keeps its result and fingerprint, and the next runs as it is written now."""

    def flow(before, after):
        return (
            create_workflow(name)
            .step("before", before)
            .step("ask", lambda ctx: wait("go"))
            .step("after", after)
        )

    url = await services.serve(
        flow(lambda ctx: ctx.data.update(n=1), lambda ctx: ctx.data.update(m="old")),
        inactivity_timeout=timedelta(milliseconds=200),
    )
    run_id = await services.client.start(name)
    await services.until(run_id, "suspended")
    await _invocation(services, run_id, lambda found: found.status == "suspended")
    services.replace(url, flow(lambda ctx: ctx.data.update(n=2, x=3), lambda ctx: ctx.data.update(m="new")))
    await services.client.signal(run_id, "go")
    run = await services.until(run_id, "completed")
    assert run.data == {"n": 1, "m": "new"}


async def test_a_server_of_http_1_serves_as_well(services, name):
    """Uvicorn hands over each result when the handler pauses."""
    flow = create_workflow(name).step("a", lambda ctx: ctx.data.update(n=1)).step("b", lambda ctx: ctx.data.n)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(restate_app([flow]), port=port, log_level="critical"))
    serving = asyncio.ensure_future(server.serve())
    try:
        await services.register(f"http://127.0.0.1:{port}", http1=True)
        run = await services.execute(name)
        assert (run.status, run.step("b").output) == ("completed", 1)
    finally:
        server.should_exit = True
        await serving


async def test_hooks_are_called(services, name):
    """In their order, with what the engine's are given."""
    heard = []
    hooks = Hooks(
        step_complete=lambda event: heard.append((event.event, event.step, event.output)),
        workflow_complete=lambda event: heard.append((event.event, event.run_id, event.data)),
    )
    await services.serve(create_workflow(name).step("a", lambda ctx: ctx.data.update(n=1) or 5), on=hooks)
    run = await services.execute(name)
    assert heard == [("step_complete", "a", 5), ("workflow_complete", run.id, {"n": 1})]


async def test_other_steps_before_the_place_of_a_run_hold_it_until_the_former_are_back(services, name):
    """Restate refuses the replay and says so; nothing is lost."""

    def flow(*first):
        made = create_workflow(name)
        for step in first:
            made = made.step(step, lambda ctx: None)
        return made.step("ask", lambda ctx: wait("go")).step("after", lambda ctx: None)

    url = await services.serve(flow("a"), inactivity_timeout=timedelta(milliseconds=200))
    run_id = await services.client.start(name)
    await services.until(run_id, "suspended")
    await _invocation(services, run_id, lambda found: found.status == "suspended")
    services.replace(url, flow("new", "a"))
    await services.client.signal(run_id, "go")
    refused = await _invocation(services, run_id, lambda found: found.failure is not None)
    assert "mismatch" in refused.failure.lower()
    services.replace(url, flow("a"))
    assert [step.name for step in (await services.until(run_id, "completed")).history] == [
        "a",
        "ask",
        "after",
    ]


async def test_a_killed_invocation_leaves_its_run_interrupted(services, name):
    """Restate's own kill asks nobody: the run counts as running, in nobody's hands."""
    await services.serve(create_workflow(name).step("ask", lambda ctx: wait("go")).step("on", asyncio.sleep))
    run_id = await services.client.start(name)
    await services.until(run_id, "suspended")
    found = await services.client.run(run_id)
    assert found.record.owner is not None
    await services.client._admin.ask("PATCH", f"/invocations/{found.invocation.id}/kill")
    await _invocation(services, run_id, lambda invocation: invocation.ended)
    assert (await services.client.run(run_id)).record.owner is None


async def _invocation(services, run_id, holds):
    for _ in range(1500):
        found = (await services.client.run(run_id)).invocation
        if holds(found):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{found}")
