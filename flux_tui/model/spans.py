"""A stretch of time in the life of a step: an attempt, a back-off, a wait."""

from typing import Literal

from msgspec import Struct

Kind = Literal["attempt", "back-off", "wait", "compensation", "skipped"]


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
