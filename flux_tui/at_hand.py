"""What the user has at hand in the main screen: what actions work on, what is copied, what is opened."""

from typing import TYPE_CHECKING

from textual.widgets import Input, TextArea

from flux_tui import actions, looks
from flux_tui.model.lineage import origin_of
from flux_tui.needs import Situation
from flux_tui.widgets.search_pane import searched_by
from flux_tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def situation(screen: "MainScreen") -> Situation:
    """Return what actions have to look at."""
    desk, view, now, definition = screen.desk, screen.run_view, screen.selection, screen.definition
    origin = None if now.run is None else origin_of(desk.events_of(now.run))
    return Situation(
        on_restate=desk.on_restate,
        marked=len(screen.marks),
        undoable=len(desk.deletions.last),
        origin=None if origin is None else origin.run,
        trace_only=desk.trace_only,
        store_problem=desk.state.store_problem,
        runner=desk.state.runner,
        workflow=definition,
        definition=definition,
        run=view,
        step=None if view is None or now.step is None else view.step(now.step),
        repeatable=definition is not None and bool(desk.inputs(definition.name)),
        copyable=bool(now.run or now.workflow) or text_to_copy(screen) is not None,
        source=place(screen) is not None,
        moment=now.moment,
        moments=screen.past.count,
        runs=desk.runs.total,
        no_past=screen.past.problem(),
        searchable=searched_by(screen.focused) is not None,
        selected=now.step,
        breakpoints=desk.breakpoints.count,
        watched=view is not None and screen.saves.run_id == view.id,
    )


def is_taken(screen: "MainScreen", action_id: str) -> bool:
    """Say whether an action takes its key: one that goes first leaves it to others until it can be done."""
    action = actions.find(action_id)
    if not action.first:
        return True
    return not isinstance(screen.focused, Input | TextArea) and action.needs(situation(screen)) is None


def text_to_copy(screen: "MainScreen") -> str | None:
    """Return what ``copy`` would copy: what the focused pane has, else what is selected."""
    if screen.has_class("-welcome"):
        return Welcome.copy_text
    return looks.text_of(screen.focused) or screen.selection.run or screen.selection.workflow


def place(screen: "MainScreen") -> looks.Place | None:
    """Return the place in the code to open: the one under the cursor, in the open tab, or of the step."""
    now = screen.selection
    module = None if now.module is None else screen.desk.definitions.module(now.module)
    broken = module is not None and module.problem is not None
    shown = screen.problem if broken else screen.details.views[now.tab]
    node = looks.node_of(now, screen.past.view, screen.definition)
    return (
        looks.place_in(screen.focused)
        or looks.place_in(shown)
        or looks.place_of(now, module, node, screen.definition)
    )
