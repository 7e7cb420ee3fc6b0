"""What was looked at, and what came of it."""

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """How it stands: all is well; it works, but; it does not work."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Check(Struct, frozen=True, kw_only=True):
    """One line. ``advice`` says what to do, and is empty where all is well."""

    area: str
    state: State
    text: str
    advice: str = ""


def good(area: str, text: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(area=area, state=State.GOOD, text=text)


def warning(area: str, text: str, advice: str) -> Check:
    """Return a check of something that works, but not well."""
    return Check(area=area, state=State.WARNING, text=text, advice=advice)


def bad(area: str, text: str, advice: str) -> Check:
    """Return a check of something that does not work."""
    return Check(area=area, state=State.BAD, text=text, advice=advice)
