"""The dashboard's one screen: workflows and runs at the left, the graph and its details at the right.

The desk says what there is, the selection what is looked at; the presenter brings both onto the screen. Keys
become actions of the registry, and those that change something are flows, in a module of their own.
"""

from collections.abc import Hashable
from importlib import import_module
from typing import ClassVar

from msgspec.structs import replace
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.getters import query_one
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from flux_tui import actions, at_hand, flows, selection
from flux_tui.desk import Desk
from flux_tui.flows import pointing
from flux_tui.inbox import Inbox
from flux_tui.model.filter import compile_filter
from flux_tui.model.marks import Marks
from flux_tui.model.run import DefinitionView, RunView
from flux_tui.needs import Situation
from flux_tui.painting import paint_frugally
from flux_tui.past import Past
from flux_tui.presenting import Presenter
from flux_tui.retry_on_save import RetryOnSave
from flux_tui.screens import composition
from flux_tui.selection import Selection
from flux_tui.telling import REFUSED
from flux_tui.widgets.details import Details, TabBar, focus_into
from flux_tui.widgets.error_view import ErrorView
from flux_tui.widgets.footer import FooterLine
from flux_tui.widgets.graph import StepGraph
from flux_tui.widgets.header import HeaderLine
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.moment_asked import MomentAsked
from flux_tui.widgets.pane import Pane
from flux_tui.widgets.runs import RunList, RunsPane
from flux_tui.widgets.splitter import PaneBody
from flux_tui.widgets.timeline_view import TimelineView
from flux_tui.widgets.workflows import WorkflowList

CLOCK = 0.1
"""Seconds between two ticks of the one clock that moves things while something runs."""

NEAR_THE_END = 50
"""How many runs from the end of the list older ones are read."""

AGES = 10.0
"""Seconds after which the ages in the list of runs are drawn again."""


WANTED_LATER = ("flux_tui.flows.registry", "pygments.lexers.python")
"""Modules that the first frame does not need, and the first keys may."""


