"""Breakpoints and single steps through the pool, with real runners."""

import pytest
from runner_project import Project, until

from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.pool_events import Reloaded, RunEnded

PARCEL = """
    def step(name):
        def handler(ctx):
            mark(name + "-" + str(ctx.data.get("weight")))
        return handler

    parcel = create_workflow("parcel")
    for name in ("pack", "weigh", "label", "ship"):
        parcel.step(name, step(name))
"""


async def ended(project: Project, count: int) -> str:
    """Wait until runs have come to rest that often; return how the latest did."""
    await until(lambda: len(project.of(RunEnded)) >= count, lambda: f"{count} ends in {project.events}")
    return str(project.of(RunEnded)[-1].status)


def stopped_before(project: Project) -> list[str]:
    """Return what the trace says of the latest pause."""
    return list(project.trace()[-1]["meta"]["before"])


async def test_breakpoints_hold_in_the_runner_that_is_there_and_in_the_next(project: Project) -> None:
    """A run stops, takes one step on the code of a new runner, and goes on with other data."""
    project.write("parcel.py", PARCEL)
    project.pool.stop_before({"parcel": ["weigh", "gone"], "unknown": ["pack"]})
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("parcel", {})
    assert await ended(project, 1) == "paused"
    assert (project.calls(), stopped_before(project)) == (["pack-None"], ["weigh"])
    project.write("parcel.py", PARCEL.replace('"-"', '"+"'))
    await project.reload()
    await project.pool.resume("parcel", run_id, data={"weight": 3}, stepping=True)
    assert await ended(project, 2) == "paused"
    assert (project.calls()[1:], stopped_before(project)) == (["weigh+3"], ["label"])
    project.pool.stop_before({})
    await project.pool.resume("parcel", run_id)
    assert await ended(project, 3) == "completed"
    await project.pool.run("parcel", {})
    assert await ended(project, 4) == "completed"


async def test_a_breakpoint_can_be_set_while_the_run_moves(project: Project) -> None:
    """Also when an old runner has it in hand."""
    project.write(
        "slow.py",
        """
        def hold(ctx):
            mark("held")
            until_free()

        slow = create_workflow("slow").step("hold", hold).step("after", lambda ctx: mark("after"))
        """,
    )
    await project.pool.start()
    await project.heard(Reloaded)
    run_id = await project.pool.run("slow", {})
    await project.called("held")
    await project.reload()
    project.pool.stop_before({"slow": ["after"]})
    with pytest.raises(RunnerRefused):  # asked after it, so answered after it
        await project.pool.signal("slow", run_id, "nobody-waits")
    project.free()
    assert await ended(project, 1) == "paused"
    assert project.calls() == ["held"]
