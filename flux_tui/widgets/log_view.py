"""The Logs tab: what a step, or the whole run, printed and logged."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from flux_tui.model.folds import Folds
from flux_tui.model.run import LogLine, RunView, StepView
from flux_tui.model.search import Needle, Scan
from flux_tui.model.text import cut, fit, printable
from flux_tui.widgets import tones
from flux_tui.widgets.drawn_rows import GUTTER
from flux_tui.widgets.line_list import LineList

OFFSET_CELLS = 11
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

    places_stay = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "toggle_all", "All steps", id="logs.all", show=False),
        Binding("enter,space", "choose", "Unfold", id="logs.unfold", show=False),
        Binding("right,l", "fold(True)", "Unfold", id="logs.open", show=False),
        Binding("left,h", "fold(False)", "Fold", id="logs.close", show=False),
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
        self._elsewhere = ""
        self._step: str | None = None
        self._lines: Sequence[LogLine] = ()
        self._shown: list[int] = []
        self._read = 0
        self._subject: Hashable = None
        self._first_line: LogLine | None = None
        self._folds: Folds[str] = Folds()
        self._opened: int | None = None

    def show(
        self,
        run: RunView | None,
        step: StepView | None,
        lines: Sequence[LogLine],
        *,
        elsewhere: str = "",
    ) -> None:
        """Show the lines of a step; without a step, or after ``a``, those of the whole run.

        ``elsewhere`` says where they are when this host has no trace of the run.
        """
        self._elsewhere = elsewhere
        self._run, self._step = run, None if step is None else step.name
        subject = (None if run is None else run.id, None if self.all_steps else self._step)
        same_start = bool(self._read) and len(lines) >= self._read and lines[0] == self._first_line
        if subject != self._subject or not same_start:
            if subject != self._subject:
                self.following = True
            self._subject = subject
            self._shown, self._read = [], 0
            self._folds.clear()
            self._opened = None
            self.search_anew()
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
        return OFFSET_CELLS + 9 + (STEP_CELLS + 2 if self._several_steps else 0)

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
        if self._shown:
            self._toggle(self._folds.locate(self.cursor)[0])

    def action_fold(self, open: bool) -> None:  # noqa: A002, FBT001
        """Show the whole of a line that was cut; or fold it again."""
        if self._shown and self._folds.is_open(self._folds.locate(self.cursor)[0]) is not open:
            self.action_choose()

    def _toggle(self, item: int) -> None:
        room = max(self.size.width - GUTTER - self._indent, 20)
        pieces = Content(printable(self._lines[self._shown[item]].text[: LONGEST * 10])).fold(room)
        if len(pieces) > 1 or self._folds.is_open(item):
            self.move_to(self._folds.row(item))
            self._folds.toggle(item, [piece.plain for piece in pieces])
            self.rows_folded()

    # Searching: a place is the number of a line, whichever are unfolded

    def items_to_search(self) -> int:
        """Return how many lines are shown."""
        return len(self._shown)

    def scan(self, needle: Needle, start: int) -> Scan:
        """Go through the whole texts of the lines, and their steps where they are shown."""
        item = start
        while item < len(self._shown):
            line = self._lines[self._shown[item]]
            found = self._several_steps and needle.within((line.step or "")[:STEP_CELLS])
            for here in needle.look(line.text):
                found = found or here
                if not here:
                    yield None
            if found:
                yield item
            item += 1

    def searched_from(self, index: int) -> int:
        """Return where the text begins, or the step before it."""
        del index
        return OFFSET_CELLS if self._several_steps else self._indent

    def place_here(self) -> int:
        """Return the number of the line under the cursor."""
        return self._folds.locate(self.cursor)[0]

    def go_to_place(self, place: int) -> None:
        """Go to a line; it is unfolded where what was found has no room, until the next match."""
        if self._opened is not None and self._folds.is_open(self._opened):
            self._toggle(self._opened)
        self._opened = None
        row = self._folds.row(place)
        self.move_to(row)
        visible = cut(self.text_of_row(row), self.size.width - GUTTER - self.searched_from(row))
        if self._needle is None or self._needle.within(visible):
            return
        if not self._folds.is_open(place):
            self._toggle(place)
            self._opened = place
        self._go_to_piece(place)

    def _go_to_piece(self, item: int) -> None:
        first = self._folds.row(item) + 1
        found = self._pieces_found(item)
        if found:
            self.move_to(first + min(found))

    def _pieces_found(self, item: int) -> dict[int, list[tuple[int, int]]]:
        """Return what stands out in the pieces of an unfolded line, also where it goes over their ends."""
        found: dict[int, list[tuple[int, int]]] = {}
        pieces = self._folds.lines(item)
        spans = [] if self._needle is None else self._needle.spans("".join(pieces))
        begin = 0
        for number, piece in enumerate(pieces):
            end = begin + len(piece)
            here = [(max(at, begin), min(to, end)) for at, to in spans if at < end and to > begin]
            if here:
                found[number] = [(at - begin, to - begin) for at, to in here]
            begin = end
        return found

    def spans(self, text: str, index: int) -> list[tuple[int, int]]:
        """Return what stands out in a row."""
        item, part = self._folds.locate(index)
        if part is None:
            return super().spans(text, index)
        found = self._pieces_found(item).get(index - self._folds.row(item) - 1, [])
        return [(self._indent + at, self._indent + to) for at, to in found]

    def _empty_text(self) -> str:
        if self._run is None:
            return "No run selected."
        if self._lines and not self.all_steps:
            return f"Step {printable(self._step or '')} printed nothing. Press a to see the whole run."
        if not self._lines and self._elsewhere:
            return f"What it printed and logged is {self._elsewhere}."
        return "Nothing was printed or logged. What handlers print, and ctx.logger, appear here."
