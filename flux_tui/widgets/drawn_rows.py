"""How the rows of a list are drawn: cut to the width, with cursor and matches, and kept until they change."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from rich.segment import Segment
from rich.text import Text
from textual.cache import LRUCache
from textual.content import Content
from textual.strip import Strip
from textual.style import Style

from flux_tui.model.text import printable
from flux_tui.plain import reversed_strip
from flux_tui.widgets.rows import Row, Rows

CURSOR_BAR = "▌"
GUTTER = 2
CACHED_ROWS = 512


class DrawnRows(Rows):
    """Rows as strips. ``empty`` is drawn instead of no rows."""

    empty: str | Callable[[], str] = ""
    _count = 0

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._strips: LRUCache[tuple[Hashable, ...], Strip] = LRUCache(CACHED_ROWS)

    def notify_style_update(self) -> None:
        """Forget what was drawn in the old colours."""
        super().notify_style_update()
        self._strips.clear()

    def forget_drawn(self) -> None:
        """Draw every row again."""
        self._strips.clear()
        self.refresh()

    def _row_strip(self, index: int, width: int) -> Strip:
        base = self.get_visual_style()
        if index >= self._count:
            return Strip.blank(width, base.rich_style)
        at_cursor = index == self.cursor
        look = self.row_look(index)
        cache_key = (index if look is None else look, width, at_cursor, self.has_focus)
        strip = self._strips.get(cache_key)
        if strip is None:
            if at_cursor:
                bar_style = self.get_visual_style("line-list--cursor", "line-list--bar")
                base = self.get_visual_style("line-list--cursor")
                bar = Segment(CURSOR_BAR, bar_style.rich_style)
            else:
                bar = Segment(" ", base.rich_style)
            row = self._segments(index, width - GUTTER, base)
            strip = Strip([bar, *row]).adjust_cell_length(width, base.rich_style).simplify()
            if at_cursor and self.has_focus and self.app.native_ansi_color:
                strip = reversed_strip(strip)
            self._strips[cache_key] = strip
        return strip

    def _segments(self, index: int, width: int, base: Style) -> list[Segment]:
        row: Row = self.render_row(index, width)
        if isinstance(row, list):
            return list(Strip(row).apply_style(base.rich_style).crop(0, max(0, width)))
        content = Content.from_rich_text(row) if isinstance(row, Text) else row
        if printable(content.plain) != content.plain:
            content = Content(printable(content.plain))
        spans = self.spans(content.plain, index)
        if spans:
            found = self.get_visual_style("line-list--match")
            if index == self.cursor:
                found = self.get_visual_style("line-list--match-here") + Style(reverse=True)
            for start, end in spans:
                content = content.stylize(found, start, end)
        content = content.truncate(max(0, width), ellipsis=True)
        return [
            Segment(text, (base + style).rich_style)
            for text, style in content.render(base, end="", parse_style=self._get_style)
        ]

    def _empty_line(self, y: int, width: int) -> Strip:
        text = self.empty() if callable(self.empty) else self.empty
        style = self.get_visual_style("line-list--empty").rich_style
        lines = ["", *(line.plain for line in Content(text).wrap(max(1, width - 4)))]
        line = lines[y] if y < len(lines) else ""
        return Strip([Segment("  " + line, style)]).adjust_cell_length(width, style)

    def _with_badge(self, strip: Strip, text: str, width: int) -> Strip:
        badge = Strip([Segment(text, self.get_visual_style("line-list--badge").rich_style)])
        if badge.cell_length >= width:
            return strip
        return Strip.join([strip.crop(0, width - badge.cell_length), badge])
