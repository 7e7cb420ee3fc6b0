"""What helps to find one's way in a graph that does not fit: a map of all of it, or what lies where.

A map needs room, and is worth it only when much is hidden; otherwise one line says how many steps lie
off each side, and which are next to the selected one. Compact lines have that line wherever there is room,
for it also says in words how the selected step stands.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from flux_tui.model.layout import Box, Layout, Mode

LEAST_WIDTH: Final = 8
MOST_ROWS_BELOW: Final = 4
MOST_ROWS_BESIDE: Final = 12
LEAST_GRAPH_ROWS: Final = 4
MARGIN: Final = (24, 4)
GAP: Final = 1
FRAME: Final = 2
MOST_SHOWN: Final = 0.5
"""How much of the length or height of a graph may be in view when a map is worth its room."""

WEIGHT: Final = (
    *("failed", "interrupted", "in doubt", "running", "compensating", "waiting", "suspended", "paused"),
    *("cancelled", "pending", "compensated", "completed", "skipped"),
)
"""The statuses in the order in which they are shown where several steps share a place on the map."""


class Aid(StrEnum):
    """What helps: nothing, a line, a map beside the graph, or a map below it."""

    NONE = "none"
    LINE = "line"
    BESIDE = "beside"
    BELOW = "below"


class View(Struct, frozen=True):
    """The part of a layout that is in view, in its cells."""

    x: int
    y: int
    width: int
    height: int


class Plan(Struct, frozen=True):
    """Which aid there is, and for a map its columns and rows inside the frame."""

    aid: Aid = Aid.NONE
    columns: int = 0
    rows: int = 0

    @property
    def reserved(self) -> int:
        """The rows at the lower end of the place that the aid takes from the graph."""
        if self.aid is Aid.LINE:
            return 1
        return self.rows + FRAME if self.aid is Aid.BELOW else 0


class Hidden(Struct, frozen=True):
    """How many steps lie off each side, at least in part."""

    left: int = 0
    right: int = 0
    above: int = 0
    below: int = 0

    @property
    def any(self) -> bool:
        """Whether anything is hidden."""
        return bool(self.left or self.right or self.above or self.below)


def plan(layout: Layout, width: int, height: int) -> Plan:
    """Return the aid that a layout needs in a place of this size."""
    wide, high = layout.mode is not Mode.LIST and layout.width > width, layout.height > height
    if not layout.boxes or width <= 0 or height <= 1:
        return Plan()
    if not (wide or high):
        return Plan(Aid.LINE) if layout.mode is Mode.COMPACT and layout.height < height else Plan()
    hides_much = width < layout.width * MOST_SHOWN or height < layout.height * MOST_SHOWN
    if layout.mode is Mode.LIST or not hides_much:
        return Plan(Aid.LINE)
    return (_below if wide else _beside)(layout, width, height) or Plan(Aid.LINE)


def _beside(layout: Layout, width: int, height: int) -> Plan | None:
    """Return a map in the free columns beside the graph, if there are enough."""
    columns, rows = _extent(layout)
    if layout.width + GAP + columns + FRAME > width or height <= FRAME:
        return None
    return Plan(Aid.BESIDE, columns, min(rows, MOST_ROWS_BESIDE, height - FRAME))


def _below(layout: Layout, width: int, height: int) -> Plan | None:
    """Return a map below the graph, if that leaves the graph enough rows."""
    columns, rows = _extent(layout)
    if columns > width - FRAME:
        columns = min(columns // 2, width - FRAME)
    spare = height - FRAME - min(layout.height, 2 * LEAST_GRAPH_ROWS)
    if spare < 1 or columns < LEAST_WIDTH:
        return None
    return Plan(Aid.BELOW, columns, min(rows, MOST_ROWS_BELOW, spare))


def _extent(layout: Layout) -> tuple[int, int]:
    """Return the columns and rows of a map on which each step has a place of its own."""
    columns = 2 * len({box.column for box in layout.boxes}) + 1
    return max(columns, LEAST_WIDTH), len({box.row for box in layout.boxes})


def margins(view: View, box: Box) -> tuple[int, int]:
    """Return how many columns and rows of the view stay free around a step that is brought into it."""
    return (
        max(min(MARGIN[0], view.width // 4, (view.width - box.width) // 2), 0),
        max(min(MARGIN[1], view.height // 4, (view.height - box.height) // 2), 0),
    )


def hidden(layout: Layout, view: View) -> Hidden:
    """Count the steps off each side of the part in view; one that is cut by an edge counts as off it.

    Above and below, one whose text is in view counts as seen, if only a line of its frame is not.
    """
    across = layout.mode is not Mode.LIST
    return Hidden(
        left=sum(across and box.x < view.x for box in layout.boxes),
        right=sum(across and box.x + box.width > view.x + view.width for box in layout.boxes),
        above=sum(box.row < view.y for box in layout.boxes),
        below=sum(box.y + box.height - (box.row - box.y) > view.y + view.height for box in layout.boxes),
    )


class Overview:
    """The places of all steps on a map of some size, the columns of the graph at equal distances."""

    def __init__(self, layout: Layout, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._height = layout.height
        self._spans: dict[int, tuple[int, int]] = {}
        self._places: dict[str, tuple[int, int]] = {}
        for box in layout.boxes:
            start, end = self._spans.get(box.column, (box.x, box.x + box.width))
            self._spans[box.column] = min(start, box.x), max(end, box.x + box.width)
        for box in layout.boxes:
            self._places[box.name] = self._across(box.column), box.row * rows // self._height

    def _across(self, column: int) -> int:
        return (2 * column + 1) * self.columns // (2 * len(self._spans))

    def place_of(self, name: str | None) -> tuple[int, int] | None:
        """Return the column and row of a step on the map, or ``None``."""
        return None if name is None else self._places.get(name)

    def statuses(self, status: Callable[[str], str]) -> dict[tuple[int, int], str]:
        """Return the status to show at each place: of several steps, that which matters most."""
        found: dict[tuple[int, int], list[str]] = {}
        for name, place in self._places.items():
            found.setdefault(place, []).append(status(name))
        return {place: _weightiest(statuses) for place, statuses in found.items()}

    def in_view(self, view: View) -> tuple[range, range]:
        """Return the columns and the rows of the map of which something is in view."""
        seen = [
            self._across(column)
            for column, (start, end) in self._spans.items()
            if start < view.x + view.width and end > view.x
        ]
        across = range(min(seen), max(seen) + 1) if seen else range(0)
        first = view.y * self.rows // self._height
        last = -(-min(view.y + view.height, self._height) * self.rows // self._height)
        return across, range(first, max(last, first + 1))

    def target(self, column: int, row: int) -> tuple[int, int]:
        """Return the place in the layout that a place on the map stands for."""
        start, end = self._spans[column * len(self._spans) // self.columns]
        return (start + end) // 2, (2 * row + 1) * self._height // (2 * self.rows)


def _weightiest(statuses: Sequence[str]) -> str:
    return min(statuses, key=lambda status: WEIGHT.index(status) if status in WEIGHT else len(WEIGHT))
