"""A list of rows that are laid out beforehand, some of which fold others."""

from collections.abc import Hashable, Sequence

from msgspec import Struct
from textual.content import Content

from flux_tui.widgets.line_list import LineList


class TextRow(Struct, frozen=True, kw_only=True):
    """A row. ``fold`` names what opens or closes when the row is opened; ``place`` is a file and line.

    ``inside`` is the fold that a row is in.
    """

    key: Hashable
    content: Content
    fold: str | None = None
    place: tuple[str, int] | None = None
    inside: str | None = None


class TextRows(LineList):
    """A list of text rows."""

    rows: Sequence[TextRow] = ()

    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self.rows)

    def row_key(self, index: int) -> Hashable:
        """Return the key of a row."""
        return self.rows[index].key

    def render_row(self, index: int, width: int) -> Content:
        """Return the row as it was laid out."""
        del width
        return self.rows[index].content

    @property
    def selected(self) -> TextRow | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def set_rows(self, rows: Sequence[TextRow]) -> None:
        """Show other rows; cursor and scroll stay on rows whose keys are still there, and none is news."""
        self.rows = rows
        self.rows_changed()
        self.nothing_is_new()
