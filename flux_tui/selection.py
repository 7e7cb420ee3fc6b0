"""What the user looks at, and how it moves: by their hand, or along with a run that they started.

A run started here is followed: the selection goes where the run goes, and to the error when a step
fails. The first move of the user ends that. Nothing else moves the selection.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from flux_tui.model.breakpoints import stops_of
from flux_tui.model.run import GraphSpec, RunView, StepView

ERROR, DATA, TIMELINE = "error", "data", "timeline"
LOGS, EVENTS, SOURCE = "logs", "events", "source"
TABS: Final[Mapping[str, str]] = {
    ERROR: "Error",
    DATA: "Data",
    TIMELINE: "Timeline",
    LOGS: "Logs",
    EVENTS: "Events",
    SOURCE: "Source",
}


class Selection(Struct, frozen=True, kw_only=True):
    """The module, workflow, run, step and tab that are looked at.

    ``module`` is set while the row of a module is selected, and ``workflow`` is then its first.
    ``tab_chosen`` says that the user picked the tab, ``followed`` is the run that the selection moves
    along with. ``moment`` is the number of the past moment of the run that is looked at, ``None`` for the
    present.
    """

    module: str | None = None
    workflow: str | None = None
    run: str | None = None
    step: str | None = None
    tab: str = DATA
    tab_chosen: bool = False
    followed: str | None = None
    moment: int | None = None


def at_module(now: Selection, path: str) -> Selection:
    """Return the selection after the user went to a module, whose first workflow is selected already."""
    return replace(now, module=path, followed=None, moment=None)


def at_workflow(now: Selection, workflow: str, graph: GraphSpec) -> Selection:
    """Return the selection after the user went to a workflow that has no runs."""
    first = graph.nodes[0].name if graph.nodes else None
    tab = now.tab if now.tab_chosen else SOURCE
    moved = replace(now, module=None, workflow=workflow, run=None, step=first, tab=tab)
    return replace(moved, followed=None, moment=None)


def at_run(now: Selection, run_id: str, workflow: str, view: RunView | None) -> Selection:
    """Return the selection after the user went to a run; ``view`` is ``None`` while it is being read."""
    tab = DATA if now.tab == SOURCE and not now.tab_chosen else now.tab
    moved = replace(now, module=None, workflow=workflow, run=run_id, step=None, tab=tab)
    moved = replace(moved, followed=None, moment=None)
    return moved if view is None else _pointed(moved, view)


def without_run(now: Selection) -> Selection:
    """Return the selection after the last run of a workflow that is not loaded was deleted."""
    return replace(now, workflow=None, run=None, step=None, followed=None)


def at_step(now: Selection, step: str | None) -> Selection:
    """Return the selection after the user went to a step."""
    return replace(now, step=step, followed=None)


def at_tab(now: Selection, tab: str) -> Selection:
    """Return the selection after the user picked a tab."""
    return replace(now, tab=tab, tab_chosen=True, followed=None)


def started(now: Selection, run_id: str, workflow: str) -> Selection:
    """Return the selection after the user sent a run on its way: it is followed."""
    tab = now.tab if now.tab_chosen and now.tab != ERROR else DATA
    same = now.run == run_id
    return replace(
        now,
        module=None,
        workflow=workflow,
        run=run_id,
        step=now.step if same else None,
        tab=tab,
        tab_chosen=False,
        followed=run_id,
        moment=None,
    )


def to_failure(now: Selection) -> Selection:
    """Return the selection on the way to a failure: its error is what is shown, whatever tab was picked."""
    return replace(now, tab=ERROR, tab_chosen=False, followed=None, moment=None)


def at_moment(now: Selection, number: int, step: str | None) -> Selection:
    """Return the selection after the user went to a past moment of the run, in which ``step`` moved."""
    return replace(now, moment=number, step=step or now.step, followed=None)


def at_present(now: Selection) -> Selection:
    """Return the selection after the user came back from a past moment."""
    return replace(now, moment=None)


def with_news(now: Selection, view: RunView) -> Selection:
    """Return the selection after there was news of the selected run."""
    if view.id != now.run:
        return now
    if now.followed == view.id:
        return _pointed(now, view)
    if now.step is None or view.step(now.step) is None:
        return _pointed(now, view)
    return now


def _pointed(now: Selection, view: RunView) -> Selection:
    step = step_of_interest(view)
    tab = now.tab
    if not now.tab_chosen:
        tab = _fitting_tab(view, tab)
    return replace(now, step=None if step is None else step.name, tab=tab)


def _fitting_tab(view: RunView, tab: str) -> str:
    """Return the tab to open: the error if there is one, what was printed last when the runner died."""
    failed = view.failed_step
    if (failed is not None and failed.error is not None) or (failed is None and view.error is not None):
        return ERROR
    if view.status == "interrupted":
        return LOGS
    return DATA if tab == ERROR else tab


def step_of_interest(view: RunView) -> StepView | None:
    """Return the step to look at first.

    The running one, else the failed one, the one that a paused run stands before, or the last that was done.
    """
    done = [step for step in view.steps if step.status not in ("pending", "skipped")]
    last = max(done, key=lambda step: (step.started_at or 0.0, step.index), default=None)
    stop = next((view.step(name) for name in stops_of(view)), None)
    return view.running_step or view.failed_step or stop or last or next(iter(view.steps), None)
