"""The step graph: how a run goes through its workflow, live.

The widget draws lines on demand and keeps them; a change repaints only the rows and regions that it
touches. Nothing in it moves but the running step, and that only when the application's clock calls
``tick``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size, Spacing
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from flux_tui.model.layout import Box, Layout, Mode
from flux_tui.model.layouts import AUTO, Layouts
from flux_tui.widgets.graph_canvas import Canvas, Scene, edge_style, toward_background, with_hints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events

    from flux_tui.model.run import GraphSpec, RunView, StepView

MOST_BOX_ROWS = 17
BOLD = Style(bold=True)
PAN_MARGIN = Spacing(0, 6, 0, 6)


class StepGraph(ScrollView, can_focus=True):
    """Draws the steps of ``run``, or of ``spec`` before there is a run, and walks them with the arrow keys.

    ``mode`` is ``boxes``, ``compact``, ``list``, or ``auto``: boxes where they fit in height, else compact.
    ``selected`` is the name of a step; it changes only by the user or by the application.
    """

    DEFAULT_CSS = """
    StepGraph {
        height: auto;
        max-height: 100%;
        padding: 0 1;
        overflow: auto auto;
        scrollbar-size-horizontal: 0;
        scrollbar-size-vertical: 1;
        background: $surface;
        color: $foreground;
    }
    StepGraph > .step-graph--completed { color: $text-success; }
    StepGraph > .step-graph--failed { color: $text-error; }
    StepGraph > .step-graph--running { color: $text-accent; }
    StepGraph > .step-graph--waiting { color: $text-warning; }
    StepGraph > .step-graph--suspended { color: $text-warning; }
    StepGraph > .step-graph--interrupted { color: $text-warning; }
    StepGraph > .step-graph--compensated { color: $text-secondary; }
    StepGraph > .step-graph--cancelled { color: $foreground 60%; }
    StepGraph > .step-graph--pending { color: $foreground 60%; }
    StepGraph > .step-graph--skipped { color: $foreground 45%; }
    StepGraph > .step-graph--name { color: $foreground; }
    StepGraph > .step-graph--name-quiet { color: $foreground 65%; }
    StepGraph > .step-graph--caption { color: $foreground 65%; }
    StepGraph > .step-graph--caption-quiet { color: $foreground 50%; }
    StepGraph > .step-graph--edge { color: $foreground 45%; }
    StepGraph > .step-graph--edge-taken { color: $text-success; }
    StepGraph > .step-graph--edge-skipped { color: $foreground 25%; }
    StepGraph > .step-graph--selected { color: $text-primary; text-style: bold; }
    StepGraph > .step-graph--hint { color: $text-primary; background: $primary-muted; }
    StepGraph > .step-graph--empty { color: $text-muted; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"step-graph--{name}"
        for name in (
            *("completed", "failed", "running", "waiting", "suspended", "interrupted", "compensated"),
            *("cancelled", "pending", "skipped", "name", "name-quiet", "caption", "caption-quiet"),
            *("edge", "edge-taken", "edge-skipped", "selected", "hint", "empty"),
        )
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "walk('left')", "Step to the left", id="graph.left", show=False),
        Binding("right,l", "walk('right')", "Step to the right", id="graph.right", show=False),
        Binding("up,k", "walk('up')", "Step above", id="graph.up", show=False),
        Binding("down,j", "walk('down')", "Step below", id="graph.down", show=False),
        Binding("home", "first", "First step", id="graph.first", show=False),
        Binding("end", "last", "Last step", id="graph.last", show=False),
    ]

    run: reactive[RunView | None] = reactive(None, repaint=False)
    spec: reactive[GraphSpec | None] = reactive(None, repaint=False)
    selected: reactive[str | None] = reactive(None, repaint=False)
    mode: reactive[str] = reactive(AUTO, repaint=False)
    ascii: reactive[bool] = reactive(default=False, repaint=False)

    class Selected(Message):
        """The user selected a step."""

        def __init__(self, graph: StepGraph, step: str) -> None:
            super().__init__()
            self.graph = graph
            self.step = step

        @property
        def control(self) -> StepGraph:
            """The graph that sent this."""
            return self.graph

    def __init__(
        self,
        run: RunView | None = None,
        *,
        spec: GraphSpec | None = None,
        mode: str = AUTO,
        ascii: bool = False,  # noqa: A002
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.set_reactive(StepGraph.run, run)
        self.set_reactive(StepGraph.spec, spec)
        self.set_reactive(StepGraph.mode, mode)
        self.set_reactive(StepGraph.ascii, ascii)
        self._drawn_spec: GraphSpec | None = None
        self._layouts = Layouts(None)
        self._layout = Layout(mode=Mode.BOXES)
        self._canvas = Canvas(self._layout)
        self._asked_for = Mode.BOXES
        self._steps: dict[str, StepView] = {}
        self._edge_styles: list[str] = []
        self._window = (0, 0)
        self._strips: dict[int, Strip] = {}
        self._styles: dict[str, Style] = {}
        self._now = 0.0

    @property
    def shown_mode(self) -> Mode:
        """The mode in which the graph is drawn now."""
        return self._layout.mode

    @property
    def geometry(self) -> Layout:
        """The layout that is drawn now."""
        return self._layout

    @property
    def animated(self) -> bool:
        """Whether a step is in progress, so that ``tick`` has something to move."""
        return any(self._scene.status(box.name) in ("running", "waiting") for box in self._layout.boxes)

    @property
    def _scene(self) -> Scene:
        return Scene(
            layout=self._layout,
            steps=self._steps,
            selected=self.selected,
            focused=self.has_focus,
            ascii=self.ascii,
            now=self._now,
        )

    def tick(self, now_ms: float) -> None:
        """Draw the steps in progress as they stand at ``now_ms``, and nothing else."""
        self._now = now_ms
        scene = self._scene
        for box in self._layout.boxes:
            if scene.status(box.name) in ("running", "waiting"):
                self._repaint_box(box)

    # What changes, and what has to be drawn again for it

    def on_mount(self) -> None:
        """Draw what the constructor was given."""
        self._arrange()

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
        self._arrange()

    def watch_ascii(self) -> None:
        """Draw with other characters."""
        self._repaint()

    def watch_has_focus(self, _has_focus: bool) -> None:  # noqa: FBT001
        """Show whether the arrow keys are heard here."""
        super().watch_has_focus(_has_focus)
        self._repaint_step(self.selected)

    def watch_run(self) -> None:
        """Draw the steps and lines that changed."""
        if self._current_spec() != self._drawn_spec:
            self._arrange()
            return
        before = self._steps
        self._steps = {} if self.run is None else {step.name: step for step in self.run.steps}
        for box in self._layout.boxes:
            if before.get(box.name) is not self._steps.get(box.name):
                self._repaint_box(box)
        styles = self._styles_of_edges()
        for edge, (old, new) in enumerate(zip(self._edge_styles, styles, strict=True)):
            if old != new:
                self._repaint_rows(self._canvas.rows_of_edge.get(edge, set()))
        self._edge_styles = styles

    def watch_selected(self, before: str | None, selected: str | None) -> None:
        """Mark the selected step and bring it into view."""
        self._repaint_step(before)
        self._repaint_step(selected)
        self._show_selected()

    def notify_style_update(self) -> None:
        """Forget colours of another theme."""
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def _current_spec(self) -> GraphSpec | None:
        if self.spec is not None:
            return self.spec
        return None if self.run is None else self.run.graph

    def _arrange(self) -> None:
        """Lay out the graph as the widget's size and mode ask, and draw all of it."""
        spec = self._current_spec()
        changed = spec != self._drawn_spec
        self._drawn_spec = spec
        layout = self._choose(self.size.height, self.size.width)
        self._steps = {} if self.run is None else {step.name: step for step in self.run.steps}
        if layout is not self._layout:
            self._layout = layout
            self._canvas = Canvas(layout)
            self.virtual_size = Size(0 if layout.mode is Mode.LIST else layout.width, layout.height)
            self.call_after_refresh(self._show_selected)
        self._edge_styles = self._styles_of_edges()
        self._repaint()
        if changed:
            self.refresh(layout=True)

    def _choose(self, height: int, width: int) -> Layout:
        spec = self._current_spec()
        if spec != self._layouts.spec:
            self._layouts = Layouts(spec)
        return self._layouts.choose(self.mode, height, width)

    def _styles_of_edges(self) -> list[str]:
        scene = self._scene
        return [edge_style(edges, scene.status) for edges in self._layout.edges]

    # Drawing

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the rows that the graph would like to have; it depends on the definition, not on the run."""
        layout = self._choose(self._room(viewport), width)
        self._asked_for = layout.mode
        return max(layout.height + (layout.mode is not Mode.LIST and layout.width > width), 1)

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
        scroll_x, scroll_y = self.scroll_offset
        width, row = self.size.width, y + scroll_y
        if not self._layout.boxes:
            text = "No steps to show." if y == 0 else ""
            return Strip([Segment(text, self._style("empty"))]).extend_cell_length(
                width, self._style("blank")
            )
        if row < self._layout.height:
            if self._window != (scroll_x, width):
                self._window = scroll_x, width
                self._strips.clear()
            if row not in self._strips:
                segments = self._canvas.row(self._scene, row, self._edge_styles, self._style, self._window)
                self._strips[row] = Strip(segments).crop_extend(
                    scroll_x, scroll_x + width, self._style("blank")
                )
            strip = self._strips[row]
        else:
            strip = Strip.blank(width, self._style("blank"))
        hint_row = min(self._layout.height - scroll_y, self.size.height - 1)
        if y != hint_row or self._layout.mode is Mode.LIST or self._layout.width <= width:
            return strip
        return with_hints(strip, self._layout, scroll_x, self._style("hint"), ascii=self.ascii)

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            self._styles[name] = self._make_style(name)
        return self._styles[name]

    def _make_style(self, name: str) -> Style:
        if name == "blank":
            return self.rich_style
        kind, _, status = name.partition("-")
        if kind == "border":
            return toward_background(self._style(status))
        if kind == "selected" and status:
            return self._style(status) + BOLD
        known = f"step-graph--{'suspended' if name == 'paused' else name}"
        return self.get_component_rich_style(
            known if known in self.COMPONENT_CLASSES else "step-graph--pending"
        )

    def _repaint(self) -> None:
        self._strips.clear()
        self.refresh()

    def _repaint_rows(self, rows: Iterable[int]) -> None:
        for row in rows:
            self._strips.pop(row, None)
            self.refresh_line(row)

    def _repaint_step(self, name: str | None) -> None:
        box = self._layout.box(name)
        if box is not None:
            self._repaint_box(box)

    def _repaint_box(self, box: Box) -> None:
        """Draw one step again; in a list that is its whole row."""
        if self._layout.mode is Mode.LIST:
            self._repaint_rows([box.y])
            return
        for row in range(box.y, box.y + box.height):
            self._strips.pop(row, None)
        self.refresh(Region(box.x, box.y, box.width, box.height).translate(-self.scroll_offset))

    # Walking

    def action_walk(self, way: str) -> None:
        """Select the step beside the selected one; the first time, the one that matters most."""
        if self._layout.box(self.selected) is None:
            self._select(self._most_interesting())
            return
        beside = self._layout.neighbours[self.selected or ""]
        self._select(getattr(beside, way))

    def action_first(self) -> None:
        """Select the first step."""
        self._select(self._layout.boxes[0].name if self._layout.boxes else None)

    def action_last(self) -> None:
        """Select the last step."""
        self._select(self._layout.boxes[-1].name if self._layout.boxes else None)

    def on_click(self, event: events.Click) -> None:
        """Select the step under the mouse."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        x, y = offset + self.scroll_offset
        box = self._layout.box_at(0 if self._layout.mode is Mode.LIST else x, y)
        if box is not None:
            self._select(box.name)

    def _most_interesting(self) -> str | None:
        if self.run is not None:
            step = self.run.failed_step or self.run.running_step
            if step is not None and self._layout.box(step.name) is not None:
                return step.name
        return self._layout.boxes[0].name if self._layout.boxes else None

    def _select(self, name: str | None) -> None:
        if name is not None and name != self.selected:
            self.selected = name
            self.post_message(self.Selected(self, name))

    def _show_selected(self) -> None:
        box = self._layout.box(self.selected)
        if box is not None and self.size:
            region = Region(0 if self._layout.mode is Mode.LIST else box.x, box.y, box.width, box.height)
            self.scroll_to_region(region, spacing=PAN_MARGIN, animate=False, force=True)
