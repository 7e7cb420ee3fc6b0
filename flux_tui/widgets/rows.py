"""What a list consists of, row by row, and what a search may know and do of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import ClassVar

from rich.segment import Segment
from rich.text import Text
from textual.content import Content
from textual.reactive import reactive
from textual.scroll_view import ScrollView

from flux_tui.model.search import Needle, Place, Scan

Row = Content | Text | list[Segment]

WHOLE = 4000
"""Cells in which a row is drawn to be searched."""


class Rows(ScrollView):
    """Rows, each with a key. A subclass says how many there are, what each looks like and what its key is.

    It can be searched as it is, row by row. A list that shows less than it has (folds, levels) says by
    overriding ``scan``, ``place_here``, ``go_to_place`` and ``items_to_search`` what else there is.
    ``places_stay`` says that a place found remains valid when rows change, unless ``search_anew`` is called.
    """

    places_stay: ClassVar[bool] = False

    cursor: reactive[int] = reactive(0, repaint=False)
    following: reactive[bool] = reactive(default=False, repaint=False)

    _needle: Needle | None = None
    _searcher: Callable[[bool], None] | None = None
    _anew = False

    def row_count(self) -> int:
        """Return how many rows there are."""
        raise NotImplementedError

    def render_row(self, index: int, width: int) -> Row:
        """Return one row, one line high; what is wider than ``width`` cells is cut with ``…``."""
        raise NotImplementedError

    def row_key(self, index: int) -> Hashable:
        """Return what identifies the row wherever it moves."""
        raise NotImplementedError

    def row_look(self, index: int) -> Hashable | None:
        """Return what the look of a row comes from, if that is told faster than the row is drawn."""
        del index
        return None

    def index_of(self, key: Hashable, near: int) -> int | None:
        """Return where the row with this key is now, or ``None``. ``near`` is where it is likely to be."""
        count = self.row_count()
        if not count:
            return None
        near = max(0, min(near, count - 1))
        for distance in range(count):
            below, above = near + distance, near - distance
            if below < count and self.row_key(below) == key:
                return below
            if distance and above >= 0 and self.row_key(above) == key:
                return above
            if below >= count and above < 0:
                break
        return None

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, as a key press does."""
        raise NotImplementedError

    def forget_drawn(self) -> None:
        """Draw every row again."""
        raise NotImplementedError

    # Searching

    def text_of_row(self, index: int) -> str:
        """Return what a search looks at in a row."""
        row = self.render_row(index, WHOLE)
        text = "".join(part.text for part in row) if isinstance(row, list) else row.plain
        return text[self.searched_from(index) :]

    def searched_from(self, index: int) -> int:
        """Return how many characters at the beginning of a row a search passes over."""
        del index
        return 0

    def items_to_search(self) -> int:
        """Return how many items there are to look at."""
        return self.row_count()

    def scan(self, needle: Needle, start: int) -> Scan:
        """Go through the items from ``start`` on, also those that arrive meanwhile."""
        index = start
        while index < self.items_to_search():
            yield index if needle.within(self.text_of_row(index)) else None
            index += 1

    def place_here(self) -> Place:
        """Return the place of the row under the cursor."""
        return self.cursor

    def go_to_place(self, place: Place) -> None:
        """Put the cursor where a match is, and show it."""
        self.move_to(place)

    def show_context(self) -> None:
        """Show what is around the cursor, too, when it came to the edge of the view."""
        top, height = self.scroll_offset.y, self.size.height
        if height and not top < self.cursor < top + height - 1:
            self.scroll_to(y=self.cursor - height // 3, animate=False, force=True)

    def way_back(self) -> Callable[[], None]:
        """Return what brings the cursor back to where it is now."""
        raise NotImplementedError

    def mark_matches(self, needle: Needle | None) -> None:
        """Make what is looked for stand out, or nothing any more."""
        if needle != self._needle:
            self._needle = needle
            self.forget_drawn()

    def tell_searcher(self, searcher: Callable[[bool], None] | None) -> None:
        """Have ``searcher`` called when rows changed, with whether places found before are void."""
        self._searcher = searcher

    def search_anew(self) -> None:
        """Say that other items are shown from now on: places found before are void."""
        self._anew = True

    def _searched_rows_changed(self) -> None:
        anew, self._anew = self._anew or not self.places_stay, False
        if self._searcher is not None:
            self._searcher(anew)

    def spans(self, text: str, index: int) -> list[tuple[int, int]]:
        """Return what stands out in a row that is drawn as ``text``."""
        if not self._needle:
            return []
        start = self.searched_from(index)
        return [(start + at, start + end) for at, end in self._needle.spans(text[start:])]
