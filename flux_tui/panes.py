"""How large the panes are: pure arithmetic over the splits between them.

A split parts two neighbours. Its share is what its sized pane has of the whole, between 0 and 1, so that
proportions last when the terminal changes its size; without a share the design has its way. No pane gets
below what it needs to be of use.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

COLUMNS, ROWS = 4, 2
"""By how much a key moves a split."""

STACKED_LISTS: Final = 7
"""How high the lists are by design when they lie on top."""


class Layout(StrEnum):
    """How the panes lie: side by side, one above the other, or so with room for two of them only."""

    WIDE = "wide"
    STACKED = "stacked"
    LOW = "low"


class Split(Struct, frozen=True, kw_only=True):
    """The seam between the widgets ``before`` and ``after``. ``sized`` is the one whose share is kept.

    ``across`` tells a seam that lies across, between an upper and a lower part. ``least`` and ``rest`` are
    how many cells the sized part and the other one need.
    """

    name: str
    before: str
    after: str
    across: bool
    least: int
    rest: int
    sized_after: bool = False

    @property
    def sized(self) -> str:
        """The widget whose share is kept."""
        return self.after if self.sized_after else self.before


LISTS: Final = "lists"
WORKFLOWS: Final = "workflows"
GRAPH: Final = "graph"

_UPPER_GRAPH: Final = Split(name=GRAPH, before="graph-pane", after="details", across=True, least=5, rest=6)
_LOW_WORKFLOWS: Final = Split(
    name=WORKFLOWS, before="workflows-pane", after="runs-pane", across=False, least=14, rest=20
)

SPLITS: Final[Mapping[Layout, tuple[Split, ...]]] = {
    Layout.WIDE: (
        Split(name=LISTS, before="lists", after="right", across=False, least=20, rest=48),
        Split(name=WORKFLOWS, before="workflows-pane", after="runs-pane", across=True, least=3, rest=4),
        _UPPER_GRAPH,
    ),
    Layout.STACKED: (
        Split(name=LISTS, before="lists", after="right", across=True, least=4, rest=11),
        _LOW_WORKFLOWS,
        _UPPER_GRAPH,
    ),
    Layout.LOW: (
        Split(name=GRAPH, before="lists", after="right", across=True, least=5, rest=5, sized_after=True),
        _LOW_WORKFLOWS,
    ),
}
DEEP: Final = (Split(name=GRAPH, before="graph-pane", after="details", across=True, least=5, rest=5),)
"""The splits of the low layout while the details stand in the place of the lists."""

_GROWS: Final[Mapping[str, Mapping[str, int]]] = {
    "workflows-pane": {LISTS: 1, WORKFLOWS: 1},
    "runs-pane": {LISTS: 1, WORKFLOWS: -1},
    "graph-pane": {LISTS: -1, GRAPH: 1},
}
_DETAILS: Final[Mapping[str, int]] = {LISTS: -1, GRAPH: -1}
"""Which splits go which way when a pane grows; the others at the right are like the details."""


class Shares(Struct, frozen=True):
    """The shares of the splits by layout and name, as far as somebody moved them."""

    by_layout: Mapping[str, Mapping[str, float]] = {}

    def of(self, layout: Layout) -> Mapping[str, float]:
        """Return the shares of a layout."""
        return self.by_layout.get(layout, {})

    def put(self, layout: Layout, name: str, share: float | None) -> "Shares":
        """Return the shares with another one; ``None`` is as designed."""
        there = {key: value for key, value in self.of(layout).items() if key != name}
        if share is not None:
            there[name] = round(share, 4)
        rest = {key: value for key, value in self.by_layout.items() if key != layout}
        return Shares({**rest, layout: there} if there else rest)


def shares_from(said: Mapping[str, Any] | None) -> Shares:
    """Return the shares that a file has, without those that are none."""
    kept = Shares()
    for layout in Layout:
        there = (said or {}).get(layout)
        known: Mapping[str, Any] = there if isinstance(there, Mapping) else {}
        for split in SPLITS[layout]:
            share = known.get(split.name)
            if isinstance(share, float | int) and math.isfinite(share) and 0 < share < 1:
                kept = kept.put(layout, split.name, float(share))
    return kept


def cells(split: Split, share: float, room: int) -> int:
    """Return how many of ``room`` cells the sized part gets: as much as its share, and what both can use."""
    most = room - split.rest
    return max(min(round(share * room), most), min(split.least, room))


def measured(
    layout: Layout, splits: Iterable[Split], shares: Shares, width: int, height: int
) -> dict[str, tuple[Split, int]]:
    """Return how many cells the sized parts get that have a share, in a body of this size."""
    sizes: dict[str, tuple[Split, int]] = {}
    above = 0
    for split in splits:
        if layout is Layout.STACKED and split.name == GRAPH:
            above = sizes["lists"][1] if "lists" in sizes else STACKED_LISTS
        share = shares.of(layout).get(split.name)
        if share is not None:
            sizes[split.sized] = split, cells(split, share, height - above if split.across else width)
    return sizes


def share_at(split: Split, place: int, start: int, room: int) -> float:
    """Return the share when the seam lies before the cell ``place`` of ``room`` cells from ``start`` on."""
    if room <= 0:
        return 0.5
    wanted = start + room - place if split.sized_after else place - start
    return cells(split, wanted / room, room) / room


def grown(split: Split, pane: str, size: int, room: int, *, by: int) -> float | None:
    """Return the share of a split after ``pane`` grew by so many steps, or ``None`` if it stays.

    ``size`` is what the sized part has of ``room`` cells now.
    """
    way = _GROWS.get(pane, _DETAILS).get(split.name, 0)
    if split.sized_after:
        way = 1 if pane == "graph-pane" else -1
    if not way or room <= 0:
        return None
    step = ROWS if split.across else COLUMNS
    now = cells(split, (size + way * by * step) / room, room)
    return None if now == size else now / room
