"""The list of runs, newest first, and the filter above it."""

from collections.abc import Callable, Hashable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input

from flux_tui.model.runs import RunsModel
from flux_tui.model.text import age_text, cut, fit, printable, status_glyph, status_tone
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.pane import Pane

AGE_CELLS = 4
ID_CELLS = 4
ID_CELLS_WIDE = 6
WIDE = 36


class RunList(LineList):
    """A row for each run: glyph, workflow, the beginning of the id, age."""

    def __init__(
        self,
        model: RunsModel,
        *,
        now: Callable[[], float],
        empty: str | Callable[[], str],
        plain: bool = False,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(empty=empty, id=id)
        self.plain = plain
        self._model = model
        self._now = now

    def row_count(self) -> int:
        """Return how many runs are shown."""
        return len(self._model)

    def row_key(self, index: int) -> Hashable:
        """Return the id of the run in a row."""
        return self._model.row(index).id

    def index_of(self, key: Hashable, near: int) -> int | None:
        """Return the place of a run, wherever it was before."""
        del near
        return self._model.index_of(str(key))

    def begin(self, selected: str | None) -> None:
        """Show the newest runs, or the one that is selected: nothing is new while all are being read."""
        self.rows_replaced()
        self.scroll_to(y=0, animate=False, force=True)
        if selected is not None:
            self.select(selected)

    def render_row(self, index: int, width: int) -> Content:
        """Draw one run."""
        row = self._model.row(index)
        tone = status_tone(row.status)
        age = age_text(self._now() - row.started_at)
        cells = ID_CELLS_WIDE if width >= WIDE else ID_CELLS
        room = width - 2 - cells - 2 - AGE_CELLS
        return Content.assemble(
            (status_glyph(row.status, ascii=self.plain), tones.MUTED if tone == "muted" else f"${tone}"),
            " ",
            fit(printable(row.workflow), room),
            " ",
            (cut(printable(row.id)[:cells], cells), tones.MUTED),
            " ",
            (age.rjust(AGE_CELLS), tones.MUTED),
        )


class FilterInput(Input):
    """The line to filter by; down and enter go to what it found."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "to_the_runs", "To the runs", id="filter.down", show=False),
    ]

    class Left(Message):
        """The list below is wanted."""

    def action_to_the_runs(self) -> None:
        """Leave the filter as it is and go to the list."""
        self.post_message(self.Left())


class RunsPane(Pane):
    """The list of runs, with a line above it to filter by."""

    DEFAULT_CSS = """
    RunsPane > FilterInput { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    RunsPane > FilterInput:focus { border: none; }
    RunsPane.-filtering > FilterInput { display: block; }
    """
    filtering: reactive[bool] = reactive(default=False, toggle_class="-filtering")

    class Filtered(Message):
        """Another text to filter by."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Entered(Message):
        """The user went to what the filter found."""

    def __init__(self, runs: RunList, *, id: str) -> None:  # noqa: A002
        super().__init__(title="Runs", id=id)
        self.runs = runs
        self._input = FilterInput(placeholder="text  status:failed  !text", compact=True)

    def compose(self) -> ComposeResult:
        """Yield the line to filter by and the list."""
        yield self._input
        yield self.runs

    def start_filter(self) -> None:
        """Show the filter line and give it the focus."""
        self.filtering = True
        self._input.focus()

    def end_filter(self) -> None:
        """Show all runs again."""
        self.filtering = False
        self._input.value = ""
        self.runs.focus()

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.Filtered(message.value))

    @on(Input.Submitted)
    @on(FilterInput.Left)
    def _enter(self, message: Message) -> None:
        message.stop()
        self.runs.focus()
        self.post_message(self.Entered())
