"""A stretch of time in the life of a step: an attempt, a back-off, a wait."""

from typing import Final, Literal

from msgspec import Struct

from flux_engine.execution import ErrorInfo

Kind = Literal["attempt", "back-off", "wait", "compensation", "skipped"]


MOST: Final = 400
"""How many characters of an error are kept with a span."""


def one_line(text: object) -> str:
    """Return a text, an error for one, as a line that is not too long."""
    return " ".join(str(text)[:MOST].split())


class Span(Struct, frozen=True, kw_only=True):
    """A stretch of time of one step. ``end`` is ``None`` while it lasts, ``took`` may be known better.

    ``status`` is how an attempt or compensation ended; ``delay`` the back-off that followed a failed attempt,
    ``note`` the error on one line, what is waited for, or why the step was skipped.
    """

    kind: Kind
    start: float
    end: float | None = None
    status: str = "running"
    attempt: int | None = None
    took: float | None = None
    delay: float | None = None
    note: str = ""


class FailedAttempt(Struct, frozen=True, kw_only=True):
    """An attempt that failed. Times are milliseconds; ``delay`` is the wait before the next attempt."""

    number: int
    error: ErrorInfo
    timestamp: float
    duration: float | None = None
    delay: float | None = None
