"""A replay: whether the code as it is now comes to what is recorded, step by step."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Static

from flux_engine.replay_report import ReplayReport
from flux_tui.looks import ID_CELLS
from flux_tui.model.replay import Outcome, Place, ReplayedStep, replayed_steps, report_text, verdict
from flux_tui.model.run import RunView
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import ELLIPSIS, cut, fit, printable
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets import tones
from flux_tui.widgets.text_rows import TextRow, TextRows

AROUND: Final = 7
"""Rows of the terminal that the list leaves for what is around it."""

LEAST: Final = 6
STEP_CELLS: Final = 24
PATH_CELLS: Final = 22
INDENT: Final = "    "
VALUE_CHARACTERS: Final = 400
BEFORE_DIFFERENCE: Final = 24
"""How many characters that are the same are shown before two long sides begin to differ."""

OUTCOMES: Final = {
    Outcome.SAME: ("✔", tones.GOOD),
    Outcome.DIFFERS: ("✖", tones.BAD),
    Outcome.ANSWERED: ("≡", tones.LINK),
    Outcome.SKIPPED: ("⊘", tones.MUTED),
    Outcome.OPEN: ("○", tones.MUTED),
    Outcome.NOT_REACHED: ("○", tones.MUTED),
}
PLAIN: Final = {"✔": "v", "✖": "x", "≡": "=", "⊘": "-", "○": "o"}


class ReplayScreen(Dialog[None]):
    """Shows a replay under way, then what came of it. ``enter`` opens what differs in a step."""

    DEFAULT_CSS = """
    ReplayScreen > DialogBox { width: 110; padding: 0 1; overflow-y: hidden; }
    ReplayScreen #verdict { margin-bottom: 1; height: auto; }
    ReplayScreen TextRows { height: 6; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", id="replay.copy", show=False),
        Binding("right,l", "open(True)", "Open", id="replay.open", show=False),
        Binding("left,h", "open(False)", "Close", id="replay.fold", show=False),
    ]

    _verdict = query_one("#verdict", Static)
    _list = query_one(TextRows)

    def __init__(
        self, run: RunView, secrets: Secrets, copy: Callable[[str], Awaitable[None]], *, plain: bool = False
    ) -> None:
        super().__init__(f"Replay of {run.workflow} {run.id[:ID_CELLS]}")
        self.run_view = run
        self.report: ReplayReport | None = None
        self.problem = ""
        self._secrets = secrets
        self._copy = copy
        self._plain = plain
        self._steps: tuple[ReplayedStep, ...] = ()
        self._opened: set[str] = set()
        self._began = time.monotonic()
        self.show_keys((("esc", "stop waiting"),))

    def compose_box(self) -> ComposeResult:
        """Yield the verdict and the steps."""
        yield Static(id="verdict", markup=False)
        yield TextRows(empty="")

    def on_mount(self) -> None:
        """Show that something is under way."""
        self.set_interval(1.0, self._show_waiting)
        self._list.focus()
        self._show_waiting()

    def show_report(self, report: ReplayReport) -> None:
        """Show what came of the replay, with what differs opened."""
        self.report = report
        self._steps = replayed_steps(report, self.run_view, self._secrets)
        self._opened = {step.name for step in self._steps if step.places}
        said = printable(verdict(report, self._steps))
        glyph, tone = OUTCOMES[Outcome.SAME if report.ok else Outcome.DIFFERS]
        note = "Recorded → as the code is now. Nothing was written, no commit done."
        self._verdict.update(
            Content("\n").join(
                [
                    Content.styled(f"{self._glyph(glyph)} {said}", f"bold {tone}"),
                    Content.styled(note, tones.MUTED),
                ]
            )
        )
        opens = () if report.ok else (("enter", "open"),)
        self.show_keys((*opens, ("y", "copy"), ("esc", "close")))
        self._show_rows()
        room = max(self.app.size.height - AROUND, LEAST)
        self._list.styles.height = min(max(self._list.row_count(), LEAST), room)
        first = next((step for step in self._steps if step.outcome is Outcome.DIFFERS), None)
        if first is not None:
            self._list.select(first.name)

    def show_problem(self, text: str) -> None:
        """Show why nothing could be replayed."""
        self.problem = text
        self._verdict.update(Content.styled(f"{self._glyph('✖')} {printable(text)}", tones.BAD))
        self.show_keys((("esc", "close"),))

    def _show_waiting(self) -> None:
        if self.report is not None or self.problem:
            return
        seconds = time.monotonic() - self._began
        waited = f" {seconds:.0f} s" if seconds >= 1 else ""
        self._verdict.update(
            Content.styled(
                f"replaying…{waited}\nPlain steps run again, commits are answered from the record, "
                "nothing is written.",
                tones.MUTED,
            )
        )

    def _show_rows(self) -> None:
        self._list.set_rows(tuple(self._rows()))

    def _rows(self) -> Iterator[TextRow]:
        for step in self._steps:
            yield TextRow(
                key=step.name, content=self._step_row(step), fold=step.name if step.places else None
            )
            if step.name in self._opened:
                for number, place in enumerate(step.places):
                    for part, content in enumerate(place_rows(place)):
                        yield TextRow(key=(step.name, number, part), content=content, inside=step.name)

    def _step_row(self, step: ReplayedStep) -> Content:
        glyph, tone = OUTCOMES[step.outcome]
        name = printable(step.name) or "the input"
        count = f" in {len(step.places)} place{'s' if len(step.places) != 1 else ''}" if step.places else ""
        return Content.assemble(
            (f"{self._glyph(glyph)} ", tone),
            (fit(name, STEP_CELLS), "bold" if step.outcome is Outcome.DIFFERS else ""),
            (f"  {step.outcome}{count}", tone if step.outcome is Outcome.DIFFERS else tones.MUTED),
        )

    def _glyph(self, glyph: str) -> str:
        return PLAIN.get(glyph, glyph) if self._plain else glyph

    @on(TextRows.Chosen)
    def _chosen(self) -> None:
        row = self._list.selected
        name = None if row is None else row.fold or row.inside
        if name is not None:
            self._fold(name, opened=name not in self._opened)

    def action_open(self, opened: bool) -> None:  # noqa: FBT001 - the argument of a key
        """Open or close the step under the cursor."""
        row = self._list.selected
        if row is not None and (name := row.fold or row.inside) is not None:
            self._fold(name, opened=opened)

    def _fold(self, name: str, *, opened: bool) -> None:
        if opened:
            self._opened.add(name)
        else:
            self._opened.discard(name)
            self._list.select(name)
        self._show_rows()

    def action_copy(self) -> None:
        """Copy the whole outcome, or why there is none."""
        text = self.problem if self.report is None else report_text(self.report, self._steps)
        if text:
            self.run_worker(self._copy(text), exit_on_error=False)


