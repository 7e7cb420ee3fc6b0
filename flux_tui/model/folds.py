"""Rows that open into more rows, in a list of any length: which row shows what."""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Line = TypeVar("Line")


class Folds(Generic[Line]):
    """Knows, for items that are one row each, which are open and with how many lines below them."""

    def __init__(self) -> None:
        self._lines: dict[int, Sequence[Line]] = {}
        self._open: list[int] = []
        self._first: list[int] = []

    @property
    def extra(self) -> int:
        """How many rows the open items add."""
        return sum(len(lines) for lines in self._lines.values())

    def toggle(self, item: int, lines: Sequence[Line]) -> None:
        """Open an item with these lines below it, or close it."""
        if self._lines.pop(item, None) is None:
            self._lines[item] = lines
        self._count()

    def clear(self) -> None:
        """Close all items."""
        self._lines.clear()
        self._count()

    def is_open(self, item: int) -> bool:
        """Whether an item is open."""
        return item in self._lines

    def lines(self, item: int) -> Sequence[Line]:
        """Return the lines below an item; none if it is closed."""
        return self._lines.get(item, ())

    def locate(self, row: int) -> tuple[int, Line | None]:
        """Return the item that a row belongs to, and the line below it that the row shows, if it does."""
        at = bisect_right(self._first, row) - 1
        if at < 0:
            return row, None
        item = self._open[at]
        inside = row - self._first[at]
        lines = self._lines[item]
        if inside == 0:
            return item, None
        if inside <= len(lines):
            return item, lines[inside - 1]
        return item + inside - len(lines), None

    def row(self, item: int) -> int:
        """Return the row of an item itself."""
        return item + sum(len(self._lines[at]) for at in self._open if at < item)

    def key(self, row: int) -> Hashable:
        """Return what identifies a row: its item, and the place of its line below it."""
        item, _ = self.locate(row)
        return item, row - self.row(item)

    def _count(self) -> None:
        self._open = sorted(self._lines)
        self._first = [self.row(item) for item in self._open]
