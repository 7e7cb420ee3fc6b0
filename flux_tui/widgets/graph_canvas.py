"""Draws the rows of a step graph: a layout, and how each of its steps stands at the moment.

Text from data goes straight into segments; no markup parser sees it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from flux_tui.model.captions import face, glyph, shown_status
from flux_tui.model.crumbs import BACK, FORWARD
from flux_tui.model.layout import Box, Layout, Mode
from flux_tui.model.run import StepView
from flux_tui.model.text import fit
from flux_tui.widgets.graph_list import Columns, list_row
from flux_tui.widgets.graph_styles import BOLD, LOUD, QUIET, Styles

LIGHT, HEAVY = "╭─╮│╰╯", "┏━┓┃┗┛"
PLAIN_LIGHT, PLAIN_HEAVY = "+-+|++", "#=####"
PLAIN: Final = str.maketrans(f"─│╭╮╰╯┬┴├┤┼▶…▸◆●⏸↩·↑↓━┃{BACK}{FORWARD}", "-|+++++++++>~>+*=<.^v=#<>")
BREAKPOINT, STOP, COMPENSATES = "●", "⏸", "↩"


class Scene(Struct, kw_only=True):
    """Everything that decides what a graph looks like at one moment. ``now`` is in milliseconds.

    ``stops`` are the steps that a paused run stands before.
    """

    layout: Layout
    steps: Mapping[str, StepView]
    selected: str | None = None
    focused: bool = False
    breakpoints: frozenset[str] = frozenset()
    stops: frozenset[str] = frozenset()
    ascii: bool = False
    now: float = 0.0

    def status(self, name: str) -> str:
        """Return the status to draw for a step."""
        return shown_status(self.steps.get(name))

    def mark(self, name: str) -> str:
        """Return the sign of a breakpoint, or of a run that stands before the step; empty without either."""
        if name in self.stops:
            return STOP
        return BREAKPOINT if name in self.breakpoints else ""


class Canvas:
    """Paints rows of a scene. ``edge_styles`` has the style of each of the layout's edges."""

    def __init__(self, layout: Layout) -> None:
        self._boxes: list[list[Box]] = [[] for _ in range(layout.height)]
        for box in layout.boxes:
            for row in range(box.y, box.y + box.height):
                self._boxes[row].append(box)
        self.rows_of_edge: dict[int, set[int]] = {}
        for row, strokes in enumerate(layout.strokes):
            for stroke in strokes:
                for edge in stroke.edges:
                    self.rows_of_edge.setdefault(edge, set()).add(row)
        self._columns = Columns.of(layout) if layout.mode is Mode.LIST else Columns()

    def row(
        self, scene: Scene, y: int, edge_styles: list[str], styles: Styles, window: tuple[int, int]
    ) -> list[Segment]:
        """Return the segments of one row, from its beginning to the end of the visible ``(start, width)``."""
        if scene.layout.mode is Mode.LIST:
            box = self._boxes[y][0]
            title = list(_title(scene, box, self._columns.name(window[1]), styles))
            row = list_row(scene, box, title, styles, columns=self._columns, width=window[1])
        else:
            row = self._graph_row(scene, y, edge_styles, styles, window)
        return plain(row) if scene.ascii else row

    def cuts(self, y: int, x: int) -> bool:
        """Whether the edge of the view before column ``x`` goes through the text of a step on a row."""
        return any(box.row == y and box.x < x < box.x + box.width for box in self._boxes[y])

    def _graph_row(
        self, scene: Scene, y: int, edge_styles: list[str], styles: Styles, window: tuple[int, int]
    ) -> list[Segment]:
        start, width = window
        pieces: list[tuple[int, list[Segment]]] = []
        for stroke in scene.layout.strokes[y]:
            if stroke.x < start + width and stroke.x + len(stroke.text) > start:
                names = {edge_styles[edge] for edge in stroke.edges}
                name = next(name for name in ("edge-taken", "edge", "edge-skipped") if name in names)
                pieces.append((stroke.x, [Segment(stroke.text, styles(name))]))
        draw = _box_row if scene.layout.mode is Mode.BOXES else _compact_row
        pieces += [
            (box.x, list(draw(scene, box, y - box.y, styles)))
            for box in self._boxes[y]
            if box.x < start + width and box.x + box.width > start
        ]
        return list(_side_by_side(pieces, styles("blank")))


