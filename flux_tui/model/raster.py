"""A piece of paper for lines: which characters they make where they bend, meet and cross.

Where two lines only cross, the upright one is drawn whole and the level one gives way, so a crossing never
looks like a joint.
"""

from collections.abc import Iterator

from msgspec import Struct

LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
LEVEL, UPRIGHT = LEFT | RIGHT, UP | DOWN
LINES = {
    LEFT: "─",
    RIGHT: "─",
    UP: "│",
    DOWN: "│",
    LEVEL: "─",
    UPRIGHT: "│",
    RIGHT | DOWN: "╭",
    LEFT | DOWN: "╮",
    RIGHT | UP: "╰",
    LEFT | UP: "╯",
    LEVEL | DOWN: "┬",
    LEVEL | UP: "┴",
    UPRIGHT | RIGHT: "├",
    UPRIGHT | LEFT: "┤",
    LEVEL | UPRIGHT: "┼",
}
ARROW = "▶"

Flow = tuple[int, int]
"""The steps that a line comes from and those that it leads to, as bit sets."""


class Run(Struct, frozen=True, gc=False):
    """Characters side by side that belong to the same flows."""

    row: int
    x: int
    text: str
    flows: tuple[Flow, ...]


class _Row:
    """What is drawn on a row: for each column the arms of lines, and whose lines they are."""

    __slots__ = ("arrow", "joints", "level", "level_flows", "upright", "upright_flows")

    def __init__(self, width: int) -> None:
        self.level, self.upright, self.joints = bytearray(width), bytearray(width), bytearray(width)
        self.level_flows: list[tuple[Flow, ...]] = [()] * width
        self.upright_flows: list[tuple[Flow, ...]] = [()] * width
        self.arrow = False

    def cell(self, x: int) -> tuple[str, tuple[Flow, ...]]:
        """Return the character of a column and its flows; an empty one where there is nothing."""
        level, upright = self.level[x], self.upright[x]
        if level and upright:
            if not self.joints[x]:
                return LINES[upright], self.upright_flows[x]
            return LINES[level | upright], tuple(
                dict.fromkeys((*self.level_flows[x], *self.upright_flows[x]))
            )
        if not level and not upright:
            return "", ()
        return LINES[level | upright], self.level_flows[x] or self.upright_flows[x]


class Raster:
    """Paper of some width and any number of rows."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: dict[int, _Row] = {}

    def _row(self, row: int) -> _Row:
        found = self._rows.get(row)
        if found is None:
            found = self._rows[row] = _Row(self._width)
        return found

    def level(self, row: int, start: int, stop: int, flow: Flow) -> None:
        """Draw from the middle of ``start`` to the middle of ``stop``, either of which may be outside."""
        line = self._row(row)
        first, last = max(start, 0), min(stop, self._width - 1) + 1
        arms, flows = bytearray([LEVEL]) * (last - first), line.level_flows
        if start >= 0:
            arms[0] &= ~LEFT
        if stop < self._width:
            arms[-1] &= ~RIGHT
        if not any(line.level[first:last]):
            line.level[first:last] = arms
            flows[first:last] = [(flow,)] * (last - first)
            return
        for x, arm in enumerate(arms, first):
            line.level[x] |= arm
            if flow not in flows[x]:
                flows[x] += (flow,)

    def upright(self, x: int, top: int, bottom: int, flows: tuple[Flow, ...]) -> None:
        """Draw from the middle of row ``top`` to that of row ``bottom``."""
        for row in range(top, bottom + 1):
            line = self._row(row)
            line.upright[x] |= (UP if row > top else 0) | (DOWN if row < bottom else 0)
            there = line.upright_flows[x]
            line.upright_flows[x] = (
                there + tuple(flow for flow in flows if flow not in there) if there else flows
            )

    def joint(self, row: int, x: int) -> None:
        """Have the lines that cross at a place meet there."""
        self._row(row).joints[x] = 1

    def arrow(self, row: int) -> None:
        """Let a row end in the head of an arrow."""
        self._row(row).arrow = True

    def runs(self) -> Iterator[Run]:
        """Yield what is drawn, from left to right on each row."""
        for row, line in self._rows.items():
            start, text = 0, ""
            flows: tuple[Flow, ...] = ()
            for x in range(self._width):
                character, own = line.cell(x)
                if line.arrow and x == self._width - 1:
                    character = ARROW
                if text and own != flows:
                    yield Run(row, start, text, flows)
                    text = ""
                if character:
                    start, flows = (start, flows) if text else (x, own)
                    text += character
            if text:
                yield Run(row, start, text, flows)
