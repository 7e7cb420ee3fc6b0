"""The Logs tab: what a step, or the whole run, printed and logged."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from flux_tui.model.folds import Folds
from flux_tui.model.run import LogLine, RunView, StepView
from flux_tui.model.text import fit, printable
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import GUTTER, LineList

STEP_CELLS = 14
LONGEST = 2000

LEVELS = {
    "stdout": ("│", "out  ", tones.FAINT),
    "stderr": ("┃", "err  ", tones.CARE),
    "debug": ("·", "debug", tones.FAINT),
    "info": ("•", "info ", tones.LINK),
    "warning": ("▲", "warn ", tones.CARE),
    "error": ("✖", "error", tones.BAD),
    "critical": ("✖", "fatal", f"bold {tones.BAD}"),
}


class LogView(LineList):
    """Log lines, following the end. ``a`` switches between the selected step and the whole run.

    ``enter`` unfolds a line that is too long for the view.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "toggle_all", "All steps", id="logs.all", show=False),
        Binding("enter,space", "choose", "Unfold", id="logs.unfold", show=False),
    ]

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=self._empty_text, follow=True, name=name, id=id, classes=classes)
        self.all_steps = False
        self._run: RunView | None = None
        self._step: str | None = None
        self._lines: Sequence[LogLine] = ()
        self._shown: list[int] = []
        self._read = 0
        self._subject: Hashable = None
        self._first_line: LogLine | None = None
        self._folds: Folds[str] = Folds()

    def show(self, run: RunView | None, step: StepView | None, lines: Sequence[LogLine]) -> None:
        """Show the lines of a step; without a step, or after ``a``, those of the whole run."""
        self._run, self._step = run, None if step is None else step.name
        subject = (None if run is None else run.id, None if self.all_steps else self._step)
        same_start = bool(self._read) and len(lines) >= self._read and lines[0] == self._first_line
        if subject != self._subject or not same_start:
            if subject != self._subject:
                self.following = True
            self._subject = subject
            self._shown, self._read = [], 0
            self._folds.clear()
        self._lines = lines
        wanted = subject[1]
        grown = [
            index for index in range(self._read, len(lines)) if wanted is None or lines[index].step == wanted
        ]
        self._first_line = lines[0] if lines else None
        self._read = len(lines)
        self._shown += grown
        self.rows_changed()

    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self._shown) + self._folds.extra

    def row_key(self, index: int) -> Hashable:
        """Return the number of the line in the run, and of its row when it is unfolded."""
        item, _ = self._folds.locate(index)
        return self._shown[item], index - self._folds.row(item)

    def render_row(self, index: int, width: int) -> Content:
        """Draw one line: time since the start, step, level, text."""
        item, part = self._folds.locate(index)
        if part is not None:
            return Content.styled(f"{' ' * self._indent}{part}", tones.MUTED)
        line = self._lines[self._shown[item]]
        glyph, word, style = LEVELS.get(line.stream, ("·", fit(printable(line.stream), 5), tones.MUTED))
        text_style = style if line.stream in ("error", "critical", "warning") else ""
        parts = [(f"{self._offset(line):>9}  ", tones.FAINT)]
        if self._several_steps:
            parts.append((f"{fit(printable(line.step or ''), STEP_CELLS)}  ", tones.MUTED))
        parts += [(f"{glyph} {word}  ", style), (printable(line.text[: width + 1]), text_style)]
        return Content.assemble(*parts)

    @property
    def _several_steps(self) -> bool:
        return self.all_steps or self._step is None

    @property
    def _indent(self) -> int:
        return 11 + 9 + (STEP_CELLS + 2 if self._several_steps else 0)

    def _offset(self, line: LogLine) -> str:
        start = None if self._run is None else self._run.started_at
        return "" if start is None else f"+{(line.timestamp - start) / 1000:.3f}"

    def copy_text(self) -> str:
        """Return the text of the line under the cursor."""
        if not self._shown:
            return ""
        item, _ = self._folds.locate(self.cursor)
        return self._lines[self._shown[item]].text

    def action_toggle_all(self) -> None:
        """Show the whole run, or the selected step again."""
        self.all_steps = not self.all_steps
        step = None if self._run is None or self._step is None else self._run.step(self._step)
        self.show(self._run, step or (StepView(name=self._step) if self._step else None), self._lines)

    def action_choose(self) -> None:
        """Show the whole of a line that was cut, or fold it again."""
        if not self._shown:
            return
        item, _ = self._folds.locate(self.cursor)
        room = max(self.size.width - GUTTER - self._indent, 20)
        pieces = Content(printable(self._lines[self._shown[item]].text[: LONGEST * 10])).fold(room)
        if len(pieces) > 1 or self._folds.is_open(item):
            self.move_to(self._folds.row(item))
            self._folds.toggle(item, [piece.plain for piece in pieces])
            self.rows_folded()

    def _empty_text(self) -> str:
        if self._run is None:
            return "No run selected."
        if self._lines and not self.all_steps:
            return f"Step {printable(self._step or '')} printed nothing. Press a to see the whole run."
        return "Nothing was printed or logged. What handlers print, and ctx.logger, appear here."
