"""The flows that make something of a run that was: a fork, and the way back to where a fork comes from."""

from typing import TYPE_CHECKING, Final

from flux_tui.flows.asking import Flow, answered, tell_refused
from flux_tui.model.lineage import from_here_on, origin_of
from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.fork import ForkScreen
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


async def fork(screen: "MainScreen") -> None:
    """Ask for the data, then start a new run at the selected step and follow it."""
    view, step, definition = screen.run_view, screen.selection.step, screen.definition
    if view is None or step is None or definition is None:
        return
    runs = from_here_on(definition.graph, step) or (step,)
    commits = [node.name for node in definition.graph.nodes if node.commit and node.name in runs]
    dialog = ForkScreen(step, view.data_before(step), runs, commits, screen.desk.secrets)
    data = await screen.app.push_screen_wait(dialog)
    if data is None:
        return
    try:
        run_id = await answered(screen, view.workflow, screen.desk.fork(view, step, data=data or None))
    except RunnerRefused as refused:
        tell_refused(screen, f"No run was forked at {step}", refused)
    else:
        screen.follow(run_id, view.workflow)


def go_to_origin(screen: "MainScreen") -> None:
    """Select the run that the selected one was forked from."""
    run = screen.selection.run
    origin = None if run is None else origin_of(screen.desk.events_of(run))
    if origin is None:
        return
    if screen.desk.runs.get(origin.run) is None:
        tell(
            screen,
            f"run {origin.run} is not among the runs that were read",
            title="Origin",
            severity="warning",
        )
        return
    screen.go_to_run(origin.run)
    screen.show()


FLOWS: Final[dict[str, Flow]] = {"fork": fork, "go-origin": go_to_origin}
