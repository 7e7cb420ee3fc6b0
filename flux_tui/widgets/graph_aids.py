"""Draws what helps to find one's way in a graph that does not fit: a map of all of it, or the line below."""

from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from flux_tui.model.captions import MOVING, caption, shown_status
from flux_tui.model.crumbs import SEPARATOR, Crumbs, counts, crumbs
from flux_tui.model.layout import Layout, Mode
from flux_tui.model.overview import Aid, Hidden, Overview, Plan, View, hidden
from flux_tui.model.text import status_glyph
from flux_tui.widgets.graph_canvas import Scene, plain
from flux_tui.widgets.graph_styles import BOLD, Styles

LEAST_NAMES: Final = 24
REMARK_CELLS: Final = 32
SPACE: Final = 2


class Aids:
    """The aid of one layout in one place. ``plan`` says which it is and how much room it takes."""

    def __init__(self, layout: Layout, plan: Plan) -> None:
        self.plan = plan
        self._layout = layout
        drawn = plan.aid in (Aid.BESIDE, Aid.BELOW)
        self._overview = Overview(layout, plan.columns, plan.rows) if drawn else None

    def lines(self, scene: Scene, view: View, width: int, styles: Styles) -> list[Strip]:
        """Return the aid's rows: over the whole width of the place, or the map alone if it is beside."""
        off = hidden(self._layout, view)
        if self.plan.aid is Aid.LINE:
            return [_strip(_line(self._crumbs(scene, off, width), width, styles), scene)]
        if self._overview is None:
            return []
        map_rows = _map(self._overview, scene, view, off, styles)
        if self.plan.aid is Aid.BESIDE:
            return [_strip(row, scene) for row in map_rows]
        left = width - self.plan.columns - 2
        beside: list[list[Segment]] = [[Segment(" " * left, styles("blank"))] for _ in map_rows]
        if left > LEAST_NAMES:
            said = self._crumbs(scene, Hidden(), left - SPACE)
            beside[len(map_rows) // 2] = [
                *_names(said, styles),
                Segment(" " * (left - said.width), styles("blank")),
            ]
        return [_strip([*before, *row], scene) for before, row in zip(beside, map_rows, strict=True)]

    def target(self, x: int, y: int, width: int) -> tuple[int, int] | None:
        """Return the place in the layout that a cell of the aid stands for, if it is one of the map."""
        first = 0 if self.plan.aid is Aid.BESIDE else width - self.plan.columns - 2
        column, row = x - first - 1, y - 1
        if self._overview is None or not (0 <= column < self.plan.columns and 0 <= row < self.plan.rows):
            return None
        return self._overview.target(column, row)

    def _crumbs(self, scene: Scene, off: Hidden, width: int) -> Crumbs:
        return crumbs(self._layout, scene.selected, off, width, remark=self._remark(scene))

    def _remark(self, scene: Scene) -> str:
        """Return how the selected step stands, where there are no boxes to say so; nothing that moves."""
        step, box = scene.steps.get(scene.selected or ""), self._layout.box(scene.selected)
        if self._layout.mode is not Mode.COMPACT or box is None:
            return ""
        status = shown_status(step)
        if status in MOVING:
            return status
        said = caption(step, box.node, REMARK_CELLS, scene.now, ascii=scene.ascii)
        return f"{status} · {said}" if status in ("completed", "pending") and said else said or status


def _strip(segments: list[Segment], scene: Scene) -> Strip:
    return Strip(plain(segments) if scene.ascii else segments)


def _line(said: Crumbs, width: int, styles: Styles) -> list[Segment]:
    """Return the line: counts at its ends, and the names in the middle of what is left."""
    hint, blank = styles("hint"), styles("blank")
    between = width - cell_len(said.before) - cell_len(said.after)
    gap = (between - said.width) // 2
    return [
        Segment(said.before, hint),
        Segment(" " * gap, blank),
        *_names(said, styles),
        Segment(" " * (between - said.width - gap), blank),
        Segment(said.after, hint),
    ]


def _names(said: Crumbs, styles: Styles) -> list[Segment]:
    segments: list[Segment] = []
    for place, name in enumerate(said.names):
        if place:
            segments.append(Segment(SEPARATOR, styles("frame")))
        segments.append(Segment(name, styles("name") + BOLD if place == said.here else styles("hint")))
    return segments


def _map(overview: Overview, scene: Scene, view: View, off: Hidden, styles: Styles) -> list[list[Segment]]:
    """Return the rows of the map. Its frame is heavy along what is in view, if not all is."""
    across, down = overview.in_view(view)
    seen_across = across if off.left or off.right else range(0)
    seen_down = down if off.above or off.below else range(0)
    before, after = counts(off, worded=False)
    statuses = overview.statuses(scene.status)
    here = overview.place_of(scene.selected)
    frame, heavy = styles("frame"), styles("frame-view")
    rows = [_edge("╭╮", before, overview.columns, seen_across, styles, at_end=False)]
    for y in range(overview.rows):
        side = Segment("┃", heavy) if y in seen_down else Segment("│", frame)
        row = [side]
        for x in range(overview.columns):
            status = statuses.get((x, y))
            if status is None:
                row.append(Segment(" ", styles("blank")))
            elif (x, y) == here:
                row.append(Segment(status_glyph(status, scene.ascii), styles("here")))
            else:
                row.append(Segment(status_glyph(status, scene.ascii), styles(status)))
        rows.append([*row, side])
    rows.append(_edge("╰╯", after, overview.columns, seen_across, styles, at_end=True))
    return rows


def _edge(
    corners: str, text: str, columns: int, seen: range, styles: Styles, *, at_end: bool
) -> list[Segment]:
    """Return the upper or lower edge of the map, with what lies off the view at one of its ends."""
    frame, heavy = styles("frame"), styles("frame-view")
    cells = [Segment("━", heavy) if x in seen else Segment("─", frame) for x in range(columns)]
    said = [Segment(character, styles("hint")) for character in f" {text} "] if text else []
    if len(said) < columns - 1:
        start = columns - 1 - len(said) if at_end else 1
        cells[start : start + len(said)] = said
    return [Segment(corners[0], frame), *cells, Segment(corners[1], frame)]
