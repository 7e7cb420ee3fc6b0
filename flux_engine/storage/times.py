"""Times in the store: ISO-8601 text in UTC, so that they compare as they read."""

from datetime import UTC, datetime
from functools import lru_cache
from math import modf


def to_text(seconds: float) -> str:
    """Return seconds since the epoch as ISO-8601 in UTC, to the microsecond."""
    part, whole = modf(seconds)
    microseconds = round(part * 1e6)  # half to even, as datetime does
    if 0 <= microseconds < _MILLION:
        return f"{_second(whole)}.{microseconds:06}Z"
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + "Z"


_MILLION = 1_000_000


@lru_cache(maxsize=64)
def _second(whole: float) -> str:
    """Return a second as text. The times that a step writes lie in the same few seconds."""
    return datetime.fromtimestamp(whole, UTC).replace(tzinfo=None).isoformat()


def to_seconds(text: str) -> float:
    """Return what ``to_text`` was given, to the microsecond."""
    return datetime.fromisoformat(text).timestamp()


def optional_text(seconds: float | None) -> str | None:
    """Return a time as ``to_text`` does, ``None`` for none."""
    return None if seconds is None else to_text(seconds)


def optional_seconds(text: str | None) -> float | None:
    """Return a time as ``to_seconds`` does, ``None`` for none."""
    return None if text is None else to_seconds(text)
