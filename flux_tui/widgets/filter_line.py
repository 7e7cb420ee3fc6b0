"""The line to filter the runs by: completes what is typed, says what is wrong with it, remembers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.getters import query_one
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from flux_tui.model.filter import compile_filter
from flux_tui.model.filter_hints import PLACEHOLDER, continued
from flux_tui.model.recent import Recent
from flux_tui.model.text import printable

if TYPE_CHECKING:
    from textual.app import ComposeResult

Names = Callable[[], Iterable[str]]
"""The names of the workflows there are."""


class _Completion(Suggester):
    def __init__(self, workflows: Names) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._workflows = workflows

    async def get_suggestion(self, value: str) -> str | None:
        return continued(value, self._workflows())


class FilterInput(Input):
    """The text to filter by; up brings earlier ones back, down and enter go to what was found."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "earlier", "Earlier filter", id="filter.up", show=False),
        Binding("down", "later", "Later filter, or to the runs", id="filter.down", show=False),
    ]
    recent: ClassVar[Recent] = Recent()

    class Left(Message):
        """The list below is wanted."""

    def action_earlier(self) -> None:
        """Show the filter used before."""
        self._show(self.recent.earlier(self.value))

    def action_later(self) -> None:
        """Show the filter used after the one shown; past the last one, go to the list."""
        later = self.recent.later()
        if later is None:
            self.post_message(self.Left())
        self._show(later)

    def _show(self, text: str | None) -> None:
        if text is not None:
            self.value = text
            self.cursor_position = len(text)


class FilterLine(Vertical):
    """The filter's text and, below it, what is wrong with it."""

    DEFAULT_CSS = """
    FilterLine { height: auto; background: $panel; }
    FilterLine > FilterInput { height: 1; border: none; margin: 0 1; background: $panel; }
    FilterLine > FilterInput:focus { border: none; }
    FilterLine > Static { display: none; height: auto; max-height: 4; padding: 0 1; color: $text-warning; }
    FilterLine.-wrong > Static { display: block; }
    """
    problem = query_one(Static)

    def __init__(self, workflows: Names) -> None:
        super().__init__()
        self.input = FilterInput(
            placeholder=PLACEHOLDER, compact=True, suggester=_Completion(workflows), select_on_focus=False
        )

    def compose(self) -> ComposeResult:
        """Yield the text and the problem."""
        yield self.input
        yield Static(markup=False)

    @on(Input.Changed)
    def _check(self, message: Input.Changed) -> None:
        problem = compile_filter(message.value).problem
        self.problem.update(printable(problem))
        self.set_class(bool(problem), "-wrong")
