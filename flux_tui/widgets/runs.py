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

from flux_tui.model.marks import Marks
from flux_tui.model.run import RunRowView
from flux_tui.model.runs import RunsModel
from flux_tui.model.text import (
    age_text,
    cut,
    duration_text,
    fit,
    printable,
    status_glyph,
    status_tone,
    status_word,
)
from flux_tui.widgets import tones
from flux_tui.widgets.filter_line import FilterInput, FilterLine, Names
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.pane import Pane

MARK = "▪"
AGE_CELLS = 4
ID_CELLS = 4
ID_CELLS_WIDE = 6
WIDE = 36
WIDEST = 72
NAME_CELLS = 28
TOOK_CELLS = 9


class RunList(LineList):
    """A row for each run: glyph, mark, workflow, the beginning of the id, age.

    Where there is room, as when it is zoomed, also how the run stands, the type of its error (its message may
    hold secrets), and how long it took.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="runs.mark", show=False),
        Binding("shift+down", "mark_on(1)", "Mark downwards", id="runs.mark-down", show=False),
        Binding("shift+up", "mark_on(-1)", "Mark upwards", id="runs.mark-up", show=False),
        Binding("ctrl+a", "mark_all", "Mark all that are listed", id="runs.mark-all", show=False),
    ]

    class Marked(Message):
        """Runs were marked, or are no longer; ``all_listed`` asks for those that were not read yet too."""

        def __init__(self, *, all_listed: bool = False) -> None:
            super().__init__()
            self.all_listed = all_listed

    def __init__(
        self,
        model: RunsModel,
        *,
        marks: Marks,
        now: Callable[[], float],
        empty: str | Callable[[], str],
        plain: bool = False,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(empty=empty, id=id)
        self.plain = plain
        self._model = model
        self._marks = marks
        self._now = now

    def row_count(self) -> int:
        """Return how many runs are shown."""
        return len(self._model)

    def row_key(self, index: int) -> Hashable:
        """Return the id of the run in a row; ``""`` when the run has just been deleted."""
        return self._model.row(index).id if index < len(self._model) else ""

    def row_look(self, index: int) -> Hashable | None:
        """Return what of a run is in its row."""
        if index >= len(self._model):
            return ""
        row = self._model.row(index)
        age = age_text(self._now() - row.started_at)
        return row.id, row.status, age, row.id in self._marks, row.current_step, row.error, row.duration

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
        """Draw one run; nothing in the place of one that has just been deleted."""
        if index >= len(self._model):
            return Content("")
        row = self._model.row(index)
        tone = status_tone(row.status)
        age = age_text(self._now() - row.started_at)
        cells = ID_CELLS_WIDE if width >= WIDE else ID_CELLS
        room = width - 2 - cells - 2 - AGE_CELLS
        return Content.assemble(
            (status_glyph(row.status, ascii=self.plain), tones.MUTED if tone == "muted" else f"$text-{tone}"),
            self._mark(row.id),
            *(told(row, room) if room >= WIDEST else [fit(printable(row.workflow), room)]),
            " ",
            (cut(printable(row.id)[:cells], cells), tones.MUTED),
            " ",
            (age.rjust(AGE_CELLS), tones.MUTED),
        )

    def _mark(self, run_id: str) -> tuple[str, str]:
        if run_id not in self._marks:
            return " ", ""
        return ("*" if self.plain else MARK), f"bold {tones.CARE}"

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        if self.cursor_key is not None:
            self._marks.toggle(str(self.cursor_key))
            self._show_marks()

    def action_mark_on(self, by: int) -> None:
        """Mark the run under the cursor and the next one, and go there."""
        if self.cursor_key is not None:
            self._marks.add([str(self.cursor_key)])
            self.move_to(self.cursor + by)
            self._marks.add([str(self.cursor_key)])
            self._show_marks()

    def action_mark_all(self) -> None:
        """Mark all runs that the filter lets through."""
        self._marks.add(row.id for row in self._model.rows(0, len(self._model)))
        self._show_marks(all_listed=True)

    def _show_marks(self, *, all_listed: bool = False) -> None:
        self.rows_changed()
        self.post_message(self.Marked(all_listed=all_listed))


def told(row: RunRowView, room: int) -> list[str | tuple[str, str]]:
    """Return the name of a workflow, how its run stands and why, and how long it took."""
    at = f" at {printable(row.current_step)}" if row.current_step and row.status != "completed" else ""
    error = f": {printable(row.error).partition(':')[0]}" if row.error and row.status == "failed" else ""
    took = "" if row.duration is None else duration_text(row.duration)
    rest = room - NAME_CELLS - 1 - TOOK_CELLS
    stands = fit(f"{status_word(row.status)}{at}{error}", rest)
    return [fit(printable(row.workflow), NAME_CELLS), " ", (stands, tones.MUTED), took.rjust(TOOK_CELLS)]


class RunsPane(Pane):
    """The list of runs, with a line above it to filter by."""

    DEFAULT_CSS = """
    RunsPane > FilterLine { display: none; }
    RunsPane.-filtering > FilterLine { display: block; }
    """
    filtering: reactive[bool] = reactive(default=False, toggle_class="-filtering")

    class Filtered(Message):
        """Another text to filter by."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Entered(Message):
        """The user went to what the filter found."""

    def __init__(self, runs: RunList, *, workflows: Names = tuple, id: str) -> None:  # noqa: A002
        super().__init__(title="Runs", id=id)
        self.runs = runs
        self._line = FilterLine(workflows)
        self._input = self._line.input

    def compose(self) -> ComposeResult:
        """Yield the line to filter by and the list."""
        yield self._line
        yield self.runs

    def start_filter(self) -> None:
        """Show the filter line and give it the focus."""
        self.filtering = True
        self.screen.set_focus(self._input)

    def filter_by(self, text: str) -> None:
        """Show the runs that match a text, and go to them."""
        self.filtering = True
        self._input.value = text
        self._input.recent.remember(text)
        self.runs.focus()

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
        self._input.recent.remember(self._input.value)
        self.runs.focus()
        self.post_message(self.Entered())
