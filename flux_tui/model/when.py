"""Times and durations as they are typed: ``10m`` ago, ``today``, a date, a time of day; ``5s``, ``300ms``."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d|w)")
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(t\d\d:\d\d(:\d\d)?)?$")
_DAYS: Final = {"today": 0, "yesterday": 1}


def duration(text: str) -> float | None:
    """Return a duration in seconds, or ``None`` when this is none."""
    match = _DURATION.fullmatch(text)
    return None if match is None else float(match[1]) * _SECONDS[match[2]]


def moment(text: str, now: float) -> float | None:
    """Return a moment in seconds since the epoch, or ``None`` when this is none.

    ``10m`` is so long before ``now``; a date or ``today`` is its beginning in local time, ``14:30`` is today.
    A date may have a time: ``2026-11-01t14:30``.
    """
    ago = duration(text)
    if ago is not None:
        return now - ago
    try:
        named = _named(text, datetime.fromtimestamp(now, UTC).astimezone().date())
        return None if named is None else named.astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _named(text: str, today: date) -> datetime | None:
    """Return the local time of this name. Raises ``ValueError`` when it names no time that there is."""
    if text in _DAYS:
        return datetime.combine(today - timedelta(days=_DAYS[text]), time())
    if _CLOCK.fullmatch(text):
        return datetime.combine(today, time.fromisoformat(text.zfill(5)))
    return datetime.fromisoformat(text.upper()) if _DATE.match(text) else None
