"""The Error tab: why a step failed or a module did not load, the user's own code first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from flux_engine.execution import ErrorInfo
from flux_tui.model.run import RunView, StepView
from flux_tui.model.search import Needle, Scan
from flux_tui.model.spans import FailedAttempt
from flux_tui.model.text import printable
from flux_tui.runner.messages import Problem
from flux_tui.widgets.drawn_rows import GUTTER
from flux_tui.widgets.error_rows import error_rows, problem_rows
from flux_tui.widgets.text_rows import TextRow, TextRows

UNKNOWN_WIDTH = 80


class ErrorView(TextRows):
    """An exception, or the problem of a module. ``enter`` opens and closes what is folded."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", "Fold", id="error.fold", show=False),
        Binding("right,l", "fold(True)", "Unfold", id="error.open", show=False),
        Binding("left,h", "fold(False)", "Fold", id="error.close", show=False),
    ]

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=self._empty_text, name=name, id=id, classes=classes)
        self._run: RunView | None = None
        self._step: StepView | None = None
        self._problem: Problem | None = None
        self._attempts: tuple[FailedAttempt, ...] = ()
        self._output = ""
        self._opened: frozenset[str] = frozenset()
        self._shown: object = None
        self._whole: tuple[TextRow, ...] | None = None
        self._opened_to: str | None = None

    def show(
        self, run: RunView | None, step: StepView | None, attempts: Sequence[FailedAttempt] = ()
    ) -> None:
        """Show the error of a step, or of the run when there is no step or it has none."""
        self._run, self._step, self._problem, self._attempts = run, step, None, tuple(attempts)
        self._output = ""
        self._lay_out((run.id if run else None, self.error, self._attempts, step))

    def show_problem(self, problem: Problem, output: str = "") -> None:
        """Show why a module did not load, and what it printed meanwhile."""
        self._problem, self._output = problem, output
        self._lay_out((problem, output))

    @property
    def error(self) -> ErrorInfo | None:
        """The exception shown, if one is."""
        if self._step is not None and self._step.error is not None:
            return self._step.error
        if self._run is not None and self._step is None:
            failed = self._run.failed_step
            return failed.error if failed is not None and failed.error is not None else self._run.error
        return None

    def location(self) -> tuple[str, int] | None:
        """Return the file and line under the cursor, or else where the error happened."""
        row = self.selected
        if row is not None and row.place is not None:
            return row.place
        return next((row.place for row in self.rows if row.place is not None), None)

    def copy_text(self) -> str:
        """Return the whole traceback, or as much of the error as is known."""
        if self._problem is not None:
            return self._problem.traceback or f"{self._problem.kind}: {self._problem.message}"
        error = self.error
        return "" if error is None else error.text or str(error)

    def action_choose(self) -> None:
        """Open or close what is folded under the cursor; elsewhere, choose the row."""
        row = self.selected
        if row is None or row.fold is None:
            super().action_choose()
            return
        self._toggle(row.fold)

    def action_fold(self, open: bool) -> None:  # noqa: A002, FBT001
        """Open what is folded under the cursor; or close what the cursor is in."""
        row = self.selected
        fold = None if row is None else row.fold or row.inside
        if fold is not None and (fold in self._opened) is not open:
            self.select(fold)
            self._toggle(fold)

    def _toggle(self, fold: str) -> None:
        self._opened ^= {fold}
        self._shown = None
        self.set_rows(tuple(self._rows(self._opened)))

    # Searching: a place is the number of a row when all folds are open

    @property
    def _searched(self) -> tuple[TextRow, ...]:
        if self._whole is None:
            folds = {row.fold for row in self._rows(self._opened) if row.fold is not None}
            self._whole = tuple(self._rows(frozenset(folds)))
        return self._whole

    def items_to_search(self) -> int:
        """Return how many rows there are when all folds are open."""
        return len(self._searched)

    def scan(self, needle: Needle, start: int) -> Scan:
        """Go through all rows, also those that are folded away."""
        for place, row in enumerate(self._searched[start:], start=start):
            yield place if needle.within(row.content.plain) else None

    def place_here(self) -> int:
        """Return the number of the row under the cursor."""
        key = self.cursor_key
        return next((place for place, row in enumerate(self._searched) if row.key == key), 0)

    def go_to_place(self, place: int) -> None:
        """Go to a row; the fold it is in is opened, until the next match outside of it."""
        row = self._searched[place]
        if self._opened_to is not None and self._opened_to != row.inside:
            if self._opened_to in self._opened:
                self._toggle(self._opened_to)
            self._opened_to = None
        if row.inside is not None and row.inside not in self._opened:
            self._toggle(row.inside)
            self._opened_to = row.inside
        self.select(row.key)

    def on_resize(self) -> None:
        """Wrap the text to the new width."""
        self.set_rows(tuple(self._rows(self._opened)))

    def _lay_out(self, shown: object) -> None:
        if shown == self._shown:
            return
        self._shown = shown
        self.set_rows(tuple(self._rows(self._opened)))

    def set_rows(self, rows: Sequence[TextRow]) -> None:
        """Show other rows; cursor and scroll stay on rows whose keys are still there."""
        self._whole = None
        super().set_rows(rows)

    def _rows(self, opened: frozenset[str]) -> Iterator[TextRow]:
        width = self.size.width - GUTTER if self.size.width > GUTTER else UNKNOWN_WIDTH
        if self._problem is not None:
            yield from problem_rows(self._problem, opened, self._output, width)
        elif (error := self.error) is not None:
            step = self._step
            if step is None and self._run is not None:
                step = self._run.failed_step
            yield from error_rows(error, step, self._attempts, opened, width, height=self.size.height)

    def _empty_text(self) -> str:
        if self._run is None:
            return "No run selected. Select one in the list of runs, or press r to start one."
        if self._step is None:
            return "This run has no error."
        failed = self._run.failed_step
        hint = "" if failed is None else f" The step that failed is {printable(failed.name)}."
        return f"Step {printable(self._step.name)} has no error.{hint}"
