"""The last thing that every line passes before it is written: what could move the terminal goes.

Whatever shows data makes it ``printable`` first, so that there is something to see. This is for what a
text field holds, and for whatever was forgotten.
"""

from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from flux_tui.model.text import REPLACEMENT, UNPRINTABLE


class Harmless(LineFilter):
    """Takes out control characters, bidirectional overrides and lone surrogates; no width changes."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without what a terminal would obey."""
        del background
        return [segment if _is_harmless(segment) else _made_harmless(segment) for segment in segments]


def _is_harmless(segment: Segment) -> bool:
    text = segment.text
    return (text.isascii() and text.isprintable()) or UNPRINTABLE.search(text) is None


def _made_harmless(segment: Segment) -> Segment:
    text = UNPRINTABLE.sub(lambda found: REPLACEMENT * cell_len(found.group()), segment.text)
    return Segment(set_cell_size(text, segment.cell_length), segment.style, segment.control)


HARMLESS: Final = Harmless()
