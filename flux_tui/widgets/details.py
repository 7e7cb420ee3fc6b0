"""The tabs below the graph: what is known of the selected step."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from flux_tui.selection import DATA, SOURCE, TABS
from flux_tui.widgets import tones
from flux_tui.widgets.search_pane import SearchLine, SearchPane

GAP = 2


class TabBar(Widget):
    """The names of the tabs in one line; a click opens one. ``~`` says that the code has changed."""

    DEFAULT_CSS = """
    TabBar { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    active: reactive[str] = reactive(DATA)
    marked: reactive[frozenset[str]] = reactive(frozenset())

    class Picked(Message):
        """A tab was clicked."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def render(self) -> Content:
        """Draw the names; the open tab stands out, and those with an error or changed code are marked."""
        names = []
        for tab in TABS:
            style = tones.CARE if tab == SOURCE else "$text-error"
            style = style if tab in self.marked else tones.MUTED
            style = "bold underline $primary" if tab == self.active else style
            names.append(Content.styled(self._label(tab), style))
        return Content(" " * GAP).join(names)

    def _label(self, tab: str) -> str:
        return f"{TABS[tab]} ~" if tab == SOURCE and SOURCE in self.marked else TABS[tab]

    def on_click(self, event: events.Click) -> None:
        """Open the tab under the pointer."""
        offset = event.get_content_offset(self)
        x = 0
        for tab in TABS:
            width = cell_len(self._label(tab))
            if offset is not None and x <= offset.x < x + width:
                self.post_message(self.Picked(tab))
            x += width + GAP


class Details(SearchPane):
    """The tab bar and the view of the open tab."""

    DEFAULT_CSS = "Details > ContentSwitcher { height: 1fr; }"

    def __init__(self, views: Mapping[str, Widget], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.views = views
        for tab, view in views.items():
            view.id = f"tab-{tab}"

    def compose(self) -> ComposeResult:
        """Yield the bar and the views."""
        yield TabBar()
        yield ContentSwitcher(*self.views.values(), initial=f"tab-{DATA}")
        yield SearchLine()

    @property
    def tab(self) -> str:
        """The open tab."""
        return self.query_one(TabBar).active

    def open_tab(self, tab: str) -> None:
        """Show a tab; if the one before had the focus, this one gets it."""
        if tab == self.tab:
            return
        held = self.views[self.tab].has_focus_within or self.views[self.tab].has_focus
        self.query_one(TabBar).active = tab
        self.query_one(ContentSwitcher).current = f"tab-{tab}"
        self.show_search_of(self.views[tab])
        if held:
            self.focus_view()

    def mark(self, tabs: frozenset[str]) -> None:
        """Make the names of these tabs stand out."""
        self.query_one(TabBar).marked = tabs

    def focus_view(self) -> None:
        """Give the focus to the open tab."""
        focus_into(self.views[self.tab])


def focus_into(widget: Widget) -> None:
    """Focus a widget, or the first one inside it that takes the focus."""
    candidates: Sequence[Widget] = [widget, *widget.query(Widget)]
    for candidate in candidates:
        if candidate.focusable and candidate.display:
            candidate.screen.set_focus(candidate)  # at once: the next key is for it
            return
