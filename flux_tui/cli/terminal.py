"""Where a command writes: what the stream can show, and keeping user code away from standard output."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from msgspec import Struct

from flux_tui.model.text import status_glyph, status_tone

_COLOURS: Final = {"success": "32", "error": "31", "warning": "33", "accent": "36", "muted": "2"}


class Look(Struct, frozen=True, kw_only=True):
    """What a stream can show: ASCII only or all of Unicode, colours or none."""

    ascii: bool = False
    colour: bool = False

    def glyph(self, status: str) -> str:
        """Return the sign of a status, in its colour."""
        return self.toned(status_glyph(status, self.ascii), status_tone(status))

    def toned(self, text: str, tone: str) -> str:
        """Return the text in the colour of a tone: ``success error warning accent muted``."""
        return f"\x1b[{_COLOURS[tone]}m{text}\x1b[0m" if self.colour and tone in _COLOURS else text

    def sign(self, unicode: str, plain: str) -> str:
        """Return the first where Unicode can be shown, else the second."""
        return plain if self.ascii else unicode


def look_of(stream: TextIO, *, ascii_only: bool = False) -> Look:
    """Find out what the stream can show. ``NO_COLOR`` and ``TERM=dumb`` switch colours off."""
    can_encode = (stream.encoding or "ascii").lower().replace("-", "") in ("utf8", "utf16", "gb18030")
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Look(ascii=ascii_only or not can_encode, colour=stream.isatty() and not plain)


def width() -> int:
    """Return how many cells a line of the terminal has."""
    return shutil.get_terminal_size().columns


@contextmanager
def user_code_prints_to_stderr() -> Iterator[TextIO]:
    """Send whatever is written to standard output, subprocesses included, to standard error instead.

    Yields a stream that still leads to the real standard output: data goes there, and nothing else.
    """
    sys.stdout.flush()
    data = os.fdopen(os.dup(1), "w", encoding="utf-8")
    before = sys.stdout
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        yield data
    finally:
        sys.stdout = before
        data.flush()
        os.dup2(data.fileno(), 1)
        data.close()
