"""How what the desk knows reads on the screen: titles, paths, what there is to copy or to open."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from flux_tui import actions
from flux_tui.model.attempts import failed_attempts
from flux_tui.model.breakpoints import code_changed, stops_of
from flux_tui.model.captions import waiting_text
from flux_tui.model.definitions import ModuleView
from flux_tui.model.elsewhere import driver_text, held_elsewhere, trace_is_elsewhere
from flux_tui.model.lineage import origin_of
from flux_tui.model.masked import masked_attempts
from flux_tui.model.moments import Moment, moment_text, whole
from flux_tui.model.run import DefinitionView, NodeSpec, RunView, StepView
from flux_tui.model.text import duration_text, printable, status_glyph, status_word
from flux_tui.needs import Situation
from flux_tui.news import news
from flux_tui.selection import DATA, ERROR, EVENTS, LOGS, SOURCE, TIMELINE, Selection
from flux_tui.widgets.data_view import DataView
from flux_tui.widgets.error_view import ErrorView
from flux_tui.widgets.event_view import EventView
from flux_tui.widgets.footer import Hint
from flux_tui.widgets.header import Headline
from flux_tui.widgets.log_view import LogView
from flux_tui.widgets.source_view import SourceView
from flux_tui.widgets.timeline_view import TimelineView

if TYPE_CHECKING:
    from flux_tui.desk import Desk

ID_CELLS = 6

Place = tuple[str, int | None]
"""A file and a line in it, counted from 1."""


def views(desk: "Desk") -> dict[str, Widget]:
    """Return the view of each tab."""
    return {
        ERROR: ErrorView(),
        DATA: DataView(secrets=desk.secrets),
        TIMELINE: TimelineView(secrets=desk.secrets, plain=desk.settings.ascii),
        LOGS: LogView(),
        EVENTS: EventView(secrets=desk.secrets),
        SOURCE: SourceView(),
    }


def show_tab(
    view: Widget,
    desk: "Desk",
    run: RunView | None,
    step: StepView | None,
    node: NodeSpec | None,
    *,
    broken: ModuleView | None = None,
    moment: Moment | None = None,
) -> None:
    """Have the view of a tab show what is known of the step.

    While the module of its workflow does not load, ``broken``, the error to see to is that one. At a past
    ``moment``, ``run`` and ``step`` are as they were then, and nothing is shown that came later.
    """
    events = () if run is None else desk.events_of(run.id)
    match view:
        case ErrorView() if broken is not None and broken.problem is not None:
            view.show_problem(broken.problem, broken.output)
        case ErrorView():
            happened = events
            if run is not None and moment is not None:
                happened = desk.open_runs.account(run.id)[: moment.place + 1]
            failed = () if step is None else failed_attempts(happened, step.name) or step.failures
            view.show(run, step, masked_attempts(failed, desk.secrets))
        case DataView():
            view.show(run, step)
        case LogView():
            lines = () if run is None else desk.logs_of(run.id)
            lines = lines if moment is None else lines[: moment.printed]
            view.show(run, step, lines, elsewhere="" if events else trace_is_elsewhere(run))
        case EventView():
            place = moment.place if moment is not None and whole(events) else None
            view.show(run, events, desk.bad_lines, place)
        case TimelineView():
            present = None if run is None else desk.view(run.id)
            account = () if run is None else desk.open_runs.account(run.id)
            traced = account if whole(account) or present is None or not present.tried else ()
            name = None if step is None else step.name
            view.show(present, name, traced, desk.now(), None if moment is None else moment.time)
        case SourceView():
            view.show(run, step, node)


def marked_tabs(
    run: RunView | None, broken: ModuleView | None, step: StepView | None = None, node: NodeSpec | None = None
) -> frozenset[str]:
    """Return the tabs that have something amiss in them: an error, or code that has changed since."""
    changed = step is not None and code_changed(step, node)
    failed = run is not None and (run.error is not None or run.failed_step is not None)
    shown = {ERROR: failed or broken is not None, SOURCE: changed}
    return frozenset(tab for tab, marked in shown.items() if marked)


def home_path(path: Path) -> str:
    """Return a path as a person writes it: ``~/shop``."""
    home = Path.home()
    if path == home:
        return "~"
    return f"~{os.sep}{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def source_path(desk: "Desk") -> str:
    """Return where the runs come from: the store, or the trace when that is all there is."""
    address = desk.settings.db
    if not desk.trace_only and address.file is None:
        return address.place
    path = desk.settings.trace if desk.trace_only or address.file is None else address.file
    if str(path) == "-":
        return "standard input"
    return project_path(desk, path)


def project_path(desk: "Desk", path: Path) -> str:
    """Return a path as it is written from the project's folder."""
    return str(path.relative_to(desk.project)) if path.is_relative_to(desk.project) else home_path(path)