def place_rows(place: Place) -> Sequence[Content]:
    """Return a place that differs: in one row when both sides are short, else each side in its own."""
    path = printable(place.path)
    before, after = (
        cut(printable(side[:VALUE_CHARACTERS]), VALUE_CHARACTERS) for side in (place.recorded, place.replayed)
    )
    if len(before) + len(after) <= ONE_ROW:
        head = f"{INDENT}{fit(path, PATH_CELLS)} " if len(path) <= PATH_CELLS else f"{INDENT}{path} "
        return [Content.assemble((head, ""), (before, tones.BAD), (" → ", tones.MUTED), (after, tones.GOOD))]
    before, after = (printable(side) for side in from_difference(place.recorded, place.replayed))
    return [
        Content.assemble((f"{INDENT}{path}", "")),
        Content.assemble((f"{INDENT}  - ", tones.MUTED), (before, tones.BAD)),
        Content.assemble((f"{INDENT}  + ", tones.MUTED), (after, tones.GOOD)),
    ]


def from_difference(before: str, after: str) -> tuple[str, str]:
    """Return two long texts from shortly before the place at which they differ."""
    same = next(
        (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    start = max(same - BEFORE_DIFFERENCE, 0)
    begun = ELLIPSIS if start else ""
    return begun + before[start : start + VALUE_CHARACTERS], begun + after[start : start + VALUE_CHARACTERS]


ONE_ROW: Final = 60
"""How many characters the two sides of a place may have to stand in one row."""
