"""A bar on standard error that shows how far something is; on a terminal only."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from flux_tui.cli.terminal import Look, width

_CELLS: Final = 30
_SECONDS: Final = 0.1
_ERASE: Final = "\r\x1b[2K"


class Bar:
    """Draws itself at most ten times a second."""

    def __init__(self, title: str, look: Look, stream: TextIO) -> None:
        self._title = title
        self._look = look
        self._stream = stream
        self._drawn_at = 0.0

    def show(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        now = time.monotonic()
        if now - self._drawn_at < _SECONDS and done < total:
            return
        self._drawn_at = now
        share = min(done / total, 1.0) if total else 1.0
        full = round(share * _CELLS)
        sign, rest = self._look.sign("█", "#"), self._look.sign("░", ".")
        text = f"{self._title} {sign * full}{rest * (_CELLS - full)} {share:>4.0%}  {done:,}/{total:,}"
        self._stream.write(_ERASE + text[: width() - 1])
        self._stream.flush()

    def erase(self) -> None:
        """Take the bar away, if it was drawn."""
        if self._drawn_at:
            self._stream.write(_ERASE)
            self._stream.flush()


class _NoBar(Bar):
    def show(self, done: int, total: int) -> None:
        """Show nothing."""


@contextmanager
def bar(title: str, look: Look) -> Iterator[Bar]:
    """Give a bar to show progress with; it is gone afterwards, and never there without a terminal."""
    shown = (Bar if sys.stderr.isatty() else _NoBar)(title, look, sys.stderr)
    try:
        yield shown
    finally:
        shown.erase()
