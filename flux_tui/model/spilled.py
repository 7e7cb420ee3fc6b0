"""Secrets that spilled: the value of a secret key that a run tells elsewhere too, as in a line of its log."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flux_engine.secrets import MASK
from flux_tui.model.secrets import Secrets

LEAST: Final = 6
"""Characters that such a value has at least."""

UNMISTAKABLE: Final = 16
"""Characters from which a value may be of letters alone."""


def values_of(lines: Iterable[str], secrets: Secrets) -> frozenset[str]:
    """Return the values of secret keys in lines of JSON, but for those that may be a word like any other."""
    return frozenset(value for line in lines for value in _values(json.loads(line), secrets))


def _values(value: Any, secrets: Secrets) -> Iterator[str]:
    left = [(value, False)]
    while left:
        each, is_secret = left.pop()
        if isinstance(each, Mapping):
            named = ((key, item) for key, item in each.items() if key != "$type")
            left += [(item, is_secret or key in secrets) for key, item in named]
        elif isinstance(each, list):
            left += [(item, is_secret) for item in each]
        elif is_secret and isinstance(each, str) and _is_no_word(each):
            yield each


def _is_no_word(value: str) -> bool:
    if len(value) < LEAST or MASK in value:
        return False
    return len(value) >= UNMISTAKABLE or (any(map(str.isdigit, value)) and any(map(str.isalpha, value)))


def mopped(text: str, values: Iterable[str]) -> str:
    """Return lines of JSON with a mask in the place of each of these values, wherever it stands."""
    for value in sorted(values, key=lambda value: (-len(value), value)):
        text = text.replace(json.dumps(value, ensure_ascii=False)[1:-1], MASK)
    return text
