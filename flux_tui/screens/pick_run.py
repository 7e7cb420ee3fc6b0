"""Picking a run from all that are known, those of one workflow first."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input

from flux_tui.model.filter import compile_filter
from flux_tui.model.run import RunRowView, RunView
from flux_tui.model.text import (
    age_text,
    duration_text,
    fit,
    printable,
    status_glyph,
    status_tone,
    status_word,
)
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import LineList

if TYPE_CHECKING:
    from flux_tui.desk import Desk

ID_CELLS, STATUS_CELLS, TIME_CELLS, AGE_CELLS = 8, 13, 10, 5


class PickRows(LineList):
    """A row for each run that can be picked."""

    def __init__(self, now: float, *, plain: bool) -> None:
        super().__init__(empty="No other run matches.")
        self.now, self.plain = now, plain
        self.rows: Sequence[RunRowView] = ()

    def row_count(self) -> int:
        """Return how many runs there are."""
        return len(self.rows)

    def row_key(self, index: int) -> Hashable:
        """Return the id of a run."""
        return self.rows[index].id

    def render_row(self, index: int, width: int) -> Content:
        """Draw one run."""
        row = self.rows[index]
        tone = status_tone(row.status)
        room = width - 2 - ID_CELLS - STATUS_CELLS - TIME_CELLS - AGE_CELLS - 3
        return Content.assemble(
            (f"{status_glyph(row.status, ascii=self.plain)} ", "" if tone == "muted" else f"$text-{tone}"),
            fit(printable(row.workflow), max(room, 8)) + " ",
            (fit(printable(row.id)[:ID_CELLS], ID_CELLS) + " ", tones.MUTED),
            fit(status_word(row.status), STATUS_CELLS),
            ("" if row.duration is None else duration_text(row.duration)).rjust(TIME_CELLS),
            (age_text(self.now - row.started_at).rjust(AGE_CELLS), tones.MUTED),
        )


class PickRunScreen(Dialog[str]):
    """A list of runs with a filter above it; dismisses with the id of a run, or ``None``."""

    DEFAULT_CSS = """
    PickRunScreen > DialogBox { width: 90; height: 80%; padding: 0 1; }
    PickRunScreen Input { height: 1; border: none; margin-bottom: 1; }
    PickRunScreen PickRows { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Down", id="pick.down", show=False),
        Binding("up", "move(-1)", "Up", id="pick.up", show=False),
    ]
    TITLE_KEYS = (("enter", "compare"), ("esc", "cancel"))

    def __init__(self, desk: Desk, run: RunView) -> None:
        super().__init__("Compare with")
        known = [row for row in desk.runs.known() if row.id != run.id]
        self._known = sorted(known, key=lambda row: row.workflow != run.workflow)
        self._input = Input(placeholder="text  status:failed  !text", compact=True)
        self._rows = PickRows(desk.now(), plain=desk.settings.ascii)
        self._rows.can_focus = False

    def compose_box(self) -> ComposeResult:
        """Yield the filter and the runs."""
        yield self._input
        yield self._rows

    def on_mount(self) -> None:
        """Show all runs."""
        self._show("")

    @on(Input.Changed)
    def _filtered(self, message: Input.Changed) -> None:
        self._show(message.value)

    @on(Input.Submitted)
    @on(LineList.Chosen)
    def _picked(self) -> None:
        key = self._rows.cursor_key
        if isinstance(key, str):
            self.dismiss(key)

    def action_move(self, by: int) -> None:
        """Move the cursor of the list; what is typed goes on filtering."""
        self._rows.move_to(self._rows.cursor + by)

    def _show(self, text: str) -> None:
        chosen = compile_filter(text)
        self._rows.rows = [row for row in self._known if chosen.matches(row)]
        self._rows.rows_replaced()
