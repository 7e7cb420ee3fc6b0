"""A pane whose views can be searched: a line below them says what is looked for and how much is found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.getters import query_one
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from flux_tui.model.recent import Recent
from flux_tui.widgets.graph import StepGraph
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.pane import Pane
from flux_tui.widgets.rows import Rows
from flux_tui.widgets.searching import Search, SearchTarget
from flux_tui.widgets.step_search import StepSearch

if TYPE_CHECKING:
    from textual.app import ComposeResult

BREATH = 0.002
"""Seconds between two slices of a search."""

HINTS_FROM = 60
"""Cells from which the line has room to say which keys go on."""


class SearchInput(Input):
    """The text to look for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", "Earlier search", id="search.earlier", show=False),
        Binding("down", "recall(1)", "Later search", id="search.later", show=False),
    ]

    class Recalled(Message):
        """An earlier text is wanted, or with 1 a later one."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def action_recall(self, step: int) -> None:
        """Take a text that was looked for before."""
        self.post_message(self.Recalled(step))


class SearchLine(Horizontal):
    """The line with the text that is looked for, and the count. It is empty until it is opened."""

    DEFAULT_CSS = """
    SearchLine { display: none; dock: bottom; height: 1; background: $panel; }
    SearchLine > #search-sign { width: 2; padding: 0 0 0 1; color: $accent; text-style: bold; }
    SearchLine > SearchInput { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    SearchLine > SearchInput:focus { border: none; }
    SearchLine > #search-count { width: auto; padding: 0 1; color: $text-muted; }
    SearchLine.-nothing > #search-count { color: $text-warning; }
    """
    text = query_one(SearchInput)
    count = query_one("#search-count", Static)

    def open(self) -> None:
        """Put the sign, the text and the count into the line: most lines are never needed."""
        if not self.children:
            self.mount(
                Static("/", id="search-sign", markup=False),
                SearchInput(placeholder="search", compact=True),
                Static(id="search-count", markup=False),
            )


class SearchPane(Pane):
    """A pane with a search for each view in it: it is there again when the view is shown again."""

    DEFAULT_CSS = "SearchPane.-searching > SearchLine { display: block; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_match(1)", "Next match", id="search.next", show=False),
        Binding("N", "next_match(-1)", "Previous match", id="search.previous", show=False),
        Binding("escape", "end_search", "End search", id="search.end", show=False),
    ]
    RECENT: ClassVar[Recent] = Recent()

    search_line = query_one(SearchLine)

    def __init__(self, *children: Widget, title: str = "", id: str) -> None:  # noqa: A002
        super().__init__(*children, title=title, id=id)
        self._searches: dict[Widget, Search] = {}
        self._targets: dict[Widget, SearchTarget] = {}
        self._view: Widget | None = None
        self._working = False

    def compose(self) -> ComposeResult:
        """Yield the views and the line below them."""
        yield from super().compose()
        yield SearchLine()

    @property
    def search(self) -> Search | None:
        """The search in the view that is shown."""
        return None if self._view is None else self._searches.get(self._view)

    def searched(self, widget: Widget | None) -> Widget | None:
        """Return the view in this pane that a search would be in, if a widget in it has the focus."""
        candidates = [] if widget is None else [widget, *widget.query(Widget), *widget.ancestors]
        here = (each for each in candidates if isinstance(each, Widget) and self in each.ancestors)
        found = next((each for each in here if isinstance(each, Rows | StepGraph)), None)
        return self._view if found is None and isinstance(widget, SearchInput) else found

    def begin_search(self, view: Widget) -> None:
        """Ask what to look for in a view."""
        self._view = view
        self.search_line.open()
        search = self._searches.get(view)
        if search is None:
            self._searches[view] = search = Search(self._target(view), lambda: self._said(view))
        else:
            search.begin_again()
        self._show_line()
        self.screen.set_focus(self.search_line.text)

    def show_search_of(self, view: Widget) -> None:
        """Show the search of a view that was brought to the front, if there is one."""
        self._view = self.searched(view)
        self._show_line()

    def _show_line(self) -> None:
        search = self.search
        self.set_class(search is not None, "-searching")
        if search is not None:
            with self.prevent(Input.Changed):
                self.search_line.text.value = search.text
            self._said(self._view)

    def _said(self, view: Widget | None) -> None:
        search = self.search
        if search is None or view is not self._view:
            return
        if not self.search_line.query("#search-count"):  # the screen goes away in the middle of a search
            return
        text = search.count_text
        if search.found and self.size.width >= HINTS_FROM and not self.search_line.text.has_focus:
            text += "   n next  N previous  esc ends"
        self.search_line.count.update(text)
        self.search_line.set_class(not search.found and not search.unfinished, "-nothing")
        if search.unfinished and not self._working:
            self._working = True
            self.run_worker(self._work(), group="search")

    async def _work(self) -> None:
        try:
            while (search := self.search) is not None and search.unfinished:
                await asyncio.sleep(BREATH)
                search.work()
        finally:
            self._working = False

    @on(LineList.Highlighted)
    def _moved(self) -> None:
        self._said(self._view)

    @on(Input.Changed, "SearchInput")
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        if self.search is not None:
            self.search.look_for(message.value)

    @on(Input.Submitted, "SearchInput")
    def _entered(self, message: Input.Submitted) -> None:
        """Keep the search and go to the view."""
        message.stop()
        self.RECENT.remember(message.value)
        self._to_the_view()
        if not message.value:
            self._forget()

    @on(Input.Blurred, "SearchInput")
    def _left(self, message: Input.Blurred) -> None:
        message.stop()
        if self.search is not None and not self.search.text:
            self._forget()
        self._said(self._view)

    @on(SearchInput.Recalled)
    def _recall(self, message: SearchInput.Recalled) -> None:
        message.stop()
        text = self.search_line.text
        found = self.RECENT.earlier(text.value) if message.step < 0 else self.RECENT.later()
        if found is not None:
            text.value = found
            text.cursor_position = len(found)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ``n``, ``N`` and ``escape`` to others while nothing is looked for."""
        if action in ("next_match", "end_search"):
            return self.search is not None
        return super().check_action(action, parameters)

    def action_next_match(self, step: int) -> None:
        """Go to the next match, or to the one before."""
        if self.search is not None:
            self.search.step(step)

    def action_end_search(self) -> None:
        """End the search; while it is still typed, go back to where it was begun."""
        search = self.search
        if search is None:
            return
        if self.search_line.text.has_focus:
            search.take_back()
            self._to_the_view()
        self._forget()

    def _forget(self) -> None:
        if self._view is not None and (search := self._searches.pop(self._view, None)) is not None:
            search.end()
        self._show_line()

    def _to_the_view(self) -> None:
        if self._view is not None:
            self._view.focus()

    def _target(self, view: Widget) -> SearchTarget:
        if isinstance(view, StepGraph):
            if view not in self._targets:
                self._targets[view] = StepSearch(view)
            return self._targets[view]
        assert isinstance(view, Rows)  # noqa: S101 - searched() finds nothing else
        return view


def searched_by(widget: Widget | None) -> tuple[SearchPane, Widget] | None:
    """Return the pane that searches around a widget, and the view in it; ``None`` where none does."""
    for node in [] if widget is None else widget.ancestors:
        if isinstance(node, SearchPane):
            view = node.searched(widget)
            return None if view is None else (node, view)
    return None
