"""Values cut down to what can be looked at, so that showing a huge one takes no longer than a large one."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from flux_engine.secrets import registered

LONGEST_TEXT: Final = 20_000
MOST_ITEMS: Final = 20_000
MOST_CHARACTERS: Final = 500_000
DEEPEST: Final = 150


class Pruner:
    """Copies a value until there is enough of it; what is left out is told in its place."""

    def __init__(self, items: int = MOST_ITEMS, characters: int = MOST_CHARACTERS) -> None:
        self._items = items
        self._characters = characters

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        return self._items <= 0 or self._characters <= 0

    def pruned(self, value: Any, depth: int = 0) -> Any:
        """Return the value, or as much of it as there is room for."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        return self._list(value, depth) if isinstance(value, list | tuple) else value

    def _text(self, text: str) -> str:
        room = max(min(LONGEST_TEXT, self._characters), 100)
        self._characters -= len(text)
        more = f"… {len(text) - room:,} more characters"
        return text if len(text) <= room else registered.mask_cut(text[:room]) + more

    def _room(self, count: int, depth: int) -> int:
        if depth >= DEEPEST:
            self._items = 0
        room = min(count, max(self._items, 0))
        self._items -= room
        return room

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
        room = self._room(len(value), depth)
        shown = {
            self._text(key) if isinstance(key, str) else key: self.pruned(item, depth + 1)
            for key, item in islice(value.items(), room)
        }
        return shown if room == len(value) else {**shown, "…": f"{len(value) - room:,} more keys"}

    def _list(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        room = self._room(len(value), depth)
        shown = [self.pruned(item, depth + 1) for item in value[:room]]
        return shown if room == len(value) else [*shown, f"… {len(value) - room:,} more items"]


def pruned(value: Any) -> Any:
    """Return a value of any size and depth as one that is quickly drawn; a small one is the same."""
    return Pruner().pruned(value)


def is_large(value: Any) -> bool:
    """Whether a value is too large to be edited as text without keeping the keyboard waiting."""
    return bool(value) and not editable({"": value})


def editable(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of data that are to be edited as text: the first ones, without large values."""
    found: dict[str, Any] = {}
    room = _editor_room()
    for key, item in data.items():
        own = _editor_room()
        own.pruned({key: item})
        if own.is_full:
            continue
        room.pruned({key: item})
        if room.is_full:
            break
        found[key] = item
    return found


def _editor_room() -> Pruner:
    return Pruner(items=2_000, characters=50_000)
