"""The dashboard's desk on a real Restate server: listed, drawn, started, signalled, cancelled, forked."""

import asyncio

from flux_engine import create_workflow, wait
from flux_tui.restate.desk import RestateDesk
from flux_tui.settings import Settings


async def until(condition, what: str) -> None:
    """Wait for a condition."""
    for _ in range(1500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never came: {what}")


async def test_the_desk_shows_and_moves_the_runs_of_a_server(services, name, tmp_path):
    """What the services write is what the screens are given."""

    def load(ctx):
        ctx.data.pallets = ctx.input["pallets"]

    flow = (
        create_workflow(name).step("load", load).step("release", lambda ctx: wait("go")).step("drive", load)
    )
    await services.serve(flow)
    settings = Settings(project=tmp_path, trace=services.trace_file).anchored()
    desk = RestateDesk(settings, services.client, services.server.admin_url)
    await desk.start()
    try:
        await until(lambda: desk.definitions.find(name) is not None, "the workflow")
        run_id = await desk.run(name, {"pallets": 3})
        desk.look_at(run_id)
        await until(lambda: desk.runs.get(run_id) is not None, "the run in the list")
        await until(
            lambda: (view := desk.view(run_id)) is not None and view.status == "suspended", "its wait"
        )
        view = desk.view(run_id)
        assert view.data_after("load") == {"pallets": 3}
        assert view.step("release").waits_for.signal == "go"
        await desk.signal(view, "go", {"by": "clerk"})
        await until(lambda: desk.view(run_id).status == "completed", "its end")
        assert desk.view(run_id).step("release").output == {"by": "clerk"}
        forked = await desk.fork(desk.view(run_id), "release")
        desk.look_at(forked)
        await until(
            lambda: (view := desk.view(forked)) is not None and view.status == "suspended", "the fork"
        )
        await desk.cancel(desk.view(forked))
        await until(lambda: desk.view(forked).status == "cancelled", "the end of the fork")
    finally:
        await desk.stop()
