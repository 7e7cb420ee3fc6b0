"""Fork, replay and delete through the pool, and runs that move because their wait has run out."""

import pytest
from runner_project import Project, until

from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.pool_events import Reloaded, RunBegan, RunEnded
from flux_tui.runner.replayed import unpacked

ORDER = """
    def price(ctx):
        print("pricing")
        mark("price")
        ctx.data.price = {price}

    def charge(ctx):
        mark("charge")

    def thank(ctx):
        ctx.data.thanked = ctx.data.price

    order = create_workflow("order").step("price", price).commit("charge", charge).step("thank", thank)
"""


async def ended(project: Project, run_id: str, status: str = "completed") -> None:
    """Wait until a run has ended with a status."""
    await until(
        lambda: any((e.run_id, e.status) == (run_id, status) for e in project.of(RunEnded)),
        lambda: f"{status} among {project.events}",
    )


async def test_a_fork_is_a_new_run_with_the_results_before_its_step(project: Project) -> None:
    """Edited data go over those of the other run; what ran before the step does not run again."""
    project.write("order.py", ORDER.format(price=12))
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("order", {})
    await ended(project, run_id)
    fork = await project.pool.fork("order", run_id, "charge", data={"price": 99})
    assert fork != run_id
    await ended(project, fork)
    assert project.calls() == ["price", "charge", "charge"]
    [data] = [
        event["data"]
        for event in project.trace()
        if event["type"] == "workflow:complete" and event["workflowId"] == fork
    ]
    assert data == {"price": 99, "thanked": 99}
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.fork("order", run_id, "nowhere")
    assert refused.value.error == "StepNotFoundError"


async def test_a_replay_uses_the_code_as_it_is_now_and_leaves_no_trace(project: Project) -> None:
    """Commits are answered from the record, and what handlers print is no part of the run."""
    project.write("order.py", ORDER.format(price=12))
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("order", {})
    await ended(project, run_id)
    assert unpacked(await project.pool.replay("order", run_id)).ok
    project.write("order.py", ORDER.format(price=13))
    await project.reload()
    before = project.trace()
    report = unpacked(await project.pool.replay("order", run_id))
    assert [(each.step, each.key, each.recorded, each.replayed) for each in report.steps][:1] == [
        ("price", "price", 12, 13)
    ]
    assert report.outcomes == {"price": "completed", "charge": "answered", "thank": "completed"}
    assert project.calls().count("charge") == 1
    assert project.trace() == before


async def test_runs_are_deleted_together_and_the_others_are_named(project: Project) -> None:
    """One that is on its way stays; one that only the trace can know counts as deleted, and is told to it."""
    project.write(
        "order.py",
        ORDER.format(price=12)
        + """
    slow = create_workflow("slow").step("wait", lambda ctx: (mark("begun"), until_free()) and None)
""",
    )
    await project.pool.start()
    await project.heard(Reloaded)
    done = [await project.pool.run("order", {}) for _ in range(3)]
    for run_id in done:
        await ended(project, run_id)
    moving = await project.pool.run("slow", {})
    await project.called("begun")
    answer = await project.pool.delete([*done, "never-there", moving])
    assert answer.deleted == [*done, "never-there"]
    assert list(answer.refused) == [moving]
    assert "in the hands of" in answer.refused[moving]
    deleted = [event["workflowId"] for event in project.trace() if event["type"] == "workflow:delete"]
    assert sorted(deleted) == sorted([*done, "never-there"])
    project.free()
    await ended(project, moving)


async def test_a_run_whose_wait_has_run_out_is_told_of(project: Project) -> None:
    """Nobody asked for it: the engine sends it on its way by itself."""
    project.write(
        "claim.py",
        """
        from flux_engine import wait

        claim = create_workflow("claim").step("ask", lambda ctx: wait("approval", timeout=0.2))
        """,
    )
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("claim", {})
    await ended(project, run_id, "suspended")
    await ended(project, run_id, "failed")
    assert [event.run_id for event in project.of(RunBegan)] == [run_id]
    assert project.pool.runs_in_hand == ()


async def test_a_wait_that_an_old_runner_leaves_behind_runs_out_all_the_same(project: Project) -> None:
    """The runner that suspended the run has ended; the one that was loaded since watches its wait."""
    project.write(
        "claim.py",
        """
        from flux_engine import wait

        def ask(ctx):
            mark("begun")
            until_free()
            return wait("approval", timeout=0.5)

        claim = create_workflow("claim").step("ask", ask)
        """,
    )
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("claim", {})
    await project.called("begun")
    await project.reload()
    project.free()
    await ended(project, run_id, "suspended")
    await ended(project, run_id, "failed")
