"""What of a step graph is drawn already: the rows in view, kept until something in them changes."""

from collections.abc import Iterable
from typing import Final

from rich.segment import Segment
from textual.strip import Strip

from flux_tui.model.layout import Layout, Mode
from flux_tui.model.overview import Aid, Plan, View
from flux_tui.widgets.graph_aids import Aids
from flux_tui.widgets.graph_canvas import Canvas, Scene, plain
from flux_tui.widgets.graph_styles import Styles, edge_style

MARKS: Final = 2


class Paper:
    """The drawn rows of one layout, and of what helps to find one's way in it."""

    def __init__(self, layout: Layout, plan: Plan) -> None:
        self.layout = layout
        self.aids = Aids(layout, plan)
        self._canvas = Canvas(layout)
        self._edge_styles: list[str] = []
        self._strips: dict[int, Strip] = {}
        self._window = (0, 0)
        self._aid: list[Strip] | None = None

    @property
    def plan(self) -> Plan:
        """Which aid there is."""
        return self.aids.plan

    def forget(self, rows: Iterable[int] | None = None) -> None:
        """Have rows of the graph drawn anew, or (``None``) all of them and the aid."""
        if rows is None:
            self._strips.clear()
            self._aid = None
            return
        for row in rows:
            self._strips.pop(row, None)

    def forget_aid(self) -> None:
        """Have the aid drawn anew."""
        self._aid = None

    def restyle(self, scene: Scene) -> set[int]:
        """Give the lines the styles that they have now; return the rows on which one has changed."""
        before = self._edge_styles
        self._edge_styles = [edge_style(edges, scene.status) for edges in self.layout.edges]
        if len(before) != len(self._edge_styles):
            return set(range(self.layout.height))
        rows: set[int] = set()
        for edge, (old, new) in enumerate(zip(before, self._edge_styles, strict=True)):
            if old != new:
                rows |= self._canvas.rows_of_edge.get(edge, set())
        return rows

    def line(self, scene: Scene, y: int, view: View, height: int, styles: Styles) -> Strip:
        """Return a line of the place, which is ``height`` rows high."""
        if not self.layout.boxes:
            text = "No steps to show." if y == 0 else ""
            blank = styles("blank")
            return Strip([Segment(text, styles("empty"))]).extend_cell_length(view.width, blank)
        rows = self.aid(scene, view, styles)
        at = y - (height - len(rows))
        if at < 0:
            return self._graph_line(scene, y, view, styles)
        if self.plan.aid is Aid.BESIDE:
            left = view.width - rows[at].cell_length
            return Strip.join([self._graph_line(scene, y, view, styles).crop(0, left), rows[at]])
        return rows[at]

    def _graph_line(self, scene: Scene, y: int, view: View, styles: Styles) -> Strip:
        row = y + view.y
        if row >= self.layout.height:
            return Strip.blank(view.width, styles("blank"))
        if self._window != (view.x, view.width):
            self._window = view.x, view.width
            self._strips.clear()
        if row not in self._strips:
            segments = self._canvas.row(scene, row, self._edge_styles, styles, self._window)
            end = view.x + view.width
            strip = Strip(segments).crop_extend(view.x, end, styles("blank"))
            self._strips[row] = self._marked(strip, row, view, scene, styles)
        return self._strips[row]

    def _marked(self, strip: Strip, row: int, view: View, scene: Scene, styles: Styles) -> Strip:
        """Show at the ends of a line that the text of a step goes on beyond it."""
        if self.layout.mode is Mode.LIST or view.width < MARKS:
            return strip
        dots = Strip(plain([Segment("…", styles("hint"))]) if scene.ascii else [Segment("…", styles("hint"))])
        if self._canvas.cuts(row, view.x):
            strip = Strip.join([dots, strip.crop(1)])
        if self._canvas.cuts(row, view.x + view.width):
            strip = Strip.join([strip.crop(0, view.width - 1), dots])
        return strip

    def aid(self, scene: Scene, view: View, styles: Styles) -> list[Strip]:
        """Return the rows of the aid, at the lower end of the place."""
        if self._aid is None:
            self._aid = self.aids.lines(scene, view, view.width, styles)
        return self._aid
