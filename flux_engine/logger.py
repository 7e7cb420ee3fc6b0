"""Where the engine tells what it does."""

import logging
import sys
from typing import Protocol, TextIO

from flux_engine.secrets import registered


class FluxLogger(Protocol):
    """What the engine and ``ctx.logger`` need of a logger. A ``logging.Logger`` is one."""

    def debug(self, message: str, /) -> None:
        """Tell a detail."""

    def info(self, message: str, /) -> None:
        """Tell what happened."""

    def warning(self, message: str, /) -> None:
        """Tell what may go wrong."""

    def error(self, message: str, /) -> None:
        """Tell what went wrong."""


class FluxConsoleLogger:
    """Writes to standard error, from ``level`` up: ``debug``, ``info``, ``warning`` or ``error``."""

    _LEVELS = ("debug", "info", "warning", "error")

    def __init__(self, level: str = "info", stream: TextIO | None = None) -> None:
        if level not in self._LEVELS:
            raise ValueError(f"level is one of {', '.join(self._LEVELS)}, not {level!r}")
        self._least = self._LEVELS.index(level)
        self._stream = stream

    def _write(self, level: int, message: str) -> None:
        if level >= self._least:
            told = registered.mask(message)
            print(f"[flux] {self._LEVELS[level]}: {told}", file=self._stream or sys.stderr)

    def debug(self, message: str, /) -> None:
        """Write a detail."""
        self._write(0, message)

    def info(self, message: str, /) -> None:
        """Write what happened."""
        self._write(1, message)

    def warning(self, message: str, /) -> None:
        """Write what may go wrong."""
        self._write(2, message)

    def error(self, message: str, /) -> None:
        """Write what went wrong."""
        self._write(3, message)


class FluxSilentLogger:
    """Says nothing."""

    def debug(self, message: str, /) -> None:
        """Say nothing."""

    def info(self, message: str, /) -> None:
        """Say nothing."""

    def warning(self, message: str, /) -> None:
        """Say nothing."""

    def error(self, message: str, /) -> None:
        """Say nothing."""


def default_logger() -> FluxLogger:
    """Return the logger of an engine that was given none: ``logging``'s, under ``flux_engine``."""
    return logging.getLogger("flux_engine")
