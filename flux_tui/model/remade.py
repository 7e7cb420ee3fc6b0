"""Copying values of any depth: what is nested deeper than Python calls functions is copied all the same."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

_WHOLE: Final = (int, float, bool, type(None))
"""The types whose values stay as they are wherever they are met."""


class Done(Struct, frozen=True):
    """A value that stands in the copy as it is; nothing inside it is looked at."""

    value: Any


def remade(value: Any, make: Callable[[Any], Any]) -> Any:
    """Return a copy in which each value is what ``make`` makes of it, from the outside in.

    A dict or a list that ``make`` returns has to be a new one; what is in it is made in its turn, unless
    it is ``Done``. Numbers and constants stay.
    """
    whole = [value]
    waiting: list[dict[Any, Any] | list[Any]] = [whole]
    while waiting:
        inside = waiting.pop()
        for key, item in inside.items() if isinstance(inside, dict) else enumerate(inside):
            if type(item) in _WHOLE:
                continue
            made = item if type(item) is Done else make(item)
            if type(made) is Done:
                inside[key] = made.value
                continue
            inside[key] = made
            if isinstance(made, dict | list):
                waiting.append(made)
    return whole[0]


def is_same(first: Any, second: Any) -> bool:
    """Whether two values are equal, however deep they are."""
    try:
        return bool(first == second)
    except RecursionError:
        return _is_same(first, second)


def _is_same(first: Any, second: Any) -> bool:
    waiting = [(first, second)]
    while waiting:
        one, other = waiting.pop()
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            if len(one) != len(other) or any(key not in other for key in one):
                return False
            waiting += [(item, other[key]) for key, item in one.items()]
        elif isinstance(one, list | tuple) and type(one) is type(other):
            if len(one) != len(other):
                return False
            waiting += zip(one, other, strict=True)
        elif one != other:
            return False
    return True
