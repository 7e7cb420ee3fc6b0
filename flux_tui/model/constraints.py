"""The rules of a JSON schema for one text or number: what they ask, and whether a value keeps them."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID

Schema = Mapping[str, Any]
TOLERANCE: Final = 1e-9

_FORMATS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "date": (date.fromisoformat, "a date such as 2025-01-31"),
    "date-time": (datetime.fromisoformat, "a date and time such as 2025-01-31T12:00:00Z"),
    "time": (time.fromisoformat, "a time such as 12:30:00"),
    "uuid": (UUID, "a UUID"),
}


def words(schema: Schema) -> list[str]:
    """Return what the rules ask, in a few words each."""
    said = []
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        said.append(f"{low} to {high}")
    else:
        said += [f"at least {low}"] if low is not None else []
        said += [f"at most {high}"] if high is not None else []
    for key, phrase in (("exclusiveMinimum", "more than"), ("exclusiveMaximum", "less than")):
        if schema.get(key) is not None:
            said.append(f"{phrase} {schema[key]}")
    if schema.get("multipleOf") is not None:
        said.append(f"a multiple of {schema['multipleOf']}")
    if schema.get("minLength"):
        said.append(f"at least {schema['minLength']} long")
    if schema.get("maxLength") is not None:
        said.append(f"at most {schema['maxLength']} long")
    if schema.get("pattern"):
        said.append(f"like {schema['pattern']}")
    return said


def number_problem(number: float, schema: Schema) -> str | None:
    """Say which rule a number breaks, or ``None``."""
    checks: list[tuple[str, Callable[[float], bool], str]] = [
        ("minimum", lambda limit: number >= limit, "at least"),
        ("maximum", lambda limit: number <= limit, "at most"),
        ("exclusiveMinimum", lambda limit: number > limit, "more than"),
        ("exclusiveMaximum", lambda limit: number < limit, "less than"),
        ("multipleOf", lambda part: not part or _divides(part, number), "a multiple of"),
    ]
    for key, holds, phrase in checks:
        limit = schema.get(key)
        if isinstance(limit, int | float) and not holds(limit):
            return f"must be {phrase} {limit}"
    return None


def _divides(part: float, number: float) -> bool:
    return abs(number / part - round(number / part)) < TOLERANCE


def text_problem(text: str, schema: Schema) -> str | None:
    """Say which rule a text breaks, or ``None``."""
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if isinstance(shortest, int) and len(text) < shortest:
        return f"must be at least {shortest} long, is {len(text)}"
    if isinstance(longest, int) and len(text) > longest:
        return f"must be at most {longest} long, is {len(text)}"
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _matches(pattern, text):
        return f"must be like {pattern}"
    return _format_problem(text, str(schema.get("format")))


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError):
        return True


def _format_problem(text: str, name: str) -> str | None:
    if name not in _FORMATS:
        return None
    read, phrase = _FORMATS[name]
    try:
        read(text)
    except ValueError:
        return f"must be {phrase}"
    return None