class MainScreen(Screen[None]):
    """Everything that the dashboard shows at once."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings()]
    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (100, "-wide")]  # noqa: RUF012 - an instance variable of Screen, by its types
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - likewise
    AUTO_FOCUS = "#workflows"

    header = query_one(HeaderLine)
    body = query_one(PaneBody)
    banner = query_one("#banner", Static)
    workflows = query_one(WorkflowList)
    runs = query_one(RunList)
    graph = query_one(StepGraph)
    graph_pane = query_one("#graph-pane", Pane)
    runs_pane = query_one(RunsPane)
    details = query_one(Details)
    problem = query_one("#problem", ErrorView)
    problem_pane = query_one("#problem-pane", Pane)
    footer = query_one(FooterLine)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        paint_frugally(self)
        self.desk = desk
        self.selection = Selection()
        self.marks = Marks()
        self.inbox = Inbox(self)
        self.clock: Timer | None = None
        self.past: Past = Past(self)
        self.saves = RetryOnSave(self)
        self._presenter = Presenter(self)

    # Layout

    def compose(self) -> ComposeResult:
        """Yield the header, the panes and the footer."""
        self.add_class(*composition.size_classes(self, self.app.size))  # so that all is styled once
        yield from composition.parts(self, self._presenter.now)

    def on_mount(self) -> None:
        """Start the clocks; the desk calls back from here on. It starts when the first frame is on screen."""
        self.clock = self.set_interval(CLOCK, self._tick, pause=True)
        self.set_interval(AGES, self._age)
        self.set_class(self.desk.trace_only, "-trace-only")
        self.desk.listen(self.inbox.hear)
        self.show()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.run_worker(self.desk.start(), group="desk", exit_on_error=False)
        for module in WANTED_LATER:
            self.call_later(import_module, module)  # while nobody waits for it

    @on(Inbox.Filled)
    def _news(self) -> None:
        self.inbox.empty()
        self.saves.look()
        self.show()

    # What is looked at

    @property
    def run_view(self) -> RunView | None:
        """The selected run."""
        return None if self.selection.run is None else self.desk.view(self.selection.run)

    @property
    def definition(self) -> DefinitionView | None:
        """The selected workflow."""
        name = self.selection.workflow
        return None if name is None else self.desk.definitions.find(name)

    def go_to_module(self, path: str) -> None:
        """Select a module, and with it its first workflow."""
        module = self.desk.definitions.module(path)
        if module is None:
            return
        if module.workflows:
            self.go_to_workflow(module.workflows[0])
        else:
            self.selection = Selection(tab=self.selection.tab, tab_chosen=self.selection.tab_chosen)
        self.selection = selection.at_module(self.selection, path)

    def go_to_workflow(self, definition: DefinitionView) -> None:
        """Select a workflow, and with it its latest run."""
        latest = self.desk.latest(definition.name)
        if latest is None:
            self.selection = selection.at_workflow(self.selection, definition.name, definition.graph)
        else:
            self.go_to_run(latest)

    def go_to_run(self, run_id: str) -> None:
        """Select a run."""
        row = self.desk.runs.get(run_id)
        workflow = "" if row is None else row.workflow
        self.selection = selection.at_run(self.selection, run_id, workflow, self.desk.view(run_id))
        self.desk.look_at(run_id)

    def follow(self, run_id: str, workflow: str) -> None:
        """Select a run that was sent on its way here, and go along with it until the user moves."""
        self.selection = selection.started(self.selection, run_id, workflow)
        self.desk.look_at(run_id)
        view = self.desk.view(run_id)
        if view is not None:
            self.selection = selection.with_news(self.selection, view)
        self.show()

    @staticmethod
    def _moved_by_hand(message: LineList.Highlighted) -> bool:
        """Whether the user put a cursor where it is: they are in that list, and it has not moved on since."""
        return message.line_list.has_focus and message.key == message.line_list.cursor_key

    @on(WorkflowList.Highlighted, "#workflows")
    def _workflow_highlighted(self, message: WorkflowList.Highlighted) -> None:
        if self._moved_by_hand(message):
            self._go_to_row(message.key)

    def _go_to_row(self, key: Hashable | None) -> None:
        """Select what a row of the workflows stands for."""
        self.workflows.untold = None
        row = self.workflows.row(key)
        if row is None:
            return
        if row.workflow is None:
            if row.module.path != self.selection.module:
                self.go_to_module(row.module.path)
        elif row.workflow.name != self.selection.workflow or self.selection.module is not None:
            self.go_to_workflow(row.workflow)
        self.show()

    @on(WorkflowList.Chosen, "#workflows")
    def _workflow_chosen(self, message: WorkflowList.Chosen) -> None:
        row = self.workflows.row(message.key)
        if row is not None and row.workflow is None:
            self.workflows.fold(row.module.path)
        elif row is not None:
            self._go_to_row(message.key)
            self.action_do("go-graph")

    @on(RunList.Highlighted, "#runs")
    def _run_highlighted(self, message: RunList.Highlighted) -> None:
        if message.index >= len(self.desk.runs) - NEAR_THE_END:
            self.desk.read_older()
        if self._moved_by_hand(message):
            self._go_to_listed_run(message.key)

    def _go_to_listed_run(self, key: Hashable | None) -> None:
        self.runs.untold = None
        if key is not None and key != self.selection.run:
            self.go_to_run(str(key))
            self.show()

    def _catch_up(self) -> None:
        """Select where the cursors went: a key may come before the message that tells of the last one."""
        if self.runs.untold is not None and self.runs.has_focus:
            self._go_to_listed_run(self.runs.untold)
        elif self.workflows.untold is not None and self.workflows.has_focus:
            self._go_to_row(self.workflows.untold)
        self._go_to_step(self.graph.selected)

    @on(RunList.Marked)
    def _marked(self, message: RunList.Marked) -> None:
        if message.all_listed:
            from flux_tui.flows.bulk import mark_unread  # noqa: PLC0415 - not before the first frame

            self.run_worker(mark_unread(self), group="flow")
        self.show()

    @on(RunList.Chosen, "#runs")
    def _run_chosen(self) -> None:
        self.action_do("go-graph")

    @on(StepGraph.Selected)
    def _step_selected(self, message: StepGraph.Selected) -> None:
        self._go_to_step(message.step)

    def _go_to_step(self, step: str | None) -> None:
        if step is not None and step != self.selection.step:
            self.selection = selection.at_step(self.selection, step)
            self.show()

    @on(StepGraph.Chosen)
    def _step_chosen(self, message: StepGraph.Chosen) -> None:
        """Go to the details of a step: to its error if it has one; clicked twice, to its code."""
        view = self.past.view
        step = None if view is None else view.step(message.step)
        if step is not None and step.error is not None:
            self.pick_tab(selection.ERROR)
        elif message.clicked:
            self.pick_tab(selection.SOURCE)
        self.focus_pane("details")

    @on(StepGraph.Panned)
    def _graph_panned(self) -> None:
        """Stop following a run in the graph: the user wants to look elsewhere."""
        self.selection = replace(self.selection, followed=None)

    @on(StepGraph.Shown)
    def _graph_shown(self) -> None:
        self._presenter.show_graph_subtitle()

    @on(TimelineView.Picked)
    def _bar_picked(self, message: TimelineView.Picked) -> None:
        self.selection = selection.at_step(self.selection, message.step)
        self.show()

    @on(MomentAsked)
    def _moment_asked(self, message: MomentAsked) -> None:
        self.past.go_to(message.time, message.place)

    @on(TabBar.Picked)
    def _tab_picked(self, message: TabBar.Picked) -> None:
        self.pick_tab(message.tab)

    def pick_tab(self, tab: str) -> None:
        """Open a tab because the user wants it; on a low terminal, bring it into view."""
        self.selection = selection.at_tab(self.selection, tab)
        self.show()
        if not self.details.display:
            self.focus_pane("details")

    @on(RunsPane.Filtered)
    def _filtered(self, message: RunsPane.Filtered) -> None:
        self.desk.filter(compile_filter(message.text))
        self.show()
        if self.selection.run is not None:
            self.runs.select(self.selection.run)

    @on(RunsPane.Entered)
    def _found(self) -> None:
        """Select the run under the cursor: the one that was selected may be hidden now."""
        key = self.runs.cursor_key
        if key is not None and key != self.selection.run:
            self.go_to_run(str(key))
            self.show()

    # Bringing it onto the screen

    def show(self) -> None:
        """Show what the desk has of what is selected."""
        self._presenter.show()

    def _tick(self) -> None:
        self._presenter.tick(CLOCK)

    def _age(self) -> None:
        if self.desk.runs.total:
            self.runs.rows_changed()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """On a low terminal, show the half of the screen that has the focus."""
        deep = event.widget is self.details or self.details in event.widget.ancestors
        if deep or self.query_one("#lists") in event.widget.ancestors:
            self.set_class(deep, "-deep")
        self.body.follow_focus(event.widget)
        if event.widget is self.runs and self.selection.run is None:
            self._found()
        self._presenter.show_footer()

    # Keys

    def situation(self) -> Situation:
        """Return what actions have to look at."""
        return at_hand.situation(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys of actions that go first to the part with the focus while they cannot be done."""
        return action != "do" or at_hand.is_taken(self, str(parameters[0]))

    def action_do(self, action_id: str) -> None:
        """Do what the action of this id is about, or say why that cannot be done now."""
        self._catch_up()
        action = actions.find(action_id)
        if action.writes and self.desk.read_only:
            self.app.notify("this dashboard was started with --read-only", title=action.title, markup=False)
            return
        reason = action.needs(self.situation())
        if reason is not None:
            self.app.notify(reason, title=f"{action.title}{REFUSED}", severity="warning", markup=False)
            return
        flows.perform(self, action_id)

    @on(HeaderLine.Pressed)
    def _header_pressed(self, message: HeaderLine.Pressed) -> None:
        pointing.go_to_part(self, message.part)

    @on(FooterLine.Pressed)
    def _hint_pressed(self, message: FooterLine.Pressed) -> None:
        self.action_do(message.action)

    def focus_pane(self, target: str) -> None:
        """Give the focus to one of the four panes, or to what stands in its place."""
        instead = "problem" if self.has_class("-problem") else "welcome" if self.has_class("-welcome") else ""
        if target in ("workflows", "runs"):
            self.remove_class("-deep")
            focus_into(self.query_one(f"#{target}"))
        elif instead:
            focus_into(self.query_one(f"#{instead}"))
        elif target == "details":
            self.add_class("-deep")
            self.details.focus_view()
        else:
            self.set_focus(self.graph)  # at once: the next key is for it

    def step_back(self) -> None:
        """Back out of the last transient thing: a past moment, the filter, the pane; the lists end it."""
        if self.past.leave():
            return
        if self.runs_pane.filtering:
            self.runs_pane.end_filter()
        elif self.body.zoomed is not None:
            self.body.zoomed = None
        elif self.focused not in (self.workflows, self.runs):
            self.focus_pane("workflows" if self.selection.run is None else "runs")
