"""Projects with real runners."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from runner_project import Project

from flux_tui.runner.pool_events import Reloaded


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[Project]:
    """Give a project whose pool is not started, and stop it in the end."""
    project = Project(tmp_path)
    yield project
    project.free()
    await project.pool.stop()


@pytest.fixture
async def shop(project: Project) -> Project:
    """Give a project with a workflow of two steps, the second of which waits to be freed."""
    project.write(
        "shop.py",
        """
        def first(ctx):
            mark("first")
            ctx.data.count = ctx.data.get("count", 0) + 1
            print("in first")

        def second(ctx):
            mark("second")
            until_free()
            ctx.data.done = ctx.data.count

        flow = create_workflow("order").step("first", first).step("second", second)
        """,
    )
    await project.pool.start()
    await project.heard(Reloaded)
    return project
