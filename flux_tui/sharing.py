"""What there is to take out of the dashboard: the whole of what is looked at, or a run as a file."""

from typing import TYPE_CHECKING

from flux_tui import at_hand
from flux_tui.model import whole
from flux_tui.model.export import Export, export_run
from flux_tui.model.moments import Moment
from flux_tui.model.run import RunView, StepView
from flux_tui.selection import DATA, EVENTS, LOGS

if TYPE_CHECKING:
    from flux_tui.desk import Desk
    from flux_tui.screens.main import MainScreen


def export_of(desk: "Desk", run: RunView, *, reveal: bool) -> Export:
    """Return a run as a file, its secrets masked unless they are to be revealed."""
    secrets = None if reveal else desk.secrets
    return export_run(run, desk.events_of(run.id), secrets, project=desk.project, now=desk.now())


def whole_text(screen: "MainScreen") -> str | None:
    """Return all of what the open tab shows while it has the focus, else the run, else the workflow."""
    desk, view, definition = screen.desk, screen.past.view, screen.definition
    if view is not None and screen.details.has_focus_within:
        step = None if screen.selection.step is None else view.step(screen.selection.step)
        text = _whole_tab(desk, view, step, screen.selection.tab, screen.past.moment)
        return text or at_hand.text_to_copy(screen)
    if view is not None and screen.focused is not screen.workflows:
        return whole.run_text(view, desk.secrets)
    if definition is not None and definition.raw:
        return whole.workflow_text(definition.raw, desk.secrets)
    return at_hand.text_to_copy(screen)


def _whole_tab(
    desk: "Desk", run: RunView, step: StepView | None, tab: str, moment: Moment | None
) -> str | None:
    """Return all that a tab has; ``None`` for those whose copy is the whole already."""
    if tab == DATA:
        return whole.data_text(run, step, desk.secrets)
    if tab == LOGS:
        lines = desk.logs_of(run.id)
        return whole.logs_text(lines if moment is None else lines[: moment.printed], step)
    return whole.events_text(desk.events_of(run.id), desk.secrets) if tab == EVENTS else None
