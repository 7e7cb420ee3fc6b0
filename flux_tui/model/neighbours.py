"""Which step each arrow key leads to from each step of a graph."""

from collections.abc import Sequence

from msgspec import Struct

from flux_tui.model.layers import bits

Found = tuple[int | None, int | None, int | None, int | None]


class Place(Struct, frozen=True):
    """The column and the row of a step."""

    column: int
    row: int


def find_neighbours(places: Sequence[Place], after: Sequence[int]) -> list[Found]:
    """Return for each step the ones to its left, right, above and below.

    Left and right follow the lines to the step nearest in height, or, where no line leads, to the
    nearest column. Up and down stay in the column, and leave it only where it ends.
    """
    before = [0] * len(after)
    for node, targets in enumerate(after):
        for target in bits(targets):
            before[target] |= 1 << node
    columns: dict[int, list[int]] = {}
    for node, place in enumerate(places):
        columns.setdefault(place.column, []).append(node)
    top, bottom = min(place.row for place in places), max(place.row for place in places)
    found: list[Found] = []
    for node, place in enumerate(places):
        above = [other for other in columns[place.column] if places[other].row < place.row]
        below = [other for other in columns[place.column] if places[other].row > place.row]
        if not above and place.row > top:
            above = [other for other, there in enumerate(places) if there.row < place.row]
        if not below and place.row < bottom:
            below = [other for other, there in enumerate(places) if there.row > place.row]
        found.append(
            (
                _nearest(places, node, list(bits(before[node])) or columns.get(place.column - 1, ())),
                _nearest(places, node, list(bits(after[node])) or columns.get(place.column + 1, ())),
                _nearest(places, node, above),
                _nearest(places, node, below),
            )
        )
    return found


def _nearest(places: Sequence[Place], node: int, others: Sequence[int]) -> int | None:
    """Return the one in the nearest column, and of these the one nearest in height."""
    here = places[node]

    def distance(other: int) -> tuple[int, int, int]:
        there = places[other]
        return abs(there.column - here.column), abs(there.row - here.row), other

    return min(others, key=distance, default=None)
