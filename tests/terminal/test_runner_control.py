"""Signal, cancel and pause through the pool: with real runners, old ones among them."""

import pytest
from runner_project import Project, is_alive, pids_of, until

from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.pool_events import Reloaded, RunEnded

CLAIM = """
    from flux_engine import wait

    def ask(ctx):
        return wait("approval", timeout=3600)

    def pay(ctx):
        mark("pay-" + type(ctx.signals["approval"]["at"]).__name__)

    claim = create_workflow("claim").step("ask", ask).step("pay", pay)
"""


async def ended(project: Project, run_id: str, status: str) -> None:
    """Wait until a run has ended with a status."""
    await until(
        lambda: any((e.run_id, e.status) == (run_id, status) for e in project.of(RunEnded)),
        lambda: f"{status} among {project.events}",
    )


async def test_a_signal_goes_on_with_a_suspended_run(project: Project) -> None:
    """Its payload is decoded as edited data is; a signal of another name, or a second one, is refused."""
    project.write("claim.py", CLAIM)
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("claim", {})
    await ended(project, run_id, "suspended")
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.signal("claim", run_id, "other")
    assert refused.value.error == "SignalMismatchError"
    payload = {"at": {"$type": "date", "value": "2026-01-01"}}
    assert await project.pool.signal("claim", run_id, "approval", payload) == run_id
    await ended(project, run_id, "completed")
    assert project.calls() == ["pay-date"]
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.signal("claim", run_id, "approval")
    assert refused.value.error == "InvalidTransitionError"


async def test_a_signal_to_a_workflow_that_has_changed_is_sent_when_that_is_allowed(project: Project) -> None:
    """Without, it is refused and the run still waits."""
    project.write("claim.py", CLAIM)
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("claim", {})
    await ended(project, run_id, "suspended")
    project.write("claim.py", CLAIM.replace('.step("ask"', '.step("check", lambda ctx: None).step("ask"'))
    await project.reload()
    payload = {"at": 1}
    with pytest.raises(RunnerRefused, match="added: check") as refused:
        await project.pool.signal("claim", run_id, "approval", payload)
    assert refused.value.error == "DefinitionChangedError"
    await project.pool.signal("claim", run_id, "approval", payload, allow_changed=True)
    await ended(project, run_id, "completed")
    assert project.calls() == ["pay-int"]


async def test_a_run_whose_workflow_is_not_loaded_here_is_cancelled(project: Project) -> None:
    """So is one that another host left: nobody needs its workflow to end it."""
    project.write("claim.py", CLAIM)
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("claim", {})
    await ended(project, run_id, "suspended")
    project.write("claim.py", CLAIM.replace('"claim"', '"another"'))
    await project.reload()
    with pytest.raises(RunnerRefused, match="No workflow 'claim'"):
        await project.pool.signal("claim", run_id, "approval", {})
    assert await project.pool.cancel(run_id) == "cancelled"


async def test_a_suspended_run_is_cancelled_by_any_runner(project: Project) -> None:
    """Also by one that has been loaded since."""
    project.write("claim.py", CLAIM)
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("claim", {})
    await ended(project, run_id, "suspended")
    await project.reload()
    assert await project.pool.cancel(run_id) == "cancelled"
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.pause(run_id)
    assert refused.value.error == "InvalidTransitionError"
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.cancel("no-such-run")
    assert refused.value.error == "RunNotFoundError"


async def test_a_running_step_is_cancelled_at_once(project: Project) -> None:
    """Nothing further is begun."""
    project.write(
        "slow.py",
        """
        async def forever(ctx):
            mark("begun")
            await asyncio.sleep(3600)

        slow = create_workflow("slow").step("forever", forever).step("after", lambda ctx: mark("after"))
        """,
    )
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("slow", {})
    await project.called("begun")
    assert await project.pool.cancel(run_id) == "running"
    await ended(project, run_id, "cancelled")
    assert project.calls() == ["begun"]


async def test_an_old_runner_pauses_what_it_has_in_hand(shop: Project) -> None:
    """It takes no new work, but is reached for its runs; the new code goes on with the paused run."""
    shop.write(
        "shop.py",
        """
        def last(ctx):
            mark("last")

        flow = (
            create_workflow("order")
            .step("first", lambda ctx: None)
            .step("second", lambda ctx: (mark("begun"), until_free()) and None)
            .step("last", last)
        )
        """,
    )
    await shop.reload()
    run_id = await shop.pool.run("order", {})
    await shop.called("begun")
    [old] = pids_of(shop)
    await shop.reload()
    assert await shop.pool.pause(run_id) == "running"
    shop.free()
    await ended(shop, run_id, "paused")
    await until(lambda: not is_alive(old), lambda: "the old runner to end")
    assert shop.calls() == ["begun"]
    assert await shop.pool.resume("order", run_id) == run_id
    await ended(shop, run_id, "completed")
    assert shop.calls() == ["begun", "last"]


async def test_a_branch_that_waits_is_sent_its_signal_while_another_moves(project: Project) -> None:
    """The answer comes at once, and the end of the run is told once."""
    project.write(
        "both.py",
        """
        from flux_engine import wait

        both = (
            create_workflow("both")
            .step("ask", lambda ctx: wait("approval"), after=())
            .step("work", lambda ctx: (mark("work"), until_free()) and None, after=())
            .step("next", lambda ctx: mark("next"), after=("ask",))
        )
        """,
    )
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("both", {})
    await project.called("work")
    await until(
        lambda: any(event["type"] == "step:suspend" for event in project.trace()), lambda: "the suspension"
    )
    await project.pool.signal("both", run_id, "approval")
    await project.called("next")
    assert project.of(RunEnded) == []
    project.free()
    await ended(project, run_id, "completed")
    assert len(project.of(RunEnded)) == 1
