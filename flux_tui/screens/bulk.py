"""How far it is with something that is done to many runs, and what could not be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Static

from flux_tui.bulk import Act, Failure, Progress, carry_out
from flux_tui.looks import ID_CELLS
from flux_tui.model.run import RunRowView
from flux_tui.model.text import printable
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets import tones

BAR_CELLS: Final = 40
SHOWN: Final = 5
"""How many reasons are listed, and runs to each."""

REDRAW: Final = 0.1
"""Seconds between two looks at how far it is."""


class BulkScreen(Dialog[Progress]):
    """Acts on runs and shows how far it is; dismisses with the ``Progress`` when all is well.

    When something could not be done it stays, with the reasons, until it is closed.
    """

    DEFAULT_CSS = """
    BulkScreen > DialogBox { width: 72; }
    BulkScreen #failures { margin-top: 1; display: none; }
    BulkScreen.-failures #failures { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Stop", id="bulk.stop", show=False),
        Binding("enter", "close", "Close", id="bulk.close", show=False),
    ]
    TITLE_KEYS = (("esc", "stop after the runs under way"),)

    _bar = query_one("#bar", Static)
    _failures = query_one("#failures", Static)

    def __init__(self, title: str, rows: Sequence[RunRowView], act: Act, *, plain: bool = False) -> None:
        super().__init__(title)
        self.progress = Progress(len(rows))
        self.ended = False
        self._rows = rows
        self._act = act
        self._plain = plain

    def compose_box(self) -> ComposeResult:
        """Yield the bar and the room for what could not be done."""
        yield Static(id="bar", markup=False)
        yield Static(id="failures", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.set_interval(REDRAW, self._draw)
        self._draw()
        self.run_worker(self._carry_out(), exit_on_error=False)

    async def _carry_out(self) -> None:
        await carry_out(self._rows, self._act, self.progress)
        self.ended = True
        if self.progress.failures:
            self.show_keys((("enter", "close"),))
            self._draw()
        else:
            self.dismiss(self.progress)

    def _draw(self) -> None:
        progress = self.progress
        self._bar.update(bar_content(progress, ended=self.ended, plain=self._plain))
        self.set_class(bool(progress.failures), "-failures")
        if progress.failures:
            self._failures.update(Content("\n").join(failure_lines(progress.failures)))

    def action_leave(self) -> None:
        """Stop after what is under way; close when it has ended."""
        if self.ended:
            self.dismiss(self.progress)
        else:
            self.progress.stop()
            self._draw()

    def action_close(self) -> None:
        """Close when it has ended."""
        if self.ended:
            self.dismiss(self.progress)


def bar_content(progress: Progress, *, ended: bool, plain: bool = False) -> Content:
    """Return a bar with numbers: ``████░░░░ 40 of 100``."""
    full = round(BAR_CELLS * progress.fraction)
    glyphs = ("#", ".") if plain else ("█", "░")
    parts = [(glyphs[0] * full, tones.LINK), (glyphs[1] * (BAR_CELLS - full), tones.FAINT)]
    parts.append((f"  {progress.count:,} of {progress.total:,}", ""))
    if progress.stopped:
        parts.append(("  stopped" if ended else "  stopping…", tones.CARE))
    return Content.assemble(*parts)


def failure_lines(failures: Sequence[Failure]) -> Iterator[Content]:
    """Return the reasons, each with the first of the runs that it kept."""
    yield Content.styled(f"✖ {len(failures):,} could not be done:", tones.BAD)
    reasons: dict[str, list[str]] = {}
    for failure in failures:
        short = printable(failure.run.id)[:ID_CELLS]
        reasons.setdefault(_without_id(failure), []).append(f"{printable(failure.run.workflow)} {short}")
    for reason, runs in list(reasons.items())[:SHOWN]:
        more = f" and {len(runs) - SHOWN:,} more" if len(runs) > SHOWN else ""
        yield Content.styled(f"{', '.join(runs[:SHOWN])}{more}", tones.HEADING)
        yield Content.styled(f"  {printable(reason)}", tones.MUTED)
    if len(reasons) > SHOWN:
        yield Content.styled(f"and for {len(reasons) - SHOWN:,} more reasons", tones.MUTED)


def _without_id(failure: Failure) -> str:
    """Return the reason in words that are the same for every run."""
    return failure.reason.replace(f"Run {failure.run.id} ", "The run ").replace(failure.run.id, "it")
