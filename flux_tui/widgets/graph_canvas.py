"""Draws the rows of a step graph: a layout, and how each of its steps stands at the moment.

Text from data goes straight into segments; no markup parser sees it.
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from flux_tui.model.captions import (
    COMMIT_MARK,
    NOT_STARTED,
    caption,
    elapsed_text,
    glyph,
    remark,
    shown_status,
    tries_text,
)
from flux_tui.model.layout import Box, Edges, Layout, Mode
from flux_tui.model.run import StepView
from flux_tui.model.text import fit, status_word

Styles = Callable[[str], Style]

LIGHT, HEAVY = "╭─╮│╰╯", "┏━┓┃┗┛"
PLAIN_LIGHT, PLAIN_HEAVY = "+-+|++", "#=####"
PLAIN = str.maketrans("─│╭╮╰╯┬┴├┤┼▶…▸", "-|+++++++++>~>")
LOUD = frozenset({"failed", "running", "waiting", "interrupted", "suspended", "paused"})
QUIET = frozenset({"pending", "skipped", "cancelled"})
BORDER_BLEND = 0.45
WORD_CELLS = 11
TIME_CELLS = 9
TRIES_CELLS = 5
COMMIT_CELLS = 8


class Scene(Struct, kw_only=True):
    """Everything that decides what a graph looks like at one moment. ``now`` is in milliseconds."""

    layout: Layout
    steps: Mapping[str, StepView]
    selected: str | None = None
    focused: bool = False
    ascii: bool = False
    now: float = 0.0

    def status(self, name: str) -> str:
        """Return the status to draw for a step."""
        return shown_status(self.steps.get(name))


def edge_style(edges: Edges, status: Callable[[str], str]) -> str:
    """Return the style of a line: ``edge-taken`` where a run went, ``edge-skipped`` where it did not."""
    sources = {status(name) for name in edges.sources}
    targets = {status(name) for name in edges.targets}
    if sources & {"completed", "compensated"} and targets - NOT_STARTED:
        return "edge-taken"
    if sources == {"skipped"} or targets == {"skipped"}:
        return "edge-skipped"
    return "edge"


def toward_background(style: Style) -> Style:
    """Return a colour as a border has it: nearer to the background, so that the text stands out."""
    if style.color is None or style.bgcolor is None:
        return style
    front, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    return style + Style(color=front.blend(back, BORDER_BLEND).rich_color)


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

    def row(
        self, scene: Scene, y: int, edge_styles: list[str], styles: Styles, window: tuple[int, int]
    ) -> list[Segment]:
        """Return the segments of one row, from its beginning to the end of the visible ``(start, width)``."""
        if scene.layout.mode is Mode.LIST:
            row = _list_row(scene, self._boxes[y][0], styles, window[1])
        else:
            row = self._graph_row(scene, y, edge_styles, styles, window)
        if scene.ascii:
            return [Segment(segment.text.translate(PLAIN), segment.style) for segment in row]
        return row

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


def with_hints(strip: Strip, layout: Layout, start: int, style: Style, *, ascii: bool) -> Strip:  # noqa: A002
    """Say at the ends of a visible line how many steps lie beyond it; it begins at column ``start``."""
    width = strip.cell_length
    left = sum(box.x < start for box in layout.boxes)
    right = sum(box.x + box.width > start + width for box in layout.boxes)
    arrows = "<>" if ascii else "◂▸"
    before = f" {arrows[0]} {left} more " if left else ""
    after = f" {right} more {arrows[1]} " if right else ""
    if len(before) + len(after) > width:
        return strip
    middle = strip.crop(len(before), width - len(after))
    return Strip([Segment(before, style), *middle, Segment(after, style)], width)


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
    if line == 0:
        yield Segment(left_top + level * (box.width - 2) + right_top, border)
        return
    if line == box.height - 1:
        yield Segment(left_bottom + level * (box.width - 2) + right_bottom, border)
        return
    room = box.width - 4
    blank = styles("blank")
    yield Segment(upright, border)
    yield Segment(" ", blank)
    if line == 1:
        yield from _title(scene, box, room, styles)
    else:
        text = caption(scene.steps.get(box.name), box.node, room, scene.now, ascii=scene.ascii)
        indent = "  " if cell_len(text) + 2 <= room else ""
        name = status if status in LOUD else "caption-quiet" if status in QUIET else "caption"
        yield Segment(fit(indent + text, room), styles(name))
    yield Segment(" ", blank)
    yield Segment(upright, border)


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
        label += Style(bold=True)
    yield Segment(fit(box.label, room - 2), label)


def _compact_row(scene: Scene, box: Box, _line: int, styles: Styles) -> Iterator[Segment]:
    selected = scene.selected == box.name
    edge = styles("selected" if scene.focused else f"selected-{scene.status(box.name)}")
    yield Segment("[" if selected else " ", edge if selected else styles("blank"))
    yield from _title(scene, box, box.width - 2, styles)
    yield Segment("]" if selected else " ", edge if selected else styles("blank"))


def _list_row(scene: Scene, box: Box, styles: Styles, width: int) -> list[Segment]:
    """Return a row of the list; what went wrong or why a step was skipped takes the room that is left."""
    step, status = scene.steps.get(box.name), scene.status(box.name)
    quiet = styles("caption-quiet" if status in QUIET else "caption")
    marker = "▸ " if scene.selected == box.name else "  "
    row = [Segment(marker, styles("selected"))]
    if any(other.bracket for other in scene.layout.boxes):
        row.append(Segment(f"{box.bracket or ' '} ", styles("edge")))
    row += _title(scene, box, scene.layout.width + 2, styles)
    time = "" if step is None else elapsed_text(step, scene.now)
    tries = "" if step is None else tries_text(step)
    row.append(Segment("  " + fit(status_word(status), WORD_CELLS), styles(status)))
    row.append(Segment(f"{time:>{TIME_CELLS}}  {fit(tries, TRIES_CELLS)}", quiet))
    if any(other.node.commit for other in scene.layout.boxes):
        commit = f"{COMMIT_MARK[scene.ascii]} commit" if box.node.commit else ""
        row.append(Segment(" " + fit(commit, COMMIT_CELLS), quiet))
    room = width - sum(segment.cell_length for segment in row) - 2
    note = remark(step)
    if note and room > 0:
        row.append(Segment("  " + fit(note, room), styles("failed" if status == "failed" else "caption")))
    return row
