"""A list that draws only what is visible, for models of any size.

Rows come from the model when a line is painted, one line each. The cursor and the scroll stay on the
rows they are on, whatever is inserted above or below them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from flux_tui.widgets.drawn_rows import GUTTER, DrawnRows

if TYPE_CHECKING:
    from textual import events

__all__ = ["GUTTER", "LineList"]


class LineList(DrawnRows, can_focus=True):
    """A virtual list of rows with a cursor.

    Call ``rows_changed`` after the model changed. With ``follow`` set the list sticks to its end until
    an upward move; then it counts what arrived below as ``+12 new``. ``empty`` is shown instead of no
    rows and says what to do next. ``untold`` is the row that the user went to and whose ``Highlighted`` is
    still on its way to whoever clears it.
    """

    DEFAULT_CSS = """
    LineList {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        background: $surface;
        color: $foreground;
    }
    LineList > .line-list--cursor { background: $foreground 7%; }
    LineList:focus > .line-list--cursor { background: $primary 28%; }
    LineList > .line-list--bar { color: $foreground 25%; }
    LineList:focus > .line-list--bar { color: $accent; }
    LineList > .line-list--empty { color: $text-muted; }
    LineList > .line-list--badge { background: $accent; color: $text; text-style: bold; }
    LineList > .line-list--match { background: $warning 22%; text-style: underline; }
    LineList > .line-list--match-here { background: $background; color: $warning; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-list--cursor",
        "line-list--bar",
        "line-list--empty",
        "line-list--badge",
        "line-list--match",
        "line-list--match-here",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor_up", "Up", id="list.up", show=False),
        Binding("down,j", "cursor_down", "Down", id="list.down", show=False),
        Binding("pageup,ctrl+b", "page_up", "Page up", id="list.page-up", show=False),
        Binding("pagedown,ctrl+f", "page_down", "Page down", id="list.page-down", show=False),
        Binding("ctrl+u", "half_page_up", "Half a page up", id="list.half-page-up", show=False),
        Binding("ctrl+d", "half_page_down", "Half a page down", id="list.half-page-down", show=False),
        Binding("home,g", "first", "First", id="list.first", show=False),
        Binding("end,G", "last", "Last", id="list.last", show=False),
        Binding("enter", "choose", "Open", id="list.choose", show=False),
    ]

    class Highlighted(Message):
        """The cursor came to a row, or could not be moved off it. ``key`` is ``None`` when no row is left."""

        def __init__(self, line_list: LineList, key: Hashable | None, index: int) -> None:
            super().__init__()
            self.line_list = line_list
            self.key = key
            self.index = index

        @property
        def control(self) -> LineList:
            """The list that sent this."""
            return self.line_list

    class Chosen(Message):
        """A row was opened: enter, or a double click."""

        def __init__(self, line_list: LineList, key: Hashable) -> None:
            super().__init__()
            self.line_list = line_list
            self.key = key

        @property
        def control(self) -> LineList:
            """The list that sent this."""
            return self.line_list

    def __init__(
        self,
        *,
        empty: str | Callable[[], str] = "Nothing here yet.",
        follow: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.empty = empty
        self.follow = follow
        self._count = 0
        self._cursor_key: Hashable | None = None
        self.untold: Hashable | None = None
        self._top_key: Hashable | None = None
        self._seen = 0
        self._unseen_above = 0
        self._arranging = False
        self._tells = False
        self._painted: dict[int, Hashable] = {}
        self.set_reactive(LineList.following, follow)

    @property
    def cursor_key(self) -> Hashable | None:
        """The key of the row under the cursor, or ``None`` when there are no rows."""
        return self._cursor_key

    @property
    def new_below(self) -> int:
        """How many rows arrived at the end since the list stopped following."""
        return self._count - self._seen if self.follow and not self.following else 0

    def rows_changed(self) -> None:
        """Read the model again; keep cursor and scroll on the rows they are on."""
        old_count, self._count = self._count, self.row_count()
        grown = self._count - old_count
        self._tells = bool(self._count) and self.row_look(0) is not None
        if not self._tells:
            self._strips.clear()
        if not old_count:
            self._painted.clear()
        cursor, top = self._kept_cursor(grown), self._kept_top(grown)
        self._arranging = True
        try:
            self._make_room()
            if top is not None and top != self.scroll_offset.y:
                self._unseen_above += max(0, top - self.scroll_offset.y)
                self.scroll_to(y=top, animate=False, force=True)
            self._move(cursor)
        finally:
            self._arranging = False
        self._seen = self._count if self.following else min(self._seen, self._count)
        if self.following:
            self.scroll_to(y=self._count, animate=False, force=True)
        self._remember_top()
        self._repaint_changed()
        self._searched_rows_changed()

    def _repaint_changed(self) -> None:
        """Paint the lines that look different now; all of them if that cannot be told."""
        if not self._tells:
            self.refresh()
            return
        width = self.size.width
        for y in range(self.size.height):
            if self._painted.get(y) != self._look_of_line(y):
                self.refresh(Region(0, y, width, 1))

    def _look_of_line(self, y: int) -> Hashable:
        index = y + self.scroll_offset.y
        look = self.row_look(index) if index < self._count else None
        return look, index == self.cursor, self._badge(y)

    def _badge(self, y: int) -> str:
        if y == self.size.height - 1 and self.new_below:
            return f" +{self.new_below} new "
        return f" ↑ {self._unseen_above} new " if y == 0 and self._unseen_above else ""

    def _make_room(self) -> None:
        """Scroll over as many rows as there are. Lay the screen out anew only if that moves a part of it."""
        size, height = Size(1, self._count), self.size.height
        scrolled, scrolls = self.virtual_size.height > height, self._count > height
        if self.styles.is_auto_height or not height or scrolled != scrolls:
            self.virtual_size = size
        elif size != self.virtual_size:
            self.set_reactive(LineList.virtual_size, size)
            self._scroll_update(size)

    def rows_replaced(self) -> None:
        """Read another model from its top: no row of the old one is looked for."""
        self._cursor_key = self._top_key = None
        self.set_reactive(LineList.cursor, 0)
        self.rows_changed()

    def nothing_is_new(self) -> None:
        """Count no row as new so far: they were there before, and were only not read yet."""
        self._seen, self._unseen_above = self._count, 0

    def rows_folded(self) -> None:
        """Read the model again after rows were opened or closed: none of them is new."""
        count, seen = self._count, self._seen
        self.rows_changed()
        self._seen = seen + self._count - count

    def _kept_cursor(self, grown: int) -> int:
        if self.following:
            return self._count - 1
        if self._cursor_key is None:
            return self.cursor
        for near in (self.cursor, self.cursor + grown):
            if 0 <= near < self._count and self.row_key(near) == self._cursor_key:
                return near
        found = self.index_of(self._cursor_key, self.cursor + grown)
        return self.cursor if found is None else found

    def _kept_top(self, grown: int) -> int | None:
        """Return the scroll offset at which the row at the top of the view is again at the top."""
        top = self.scroll_offset.y
        if self.following or self._top_key is None or top + self.size.height > self._count:
            return None
        for near in (top, top + grown):
            if 0 <= near < self._count and self.row_key(near) == self._top_key:
                return near
        return self.index_of(self._top_key, top + grown)

    def _remember_top(self) -> None:
        top = self.scroll_offset.y
        self._top_key = self.row_key(top) if 0 <= top < self._count else None
        if top == 0:
            self._unseen_above = 0

    def select(self, key: Hashable, *, scroll: bool = True) -> bool:
        """Put the cursor on the row with this key; return whether there is one."""
        index = self.index_of(key, self.cursor)
        if index is None:
            return False
        self.untold = None
        self._leave_follow_above(index)
        self._move(index)
        if scroll:
            self.scroll_to_row(index)
        return True

    def scroll_to_row(self, index: int) -> None:
        """Scroll as little as needed to show a row."""
        height = self.size.height
        top = self.scroll_offset.y
        if height and index < top:
            self.scroll_to(y=index, animate=False, force=True)
        elif height and index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, force=True)

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, as a key press does: scroll there, and leave or resume following."""
        if not self._count:
            return
        index = max(0, min(index, self._count - 1))
        self._leave_follow_above(index)
        before = self._cursor_key
        self._move(index)
        self.untold = self._cursor_key
        if self._cursor_key == before:  # where it was already: the user has come back to what it stands for
            self.post_message(self.Highlighted(self, self._cursor_key, index))
        self.scroll_to_row(index)
        if self.follow and index == self._count - 1:
            self.resume_follow()

    def way_back(self) -> Callable[[], None]:
        """Return what brings the cursor back to the row it is on, or back to following the end."""
        key, following = self._cursor_key, self.following

        def back() -> None:
            if following:
                self.resume_follow()
            elif key is not None:
                self.select(key)

        return back

    def resume_follow(self) -> None:
        """Stick to the end again."""
        self.following = True
        self._seen = self._count
        self._move(self._count - 1)
        self.scroll_to(y=self._count, animate=False, force=True)
        self.refresh()

    def _leave_follow_above(self, index: int) -> None:
        if self.following and index < self._count - 1:
            self.following = False
            self._seen = self._count

    def _move(self, index: int) -> None:
        """Set the cursor; say so when its row is another one."""
        index = max(0, min(index, self._count - 1))
        key = self.row_key(index) if self._count else None
        changed = key != self._cursor_key
        self._cursor_key = key
        self.cursor = index
        if changed:
            self.post_message(self.Highlighted(self, key, index))

    def watch_cursor(self, old: int, new: int) -> None:
        """Repaint the two rows concerned, unless all lines are looked at anyway."""
        if self._arranging and self._tells:
            return
        self.refresh_line(old)
        self.refresh_line(new)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """End follow mode when the view goes up by whatever means."""
        if self._arranging and self._tells:  # most likely the same rows are in view
            if self.show_vertical_scrollbar:
                self.vertical_scrollbar.position = new_value
            return
        super().watch_scroll_y(old_value, new_value)
        if self._arranging:
            return
        if new_value < old_value and round(new_value) < self.max_scroll_y and self.following:
            self.following = False
            self._seen = self._count
        self._remember_top()

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:  # noqa: FBT001
        """Put the scrollbar where the view is, which may have moved before there was one."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def on_mount(self) -> None:
        """Read the model for the first time."""
        super().on_mount()  # type: ignore[no-untyped-call]
        self.rows_changed()

    def on_resize(self) -> None:
        """Keep the cursor in view at the new size."""
        self._strips.clear()
        if self.following:
            self.scroll_to(y=self._count, animate=False, force=True)
        else:
            self.scroll_to_row(self.cursor)
        self._remember_top()

    def action_cursor_up(self) -> None:
        """Go one row up."""
        self.move_to(self.cursor - 1)

    def action_cursor_down(self) -> None:
        """Go one row down."""
        self.move_to(self.cursor + 1)

    def action_page_up(self) -> None:
        """Go one page up."""
        self.move_to(self.cursor - max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        """Go one page down."""
        self.move_to(self.cursor + max(1, self.size.height - 1))

    def action_half_page_up(self) -> None:
        """Go half a page up."""
        self.move_to(self.cursor - max(1, self.size.height // 2))

    def action_half_page_down(self) -> None:
        """Go half a page down."""
        self.move_to(self.cursor + max(1, self.size.height // 2))

    def action_first(self) -> None:
        """Go to the first row."""
        self._unseen_above = 0
        self.move_to(0)

    def action_last(self) -> None:
        """Go to the last row; a list that can follow does so again."""
        self.move_to(self._count - 1)

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self._cursor_key is not None:
            self.post_message(self.Chosen(self, self._cursor_key))

    def on_click(self, event: events.Click) -> None:
        """Select the row that was clicked; open it on a double click."""
        offset = event.get_content_offset(self)
        if offset is None or not 0 <= offset.y + self.scroll_offset.y < self._count:
            return
        self.move_to(offset.y + self.scroll_offset.y)
        if event.chain == 2:  # noqa: PLR2004
            self.action_choose()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the view."""
        width = self.size.width
        if not self._count:
            return self._empty_line(y, width)
        strip, badge = self._row_strip(y + self.scroll_offset.y, width), self._badge(y)
        if self._tells:
            self._painted[y] = self._look_of_line(y)
        return self._with_badge(strip, badge, width) if badge else strip