def problem_title(desk: "Desk", module: ModuleView) -> Content:
    """Return the title above the problem of a module."""
    glyph = status_glyph("failed", ascii=desk.settings.ascii)
    return Content(f"{glyph} {printable(project_path(desk, Path(module.path)))}")


def no_workflows(desk: "Desk") -> str:
    """Return what stands in the place of workflows."""
    if desk.trace_only:
        return "No workflow in this trace yet."
    if desk.state.runner == "starting":
        return "Looking for workflows…"
    if desk.on_restate:
        return "No workflows are registered: serve them with restate_app."
    if desk.state.runner != "ready":
        return "The runner is dead. It starts again by itself, or with K."
    return "No workflows yet."


def no_runs(desk: "Desk") -> str:
    """Return what stands in the place of runs."""
    if desk.runs.total:
        looking = " so far; older ones are being looked at" if desk.pages.older else ""
        return f"No run matches the filter{looking}. esc clears it."
    if desk.state.store_problem is not None:
        return "The runs cannot be read: the top of the screen says why."
    if desk.trace_only or desk.read_only:
        return "No runs yet."
    return "No runs yet. Select a workflow and press r."


def nothing_yet(desk: "Desk") -> bool:
    """Whether there is neither a workflow nor a run to show."""
    looked = desk.state.runner == "ready"
    return looked and not (desk.trace_only or desk.definitions.modules or desk.runs.total)


def headline(desk: "Desk") -> Headline:
    """Return what the header says."""
    return Headline(
        project=home_path(desk.project),
        store=source_path(desk),
        news=news(desk.state, desk.definitions),
        running=desk.runs.running,
        failed=desk.runs.failed,
    )


def hints(desk: "Desk", situation: Situation) -> tuple[Hint, ...]:
    """Return what the footer says: the keys of the actions that belong there.

    First come those that are there only while they can be done: it is their moment.
    """
    offered = sorted(actions.offered(read_only=desk.read_only), key=lambda action: not action.only_now)
    return tuple(
        Hint(
            action=action.id,
            key=actions.key_text(keys[0]),
            label=action.label if action.label_now is None else action.label_now(situation),
            reason=action.needs(situation),
            pinned=action.id in actions.PINNED,
        )
        for action in offered
        if action.in_footer and (keys := actions.keys_of(action, desk.settings.keymap))
        if not action.only_now or action.needs(situation) is None
    )


def runs_subtitle(desk: "Desk", marked: int = 0) -> str:
    """Return what the lower edge of the runs says: how many are marked, how many there are or match."""
    more = "+" if desk.pages.older or not desk.whole else ""
    known = desk.runs.total - len(desk.runs.hidden)
    count = f"{known:,}{more}" if known else ""
    sifted = max(known, desk.pages.looked_at)
    said = f"{len(desk.runs):,} of {sifted:,}{more}" if desk.runs.filter else count
    return f"{marked:,} marked · {said}" if marked else said


def graph_title(
    desk: "Desk", now: Selection, view: RunView | None, definition: DefinitionView | None
) -> Content:
    """Return the title of the graph: workflow, run, status and how long it took, or takes."""
    if view is None:
        if definition is None:
            return Content("Graph")
        stale = Content.styled("  stale", "bold") if definition.stale else Content("")
        state = "  not run yet" if now.run is None else "  reading…"
        return Content(printable(definition.name)) + stale + Content(state)
    parts = [printable(view.workflow), printable(view.id)[:ID_CELLS], _status(desk, view)]
    took = duration_of(view, desk.now())
    if took is not None:
        parts.append(duration_text(took))
    if definition is not None and definition.stale:
        parts.append("stale definition")
    origin = origin_of(desk.events_of(view.id))
    if origin is not None:
        parts.append(f"forked from {printable(origin.run)[:ID_CELLS]} at {printable(origin.step)}")
    return Content("  ".join(parts))


