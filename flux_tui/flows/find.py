"""The flows that find: search in a view, filter of the runs, the next failure."""

from typing import TYPE_CHECKING, Final

from flux_tui import selection
from flux_tui.flows.asking import Flow
from flux_tui.model.failures import failed_after
from flux_tui.model.filter import exact_term
from flux_tui.telling import tell
from flux_tui.widgets.runs import RunsPane
from flux_tui.widgets.search_pane import searched_by

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def search_or_filter(screen: "MainScreen") -> None:
    """Search the view that has the focus; from the lists, filter the runs."""
    found = searched_by(screen.focused)
    if found is None:
        screen.query_one(RunsPane).start_filter()
    else:
        pane, view = found
        pane.begin_search(view)


async def next_failure(screen: "MainScreen") -> None:
    """Go to the next failed step of the run, then to the next run that failed."""
    now, view = screen.selection, screen.run_view
    step = None if view is None else failed_after(view, now.step)
    if step is not None:
        screen.selection = selection.to_failure(selection.at_step(now, step))
        screen.show()
        return
    found = await screen.desk.failures.after(now.run)
    if found is None:
        matching = " that matches the filter" if screen.desk.runs.filter else ""
        other = "other " if view is not None and failed_after(view, None) else ""
        tell(screen, f"There is no {other}failed run{matching}.", title="Next failure")
        return
    if found.wrapped:
        tell(screen, "From the newest run again.", title="Next failure")
    screen.selection = selection.to_failure(screen.selection)
    screen.go_to_run(found.run)
    screen.show()


def only_workflow(screen: "MainScreen") -> None:
    """Show only runs of the selected workflow."""
    name = screen.selection.workflow
    if name is not None:
        screen.query_one(RunsPane).filter_by(exact_term("workflow", name))


FLOWS: Final[dict[str, Flow]] = {
    "filter": search_or_filter,
    "next-failure": next_failure,
    "only-workflow": only_workflow,
}
