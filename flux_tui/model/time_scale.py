"""Where a time lies on a line of cells: evenly, except that long stretches of nothing are folded."""

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil, floor
from typing import Final

from msgspec import Struct

from flux_tui.model.text import duration_text

FOLD_MARK: Final = ("≈", "~")
LONGEST_FOLD: Final = 14
"""Cells of the widest label of a fold."""

TICK_CELLS: Final = 9
"""How far ticks are apart at least."""

_UNITS: Final = (
    *(step * 10.0**power for power in range(-2, 3) for step in (1, 2, 5)),
    *(seconds * 1000.0 for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * 60_000.0 for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3_600_000.0 for hours in (1, 2, 3, 6, 12)),
    *(days * 86_400_000.0 for days in (1, 2, 7, 30, 365)),
)

_LEAST: Final = 1e-6
"""Milliseconds. What is shorter is no time at all: clocks do not tell it."""

Interval = tuple[float, float]


class Piece(Struct, frozen=True, kw_only=True):
    """A stretch of the line: times from ``start`` to ``end`` in cells from ``left`` to ``right``."""

    start: float
    end: float
    left: float
    right: float
    folded: bool = False

    @property
    def label(self) -> str:
        """What stands for a fold: ``≈ 3 h 12 m``."""
        return duration_text(self.end - self.start)


class Tick(Struct, frozen=True):
    """A label on the axis, and the cell where it begins."""

    cell: int
    text: str


class Scale:
    """Maps times to cells of a line ``width`` wide.

    ``busy`` are the times at which something happened, in order and without overlaps. What lies between
    is folded where it is longer than all of them together.
    """

    def __init__(self, start: float, end: float, busy: Sequence[Interval], width: int) -> None:
        self.width = max(width, 1)
        self.pieces = tuple(_pieces(start, max(end, start), busy, self.width))
        self._starts = [piece.start for piece in self.pieces]

    def cell(self, time: float) -> float:
        """Return where a time lies, from 0 to ``width``."""
        piece = self.pieces[max(bisect_right(self._starts, time) - 1, 0)]
        share = (time - piece.start) / ((piece.end - piece.start) or 1.0)
        cell = piece.left + (piece.right - piece.left) * max(0.0, min(share, 1.0))
        return min(cell, piece.right, float(self.width))

    @property
    def folds(self) -> tuple[Piece, ...]:
        """The stretches that are folded."""
        return tuple(piece for piece in self.pieces if piece.folded)

    def ticks(self) -> list[Tick]:
        """Return the labels of the axis. Times count from the start, or from the fold before them."""
        found: list[Tick] = []
        free = 0
        for piece in self.pieces:
            if piece.folded:
                continue
            span, cells = piece.end - piece.start, piece.right - piece.left
            unit = next((unit for unit in _UNITS if unit * cells >= span * TICK_CELLS), _UNITS[-1])
            for number in range(ceil(cells / TICK_CELLS) + 1):
                cell = floor(piece.left + number * unit * cells / (span if span >= _LEAST else 1.0) + 0.5)
                text = tick_text(number * unit)
                if free <= cell and cell + len(text) < ceil(piece.right) and (number == 0 or span):
                    found.append(Tick(cell, text))
                    free = cell + len(text) + 2
        return found


def tick_text(ms: float) -> str:
    """Return a round time in its largest unit: ``0``, ``500 ms``, ``1.5 s``, ``2 min``, ``3 h``."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms >= size:
            whole = round(ms / size, 2)
            return f"{whole:g} {unit}"
    return f"{ms:g} ms" if ms else "0"


def _pieces(start: float, end: float, busy: Sequence[Interval], width: int) -> list[Piece]:
    gaps = _gaps(start, end, busy)
    active = sum(stop - begin for begin, stop in busy)
    folds = [gap for gap in gaps if gap[1] - gap[0] > max(active, 1.0)]
    cells = _fold_cells(folds, width)
    drawn = (end - start) - sum(stop - begin for begin, stop in folds)
    room = width - sum(cells)
    pieces: list[Piece] = []
    at, left = start, 0.0

    def add(stop: float, right: float, *, folded: bool) -> None:
        nonlocal at, left
        pieces.append(Piece(start=at, end=stop, left=left, right=right, folded=folded))
        at, left = stop, right

    for (begin, stop), size in zip(folds, cells, strict=True):
        if begin > at or not pieces:
            add(begin, left + room * ((begin - at) / drawn if drawn else 0.0), folded=False)
        add(stop, left + size, folded=True)
    if at < end or not pieces:
        add(end, float(width), folded=False)
    return pieces


def _gaps(start: float, end: float, busy: Sequence[Interval]) -> list[Interval]:
    edges = [start, *(time for interval in busy for time in interval), end]
    return [(begin, stop) for begin, stop in zip(edges[::2], edges[1::2], strict=True) if stop > begin]


def _fold_cells(folds: Sequence[Interval], width: int) -> list[int]:
    """Give each fold the room of its label; a cell alone where that would take half the line."""
    labelled = [min(len(duration_text(stop - begin)) + 4, LONGEST_FOLD) for begin, stop in folds]
    if sum(labelled) <= width // 2:
        return labelled
    return [1] * len(folds) if len(folds) < width else [0] * len(folds)
