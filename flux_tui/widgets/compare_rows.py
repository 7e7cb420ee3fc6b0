"""The table of two compared runs: a row for the runs, their input, each step, and their data."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from msgspec import Struct
from rich.cells import cell_len
from textual.content import Content

from flux_tui.model.compare import DATA, INPUT, RUN, Comparison, RowComparison
from flux_tui.model.compare_words import delta_text, ratio_text, remark, sign, tries_text
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import duration_text, fit, printable, status_glyph, status_tone
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import GUTTER, LineList

SIGN_TONES: Final = {"~": tones.CARE, "+": tones.GOOD, "-": tones.BAD}
SIDE, DELTA, RATIO, TRIES = 12, 10, 7, 6
LEAST_REMARK: Final = 16
SLOWER: Final = 1.25
"""How many times as long a step must take to stand out."""
NAMES: Final = (10, 28)
ABSENT: Final = "–"  # noqa: RUF001


class Columns(Struct, frozen=True, kw_only=True):
    """How wide each column is; a column of 0 gives way, and what it had to say is left to the remark."""

    name: int
    side: int = SIDE
    delta: int = DELTA
    ratio: int = RATIO
    tries: int = TRIES
    remark: int = 0


def columns(width: int, longest: int) -> Columns:
    """Return the columns for a row of so many cells, whose longest name is ``longest`` cells wide."""
    low, high = NAMES
    ratio, tries = (RATIO, TRIES) if width >= 90 else (0, 0)  # noqa: PLR2004
    delta = DELTA if width >= 60 else 0  # noqa: PLR2004
    room = width - 2 - 2 * SIDE - delta - ratio - tries
    name = max(low, min(longest, high, room - LEAST_REMARK)) + 1
    return Columns(name=name, delta=delta, ratio=ratio, tries=tries, remark=max(room - name, 0))


class CompareRows(LineList):
    """Draws a comparison. ``only`` leaves out the rows that are the same."""

    def __init__(self, secrets: Secrets, *, plain: bool = False, id: str) -> None:  # noqa: A002
        super().__init__(empty=self._empty_text, id=id)
        self.secrets = secrets
        self.plain = plain
        self.only = False
        self.comparison: Comparison | None = None

    def show(self, comparison: Comparison | None) -> None:
        """Show another comparison; the cursor stays on the step it is on, and starts where they differ."""
        begins = self.comparison is None
        self.comparison = comparison
        self.rows_changed()
        if begins and comparison is not None and comparison.different:
            self.select(comparison.different[0].key)

    @property
    def shown(self) -> tuple[RowComparison, ...]:
        """The rows that are shown."""
        if self.comparison is None:
            return ()
        return self.comparison.different if self.only else self.comparison.rows

    @property
    def selected(self) -> RowComparison | None:
        """The row under the cursor."""
        return self.shown[self.cursor] if 0 <= self.cursor < len(self.shown) else None

    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self.shown)

    def row_key(self, index: int) -> Hashable:
        """Return what identifies a row."""
        return self.shown[index].key

    @property
    def columns(self) -> Columns:
        """The columns at the present width."""
        longest = max((cell_len(printable(row.name)) for row in self.shown), default=0)
        return columns(self.size.width - GUTTER, longest)

    def head(self) -> Content:
        """Return the line above the rows."""
        at = self.columns
        text = "   " + fit("", at.name) + fit("A", at.side) + fit("B", at.side)
        text += "B - A".rjust(at.delta - 1) + " " if at.delta else ""
        text += "B / A".rjust(at.ratio - 1) + " " if at.ratio else ""
        text += fit("tries", at.tries) + ("differs in" if at.remark >= LEAST_REMARK else "")
        return Content.styled(text, tones.MUTED)

    def render_row(self, index: int, width: int) -> Content:
        """Draw one row."""
        del width
        row, at = self.shown[index], self.columns
        mark = sign(row, ascii=self.plain)
        name_style = "bold" if row.kind in (RUN, INPUT, DATA) else ""
        parts = [
            (f"{mark} ", SIGN_TONES.get(mark, tones.CARE)),
            (fit(printable(row.name), at.name - 1) + " ", name_style),
            *(self._side(row, side, at.side) for side in (0, 1)),
        ]
        if at.delta:
            slower = row.ratio is not None and row.ratio >= SLOWER
            parts.append((delta_text(row).rjust(at.delta - 1) + " ", tones.CARE if slower else tones.MUTED))
        if at.ratio:
            parts.append((ratio_text(row).rjust(at.ratio - 1) + " ", tones.MUTED))
            parts.append((fit(tries_text(row), at.tries), tones.MUTED))
        alike = "same end" if row.kind == RUN else "same"
        said = alike if row.same else printable(self.secrets.text(remark(row, attempts=not at.tries)))
        parts.append((said, tones.FAINT if row.same else ""))
        return Content.assemble(*parts)

    def _side(self, row: RowComparison, side: int, cells: int) -> tuple[str, str]:
        status, took = row.statuses[side], row.durations[side]
        if status is None:
            return fit("" if row.kind in (INPUT, DATA) else ABSENT, cells), tones.FAINT
        tone = status_tone(status)
        words = printable(status) if took is None else duration_text(took)
        text = f"{status_glyph(status, ascii=self.plain)} {words}"
        return fit(text, cells - 1) + " ", tones.MUTED if tone == "muted" else f"$text-{tone}"

    def _empty_text(self) -> str:
        if self.comparison is None:
            return "Reading the other run…"
        return "Nothing differs but the time it took. d shows all rows."
