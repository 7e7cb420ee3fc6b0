"""The tree of values inside the Data tab: rows with marks, folding, masking."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content

from flux_engine.secrets import registered
from flux_tui.model import tree_search
from flux_tui.model.preview import Piece, preview
from flux_tui.model.search import Needle, Scan
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.text import drawable, printable
from flux_tui.model.tree import MISSING, Chunk, Mark, Node, Path, Row, expandable
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import LineList

KEY_COLUMN = 18

MARKS = {
    Mark.ADDED: ("+ added  ", tones.GOOD),
    Mark.CHANGED: ("~ changed", tones.CARE),
    Mark.DELETED: ("- deleted", tones.BAD),
    Mark.SAME: ("         ", ""),
}
LONGEST_PIECE = 120
"""Characters of a piece of text that are drawn."""

STYLES = {
    "key": tones.KEY,
    "text": tones.TEXT,
    "number": tones.NUMBER,
    "constant": tones.CONSTANT,
    "type": f"italic {tones.CONSTANT}",
    "punctuation": tones.MUTED,
    "note": tones.MUTED,
    "secret": tones.MUTED,
}


class DataTree(LineList):
    """Sections of values, before and after, as a lazy tree."""

    places_stay = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", "Fold", id="data.fold", show=False),
        Binding("right,l", "expand", "Expand", id="data.expand", show=False),
        Binding("left,h", "collapse", "Collapse", id="data.collapse", show=False),
    ]

    def __init__(self, secrets: Secrets, *, empty: Any) -> None:
        super().__init__(empty=empty)
        self.secrets = secrets
        self.revealed = False
        self.marks = MARKS
        self.titles: dict[Hashable, str] = {}
        self.root = Node((), {}, {})
        self._opened: list[Path] = []

    def show_root(self, root: Node, titles: dict[Hashable, str]) -> None:
        """Show other values; what was open stays open where it still exists, and the cursor where it is.

        A section that had nothing in it opens once it has. From a row that is gone the cursor goes to the
        value that it was in; at the top it stays at the top.
        """
        known = set(self.root.expandable_keys())
        for path in list(self.root.open_paths()):
            self._open(root, path)
        for key in root.keys:
            if key not in known:
                self._open(root, (key,))
        self.root, self.titles, self._opened = root, titles, []
        self.search_anew()
        self._keep_place(self.cursor_key)

    def _keep_place(self, path: Hashable | None) -> None:
        place = path if isinstance(path, tuple) and self.cursor > 0 else ()
        while place and self.root.number(place) is None:
            place = place[:-1]
        if place:
            self._cursor_key = place
            self.rows_changed()
        else:
            self.rows_replaced()
        if place != path:
            self.scroll_to_row(self.cursor)

    def row_count(self) -> int:
        """Return how many rows are visible."""
        return self.root.total

    def row_key(self, index: int) -> Path:
        """Return the path of a row."""
        return self.root.row(index).path

    def index_of(self, key: Hashable, near: int) -> int | None:
        """Return where a path is, if it is visible."""
        del near
        return self.root.number(key) if isinstance(key, tuple) else None

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self.root.row(self.cursor) if 0 <= self.cursor < self.root.total else None

    def masked(self, path: Path) -> bool:
        """Whether a value at this path is hidden because a key on the way to it names a secret."""
        return any(map(self._hides, path[1:]))

    def render_row(self, index: int, width: int) -> Content:
        """Draw one row."""
        row = self.root.row(index)
        if row.depth == 0:
            return self._section(row)
        mark, style = self.marks[row.mark]
        parts: list[Piece] = [(f"{mark} ", style), ("  " * min(row.depth - 1, width // 5), "")]
        if isinstance(row.key, Chunk):
            text = self._drawn(str(row.value)[:LONGEST_PIECE])
            more = row.key.end - row.key.start - LONGEST_PIECE
            said = f"…  {more:,} more characters; y copies all" if more > 0 else ""
            return Content.assemble(*parts, ("  ", ""), (text, STYLES["text"]), (said, STYLES["note"]))
        hidden = self.masked(row.path)
        fold = ("▾ " if row.opened else "▸ ") if row.expandable and not hidden else "  "
        parts += [(fold, tones.MUTED), (_key_text(row), _key_style(row)), ("  ", "")]
        note = "  masked in what was recorded" if row.value == MASK else "  x shows it"
        parts += [(MASK, STYLES["secret"]), (note, STYLES["note"])] if hidden else self._value(row, width)
        return Content.assemble(*parts)

    def _drawn(self, text: str) -> str:
        return drawable(text) if self.revealed else printable(text)

    def _section(self, row: Row) -> Content:
        fold = ("▾ " if row.opened else "▸ ") if row.expandable else "  "
        parts: list[Piece] = [(fold, tones.MUTED), (self.titles.get(row.key, str(row.key)), tones.HEADING)]
        if not row.opened or not row.expandable:
            parts += [("  ", ""), *self._value(row, 80)]
        return Content.assemble(*parts)

    def _value(self, row: Row, width: int) -> Iterator[Piece]:
        secrets = None if self.revealed else self.secrets
        if row.mark is Mark.CHANGED and row.path[1:]:
            if row.opened:
                return
            old = preview(row.before, secrets, characters=max(12, width // 3))
            yield from ((text, tones.MUTED) for text, kind in old)
            yield " → ", tones.MUTED
        if row.opened:
            count = len(row.value) if hasattr(row.value, "__len__") else 0
            yield f"{count:,} {'characters' if isinstance(row.value, str) else 'items'}", STYLES["note"]
            return
        yield from ((text, STYLES[kind]) for text, kind in preview(row.value, secrets, characters=width + 20))

    def action_choose(self) -> None:
        """Open or close the row under the cursor."""
        row = self.selected
        if row is not None and row.expandable:
            self.action_collapse() if row.opened else self.action_expand()

    def action_expand(self) -> None:
        """Open the row under the cursor; go into it when it is open."""
        row = self.selected
        if row is None or not row.expandable or self.masked(row.path):
            return
        if row.opened:
            self.action_cursor_down()
        else:
            self._open(self.root, row.path)
            self.rows_changed()

    def action_collapse(self) -> None:
        """Close the row under the cursor, or go to the one that it is in."""
        row = self.selected
        if row is None:
            return
        if self.root.close(row.path):
            self.rows_changed()
        elif len(row.path) > 1:
            self.select(row.path[:-1])

    def reveal(self, path: Path) -> None:
        """Open what is above a path and put the cursor there."""
        self.root.reveal(path)
        self.rows_changed()
        self.select(path)

    # Searching: a place is the way to a value, whatever is open

    def items_to_search(self) -> int:
        """Return 1: the tree is looked through as a whole."""
        return 1

    def scan(self, needle: Needle, start: int) -> Scan:
        """Go through all values, open or not; what is masked is not looked at."""
        shown = str if self.revealed or not registered else registered.mask_cut
        if start:
            return iter(())
        return tree_search.search(self.root, needle, self._hides, shown)

    def _hides(self, key: Hashable) -> bool:
        return not self.revealed and key in self.secrets

    def searched_from(self, index: int) -> int:
        """Return where the key begins, after the mark."""
        return len(self.marks[Mark.SAME][0]) + 1 if self.root.row(index).depth else 0

    def place_here(self) -> tree_search.TreePlace:
        """Return the place of the row under the cursor."""
        row = self.selected
        return () if row is None else tree_search.place_of(self.root, row.path)

    def go_to_place(self, place: tree_search.TreePlace) -> None:
        """Go to a value; what is closed above it is opened, until the next match elsewhere."""
        path = tree_search.path_of(self.root, place)
        kept = [opened for opened in self._opened if path[: len(opened)] == opened]
        for opened in reversed(self._opened):
            if opened not in kept:
                self.root.close(opened)
        before = set(self.root.open_paths())
        self.root.reveal(path)
        self._opened = [*kept, *(opened for opened in self.root.open_paths() if opened not in before)]
        self.rows_changed()
        self.select(path)

    @staticmethod
    def _open(root: Node, path: Path) -> None:
        node = root
        for key in path:
            index = node.position(key)
            if index is None or isinstance(key, Chunk):
                return
            before, after = node.child(index)
            if not expandable(before if after is MISSING else after):
                return
            node = node.expand(index)


def _key_style(row: Row) -> str:
    return tones.MUTED if isinstance(row.key, int) else tones.KEY if row.after is not MISSING else tones.BAD


def _key_text(row: Row) -> str:
    key = printable(str(row.key)[:120])
    return key + " " * (KEY_COLUMN - 2 * row.depth - cell_len(key))