def graph_name(view: RunView | None, definition: DefinitionView | None) -> str:
    """Return the name of the workflow, with which the title of the graph begins."""
    return printable(view.workflow if view is not None else "" if definition is None else definition.name)


def whereabouts(view: RunView | None) -> str:
    """Return which run the details are of, for when nothing else is shown."""
    return "" if view is None else f"  of {printable(view.workflow)} {printable(view.id)[:ID_CELLS]}"


def moment_title(desk: "Desk", moment: Moment) -> Content:
    """Return the title of the graph at a past moment of the run."""
    said = moment_text(moment, ascii=desk.settings.ascii)
    run = f"  {printable(moment.view.workflow)} {printable(moment.view.id)[:ID_CELLS]}"
    return Content.assemble((said, "bold $text-warning"), " · esc live", (run, ""))


def _status(desk: "Desk", view: RunView) -> str:
    words = f"{status_glyph(view.status, ascii=desk.settings.ascii)} {status_word(view.status)}"
    if (driver := held_elsewhere(view)) is not None:
        words += f" in {driver_text(driver)}"
    if view.status == "suspended" and (waiting := next(iter(view.waits), None)) is not None:
        return f"{words}, {waiting_text(waiting)}"
    if view.status == "paused" and (stops := stops_of(view)):
        return f"{words} before {', '.join(map(printable, stops))}"
    taken_back = next((step for step in view.steps if step.compensation == "running"), None)
    if taken_back is not None:
        return (
            f"{status_glyph('compensating', desk.settings.ascii)} compensating {printable(taken_back.name)}"
        )
    at = view.failed_step or (view.running_step if view.status != "completed" else None)
    return words if at is None else f"{words} at {printable(at.name)}"


def duration_of(view: RunView, now: float) -> float | None:
    """Return how long a run took, or has taken by now, in milliseconds, in all its passes."""
    if view.duration is not None:
        return view.took
    since = view.resumed_at or view.started_at
    return view.worked + max(now - since, 0.0) if view.status == "running" and since is not None else None


def node_of(now: Selection, view: RunView | None, definition: DefinitionView | None) -> NodeSpec | None:
    """Return the selected step as its module defines it now, or else as its run was made with it."""
    for spec in (None if definition is None else definition.graph, None if view is None else view.graph):
        for node in () if spec is None else spec.nodes:
            if node.name == now.step:
                return node
    return None


def place_of(
    now: Selection, module: ModuleView | None, node: NodeSpec | None, definition: DefinitionView | None
) -> Place | None:
    """Return what there is to open: where a module breaks, the selected step, else the workflow's module."""
    if now.module is not None and module is not None:
        problem = module.problem
        if problem is not None:
            return problem.file or module.path, problem.line
        return module.path, None
    if node is not None and node.source is not None and node.source.get("file"):
        line = node.source.get("line")
        return str(node.source["file"]), line if isinstance(line, int) else None
    return (definition.path, None) if definition is not None and definition.variable else None


def place_in(widget: Widget | None) -> Place | None:
    """Return the place in the code that the cursor of a widget is at, if the widget knows of such."""
    for node in [] if widget is None else [widget, *widget.ancestors]:
        location = getattr(node, "location", None)
        if callable(location) and (place := location()) is not None:
            file, line = place
            return str(file), int(line)
    return None


def text_of(widget: Widget | None) -> str | None:
    """Return what a widget, or the nearest one around it that can tell, has to copy."""
    for node in [] if widget is None else [widget, *widget.ancestors]:
        copy = getattr(node, "copy_text", None)
        if copy is not None and isinstance(node, Widget):
            text = copy() if callable(copy) else copy
            if text:
                return str(text)
    return None