def plain(row: list[Segment]) -> list[Segment]:
    """Return segments with the characters of ASCII in the place of those that draw."""
    return [Segment(segment.text.translate(PLAIN), segment.style) for segment in row]


def _side_by_side(pieces: list[tuple[int, list[Segment]]], blank: Style) -> Iterator[Segment]:
    x = 0
    for start, segments in sorted(pieces, key=lambda piece: piece[0]):
        if start > x:
            yield Segment(" " * (start - x), blank)
        yield from segments
        x = start + sum(segment.cell_length for segment in segments)


def _box_row(scene: Scene, box: Box, line: int, styles: Styles) -> Iterator[Segment]:
    status, selected = scene.status(box.name), scene.selected == box.name
    border = styles(_border_name(status, selected=selected, focused=scene.focused))
    looks = (PLAIN_LIGHT, PLAIN_HEAVY) if scene.ascii else (LIGHT, HEAVY)
    left_top, level, right_top, upright, left_bottom, right_bottom = tuple(looks[selected])
    name = status if status in LOUD else "caption-quiet" if status in QUIET else "caption"
    if line == 0:
        yield Segment(left_top, border)
        yield from _upper_edge(scene, box, level, styles, border)
        yield Segment(right_top, border)
        return
    room = box.width - 4
    said = face(scene.steps.get(box.name), box.node, room, scene.now, ascii=scene.ascii)
    if line == box.height - 1:
        yield Segment(left_bottom, border)
        if said.note:
            yield Segment(f" {said.note} ", styles(name))
        used = cell_len(said.note) + 2 if said.note else 0
        yield Segment(level * (box.width - 2 - used) + right_bottom, border)
        return
    blank = styles("blank")
    yield Segment(upright, border)
    yield Segment(" ", blank)
    if line == 1:
        yield from _title(scene, box, room, styles)
    else:
        indent = "  " if cell_len(said.caption) + 2 <= room else ""
        step = scene.steps.get(box.name)
        lost = step is not None and step.compensation == "failed"
        yield Segment(fit(indent + said.caption, room), styles("failed" if lost else name))
    yield Segment(" ", blank)
    yield Segment(upright, border)


def _upper_edge(scene: Scene, box: Box, level: str, styles: Styles, border: Style) -> Iterator[Segment]:
    """Yield the upper edge between its corners: a breakpoint or where a run stands, and a compensation."""
    room = box.width - 2
    mark = scene.mark(box.name)
    if mark == STOP:
        style = styles("selected-suspended")
        words = " paused before " if room > len(" paused before ") + 1 else " paused "
        sign = (
            Segment(BREAKPOINT, styles("breakpoint"))
            if box.name in scene.breakpoints
            else Segment(STOP, style)
        )
        yield sign
        yield Segment(words, style)
        room -= 1 + len(words)
    elif mark:
        yield Segment(mark, styles("breakpoint"))
        room -= 1
    undoes = box.node.compensates and scene.status(box.name) not in ("compensated", "compensating")
    yield Segment(level * (room - 2 * undoes), border)
    if undoes:
        yield Segment(COMPENSATES, styles("caption"))
        yield Segment(level, border)


def _border_name(status: str, *, selected: bool, focused: bool) -> str:
    if selected:
        return "selected" if focused else f"selected-{status}"
    return f"border-{status}"


def _title(scene: Scene, box: Box, room: int, styles: Styles) -> Iterator[Segment]:
    status = scene.status(box.name)
    name = status if status == "failed" else "name-quiet" if status in QUIET else "name"
    yield Segment(glyph(status, scene.now, ascii=scene.ascii), styles(status))
    yield Segment(" ", styles("blank"))
    label = styles(name)
    if scene.selected == box.name or status in LOUD:
        label += BOLD
    yield Segment(fit(box.label, room - 2), label)


def _compact_row(scene: Scene, box: Box, _line: int, styles: Styles) -> Iterator[Segment]:
    """Yield a step on one line; a mark takes the place of the bracket in front of a selected step."""
    selected = scene.selected == box.name
    edge = styles("selected" if scene.focused else f"selected-{scene.status(box.name)}")
    blank, mark = styles("blank"), scene.mark(box.name)
    if mark:
        yield Segment(mark, styles("selected-suspended" if mark == STOP else "breakpoint"))
    else:
        yield Segment("[" if selected else " ", edge if selected else blank)
    yield from _title(scene, box, box.width - 2, styles)
    yield Segment("]" if selected else " ", edge if selected else blank)
