"""The step graph: how a run goes through its workflow, live.

The widget draws lines on demand and keeps them; a change repaints only the rows and regions that it
touches. Nothing in it moves but the steps in progress, and those only when the application's clock calls
``tick``; what a suspended step waits for is drawn again when its words change.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.geometry import Offset, Region, Size, Spacing
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from flux_tui.model.captions import MOVING
from flux_tui.model.layout import Box, Layout, Mode
from flux_tui.model.layouts import AUTO, NEXT_VIEW, Layouts
from flux_tui.model.overview import Aid, Plan, View, margins, plan
from flux_tui.model.waits import paused_before
from flux_tui.widgets.graph_canvas import Scene
from flux_tui.widgets.graph_paper import Paper
from flux_tui.widgets.graph_styles import COMPONENTS, CSS, make_style
from flux_tui.widgets.graph_walk import KEYS, WalkView
from flux_tui.widgets.graph_words import WaitingWords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.style import Style
    from textual.strip import Strip

    from flux_tui.model.run import GraphSpec, RunView, StepView

MOST_BOX_ROWS = 17
ROOMY = 12
"""The rows that a graph may have at least where it asks for rows for a map, too."""


class StepGraph(WalkView, can_focus=True):
    """Draws the steps of ``run``, or of ``spec`` before there is a run, and walks them with the arrow keys.

    ``mode`` is ``boxes``, ``compact``, ``list``, or ``auto``: boxes where they fit in height, else compact.
    ``selected`` is the name of a step; it changes only by the user or by the application.
    ``breakpoints`` are the names of the steps that runs stop before. ``now`` tells the time in milliseconds.
    """

    DEFAULT_CSS = CSS
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COMPONENTS)
    BINDINGS: ClassVar[list[BindingType]] = [*KEYS]

    run: reactive[RunView | None] = reactive(None, repaint=False)
    spec: reactive[GraphSpec | None] = reactive(None, repaint=False)
    selected: reactive[str | None] = reactive(None, repaint=False)
    mode: reactive[str] = reactive(AUTO, repaint=False)
    breakpoints: reactive[frozenset[str]] = reactive(frozenset, repaint=False)
    ascii: reactive[bool] = reactive(default=False, repaint=False)

    class OfStep(Message):
        """Something about a step of a graph."""

        def __init__(self, graph: StepGraph, step: str) -> None:
            super().__init__()
            self.graph = graph
            self.step = step

        @property
        def control(self) -> StepGraph:
            """The graph that sent this."""
            return self.graph

    class Selected(OfStep):
        """The user selected a step."""

    class Chosen(OfStep):
        """The user wants the details of a step: with enter, or ``clicked`` twice."""

        def __init__(self, graph: StepGraph, step: str, *, clicked: bool) -> None:
            super().__init__(graph, step)
            self.clicked = clicked

    class Shown(Message):
        """The graph is drawn in another way than before: see ``shown_mode``."""

    def __init__(
        self,
        run: RunView | None = None,
        *,
        spec: GraphSpec | None = None,
        mode: str = AUTO,
        ascii: bool = False,  # noqa: A002
        now: Callable[[], float] | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.set_reactive(StepGraph.run, run)
        self.set_reactive(StepGraph.spec, spec)
        self.set_reactive(StepGraph.mode, mode)
        self.set_reactive(StepGraph.ascii, ascii)
        self._now = 0.0
        self._drawn_spec: GraphSpec | None = None
        self._layouts = Layouts(None)
        self._paper = Paper(Layout(mode=Mode.BOXES), Plan())
        self._asked_for, self._rows_asked_for = Mode.BOXES, 0
        self._steps: dict[str, StepView] = {}
        self._stops: frozenset[str] = frozenset()
        self._styles: dict[str, Style] = {}
        self._words = WaitingWords(self, now)

    @property
    def shown_mode(self) -> Mode:
        """The mode in which the graph is drawn now."""
        return self._paper.layout.mode

    @property
    def geometry(self) -> Layout:
        """The layout that is drawn now."""
        return self._paper.layout

    @property
    def aid(self) -> Aid:
        """What helps to find one's way while the graph does not fit."""
        return self._paper.plan.aid

    @property
    def animated(self) -> bool:
        """Whether a step is in progress, so that ``tick`` has something to move."""
        return any(self._scene.status(name) in MOVING for name in self._steps)

    @property
    def _scene(self) -> Scene:
        return Scene(
            layout=self._paper.layout,
            steps=self._steps,
            selected=self.selected,
            focused=self.has_focus,
            breakpoints=self.breakpoints,
            stops=self._stops,
            ascii=self.ascii,
            now=self._now,
        )

    @property
    def _view(self) -> View:
        rows = max(self.size.height - self._paper.plan.reserved, 0)
        return View(*self.scroll_offset, self.size.width, rows)

    def tick(self, now_ms: float) -> None:
        """Draw the steps in progress as they stand at ``now_ms``, and nothing else."""
        self._now = now_ms
        scene = self._scene
        for box in self._paper.layout.boxes:
            if scene.status(box.name) in MOVING:
                self._repaint_box(box)

    def next_view(self) -> None:
        """Draw the graph in the next way: boxes, compact, list."""
        self.mode = NEXT_VIEW[self.shown_mode]

    def say_again(self, names: Iterable[str], now_ms: float) -> None:
        """Draw steps whose words have changed with time."""
        self._now = now_ms
        for name in names:
            self._repaint_step(name)
        self._repaint_aid()

    # What changes, and what has to be drawn again for it

    def on_mount(self) -> None:
        """Draw what the constructor was given."""
        self._arrange()
        self.post_message(self.Shown())

    def on_resize(self) -> None:
        """Choose boxes or compact lines anew."""
        self._arrange()
        if (
            self.styles.is_auto_height
            and self._asked_for is not self._choose(self._room(self.app.size), self.size.width).mode
        ):
            self.refresh(layout=True)

    def watch_spec(self) -> None:
        """Lay out another definition."""
        self._arrange()

    def watch_mode(self) -> None:
        """Draw the same graph in another way."""
        self.panned = False
        self._arrange()
        self.refresh(layout=True)

    def watch_ascii(self) -> None:
        """Draw with other characters."""
        self._repaint()

    def watch_breakpoints(self, before: frozenset[str], breakpoints: frozenset[str]) -> None:
        """Mark the steps that runs stop before."""
        for name in before ^ breakpoints:
            self._repaint_step(name)

    def watch_has_focus(self, _has_focus: bool) -> None:  # noqa: FBT001
        """Show whether the arrow keys are heard here."""
        super().watch_has_focus(_has_focus)
        self._repaint_step(self.selected)

    def watch_scroll_x(self, old: float, new: float) -> None:
        """Move the graph, and what tells where one is."""
        self._paper.forget_aid()
        super().watch_scroll_x(old, new)

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Move the graph, and what tells where one is."""
        self._paper.forget_aid()
        super().watch_scroll_y(old, new)

    def watch_run(self, before: RunView | None, run: RunView | None) -> None:
        """Draw the steps and lines that changed."""
        if (before and before.id) != (run and run.id):
            self.panned = False
        if self._current_spec() != self._drawn_spec:
            self._arrange()
            return
        stood, stopped = self._steps, self._stops
        self._take_in(run)
        for box in self._paper.layout.boxes:
            changed = stood.get(box.name) is not self._steps.get(box.name)
            if changed or box.name in stopped ^ self._stops:
                self._repaint_box(box)
        self._repaint_rows(self._paper.restyle(self._scene))
        self._repaint_aid()

    def watch_selected(self, before: str | None, selected: str | None) -> None:
        """Mark the selected step and bring it into view."""
        self._repaint_step(before)
        self._repaint_step(selected)
        self._repaint_aid()
        self._show_selected()

    def notify_style_update(self) -> None:
        """Forget colours of another theme."""
        super().notify_style_update()
        self._styles.clear()
        self._paper.forget()

    def _current_spec(self) -> GraphSpec | None:
        if self.spec is not None:
            return self.spec
        return None if self.run is None else self.run.graph

    def _take_in(self, run: RunView | None) -> None:
        self._steps = {} if run is None else {step.name: step for step in run.steps}
        self._stops = paused_before(run)
        self._now = self._words.watch(self._steps) or self._now

    def _arrange(self) -> None:
        """Lay out the graph as the widget's size and mode ask, and draw all of it."""
        spec = self._current_spec()
        changed = spec != self._drawn_spec
        self._drawn_spec = spec
        layout = self._choose(self.size.height, self.size.width)
        self._take_in(self.run)
        aid = plan(layout, *self.size)
        if layout is not self._paper.layout or aid != self._paper.plan:
            if layout.mode is not self._paper.layout.mode:
                self.post_message(self.Shown())
            self._paper = Paper(layout, aid)
            width = 0 if layout.mode is Mode.LIST else layout.width
            self.virtual_size = Size(width, layout.height + aid.reserved)
            if not self.panned:
                self.call_after_refresh(self._show_selected)
        self._paper.restyle(self._scene)
        self._repaint()
        asked_for = self._rows_asked_for
        if changed and asked_for != self.get_content_height(self.size, self.app.size, self.size.width):
            self.refresh(layout=True)

    def _choose(self, height: int, width: int) -> Layout:
        spec = self._current_spec()
        if spec != self._layouts.spec:
            self._layouts = Layouts(spec)
        return self._layouts.choose(self.mode, height, width)

    # Drawing

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the rows that the graph would like to have; it depends on the definition, not on the run."""
        room = self._room(viewport)
        layout = self._choose(room, width)
        self._asked_for = layout.mode
        spare = room if room >= ROOMY else min(room, layout.height + 1)
        self._rows_asked_for = max(layout.height + plan(layout, width, spare).reserved, 1)
        return self._rows_asked_for

    def _room(self, viewport: Size) -> int:
        """Return how many rows boxes may ask for: what the parent's ``max-height`` allows, but not many."""
        pane = self.parent
        if not isinstance(pane, Widget) or not isinstance(pane.parent, Widget):
            return MOST_BOX_ROWS
        most, around = pane.styles.max_height, pane.parent.size
        if most is None or not around:
            return MOST_BOX_ROWS
        rows = int(most.resolve(around, viewport, Fraction(1))) - pane.gutter.height
        return max(min(rows, MOST_BOX_ROWS), 1)

    def render_line(self, y: int) -> Strip:
        """Return a line of the visible part."""
        return self._paper.line(self._scene, y, self._view, self.size.height, self._style)

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            blank = name == "blank"
            self._styles[name] = self.rich_style if blank else make_style(name, self.get_component_rich_style)
        return self._styles[name]

    def _repaint(self) -> None:
        self._paper.forget()
        self.refresh()

    def _repaint_rows(self, rows: Iterable[int]) -> None:
        for row in rows:
            self._paper.forget((row,))
            self.refresh_line(row)

    def _repaint_step(self, name: str | None) -> None:
        box = self._paper.layout.box(name)
        if box is not None:
            self._repaint_box(box)

    def _repaint_box(self, box: Box) -> None:
        """Draw one step again; in a list that is its whole row."""
        if self._paper.layout.mode is Mode.LIST:
            self._repaint_rows([box.y])
            return
        self._paper.forget(range(box.y, box.y + box.height))
        self.refresh(Region(box.x, box.y, box.width, box.height).translate(-self.scroll_offset))

    def _lines_of_aid(self) -> list[Strip]:
        return self._paper.aid(self._scene, self._view, self._style)

    def _repaint_aid(self) -> None:
        """Draw what tells where one is again, if it says something else now."""
        if self.aid is Aid.NONE or not self.is_mounted:
            return
        before = self._lines_of_aid()
        self._paper.forget_aid()
        rows = self._lines_of_aid()
        if rows != before:
            self.refresh(Region(0, self.size.height - len(rows), self.size.width, len(rows)))

    # Walking

    def here(self) -> str | None:
        """Return the selected step."""
        return self.selected

    def beginning(self) -> str | None:
        """Return the step that matters most."""
        if self.run is not None:
            step = self.run.failed_step or self.run.running_step
            if step is not None and self._paper.layout.box(step.name) is not None:
                return step.name
        return self._paper.layout.boxes[0].name if self._paper.layout.boxes else None

    def select(self, name: str) -> None:
        """Select a step and say so."""
        self.selected = name
        self.post_message(self.Selected(self, name))

    def choose(self, name: str, *, clicked: bool) -> None:
        """Say that the details of a step are wanted."""
        self.post_message(self.Chosen(self, name, clicked=clicked))

    def on_map(self, offset: Offset) -> bool:
        """Bring the place that a cell of the map stands for into the middle of the view."""
        row = offset.y - (self.size.height - len(self._lines_of_aid()))
        left = self.size.width - self._paper.plan.columns - 2 if self.aid is Aid.BESIDE else 0
        if self.aid in (Aid.NONE, Aid.LINE) or row < 0 or offset.x < left:
            return False
        target = self._paper.aids.target(offset.x - left, row, self.size.width)
        if target is not None:
            view = self._view
            self.pan_to(target[0] - view.width // 2, target[1] - view.height // 2)
        return True

    def _show_selected(self) -> None:
        self.panned = False
        box = self._paper.layout.box(self.selected)
        if box is not None and self.size:
            beside, above = margins(self._view, box)
            spacing = Spacing(above, beside, above + self._paper.plan.reserved, beside)
            region = Region(
                0 if self._paper.layout.mode is Mode.LIST else box.x, box.y, box.width, box.height
            )
            self.scroll_to_region(region, spacing=spacing, animate=False, force=True)
