"""Data as a tree of rows, built only where it is open.

A node knows how many rows are visible below it and finds any of them by its number, so that a dict of
a hundred thousand keys costs a list of its keys and nothing more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from typing import Any, Final

from msgspec import Struct

from flux_tui.model.remade import is_same, remade

TEXT_CHUNK: Final = 120
INLINE_TEXT: Final = 60
MOST_CHUNKS: Final = 5_000
DEEPEST: Final = 200
"""Levels down to which values are told apart by what is inside them; below, they differ as a whole."""

Path = tuple[Hashable, ...]


class Missing(Enum):
    """The value on the side of a comparison where there is none."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Mark(StrEnum):
    """What happened to a value between before and after."""

    SAME = "same"
    ADDED = "added"
    CHANGED = "changed"
    DELETED = "deleted"


class Chunk(Struct, frozen=True):
    """A piece of a long text: the key of a row that shows it."""

    start: int
    end: int


class Row(Struct, frozen=True, kw_only=True):
    """One visible row of the tree. ``depth`` is 0 for the children of the root."""

    path: Path
    key: Hashable
    depth: int
    before: Any
    after: Any
    mark: Mark
    expandable: bool
    opened: bool

    @property
    def value(self) -> Any:
        """The value as it is now, or as it was if it is gone."""
        return self.before if self.after is MISSING else self.after


def mark_of(before: Any, after: Any) -> Mark:
    """Compare two values, either of which may be missing."""
    if before is MISSING:
        return Mark.SAME if after is MISSING else Mark.ADDED
    if after is MISSING:
        return Mark.DELETED
    if before is after:
        return Mark.SAME
    same = type(before) is type(after) and is_same(before, after)
    return Mark.SAME if same else Mark.CHANGED


def type_tag(value: Any) -> str | None:
    """Return the name of a type that JSON has not, or ``None``; tagged values of the codec have theirs."""
    if value is None or value is MISSING:
        return None
    if isinstance(value, str | bool | int | float | list) and not isinstance(value, Enum):
        return None
    if not isinstance(value, Mapping):
        return type(value).__name__
    tag = value.get("$type")
    if not isinstance(tag, str):
        return None
    name = value.get("class")
    return name.rpartition(":")[2] if isinstance(name, str) else tag


def untagged(value: Any) -> Any:
    """Return a value as JSON has it: what a tagged value contains, the text of a date, a set as a list."""
    if type_tag(value) is None:
        return value
    if isinstance(value, Mapping):
        inner = value.get("value", value.get("name", MISSING))
        if inner is MISSING:
            return {key: item for key, item in value.items() if key not in ("$type", "class")}
        return _of_pairs(inner) if value["$type"] == "dict" else inner
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    if isinstance(value, Enum):
        return value.name
    return repr(value) if isinstance(value, bytes | bytearray) else str(value)


def bare(value: Any) -> Any:
    """Return a value as JSON has it, down to its leaves."""
    return remade(value, _bare)


def _bare(value: Any) -> Any:
    value = untagged(value)
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    return value.copy() if isinstance(value, list) else value


def _of_pairs(pairs: Any) -> Any:
    """Return a dict whose keys are no strings, which is stored as pairs; anything else as it is."""
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004
        return pairs
    return {key if isinstance(key, Hashable) else str(bare(key)): item for key, item in pairs}


def expandable(value: Any) -> bool:
    """Whether the value has rows below it."""
    value = untagged(value)
    if isinstance(value, str):
        return len(value) > INLINE_TEXT or "\n" in value
    return isinstance(value, Mapping | list) and len(value) > 0


def text_chunks(text: str) -> list[Chunk]:
    """Cut a text into its lines, and long lines into pieces; after ``MOST_CHUNKS`` the rest is one."""
    chunks: list[Chunk] = []
    start = 0
    while start <= len(text):
        if len(chunks) >= MOST_CHUNKS:
            last = chunks[MOST_CHUNKS - 1].end
            return [*chunks[:MOST_CHUNKS], Chunk(last, len(text))]
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        pieces = range(start, max(end, start + 1), TEXT_CHUNK)[: MOST_CHUNKS + 1]
        chunks.extend(Chunk(at, min(at + TEXT_CHUNK, end)) for at in pieces)
        start = end + 1
    if len(chunks) > 1 and chunks[-1].start >= len(text):
        chunks.pop()
    return chunks


class Node:
    """A value, before and after, whose children are listed; those that are open are nodes themselves."""

    def __init__(
        self,
        path: Path,
        before: Any,
        after: Any,
        *,
        only_changes: bool = False,
        outer: Node | None = None,
    ) -> None:
        self.path = path
        self.before, self.after = before, after
        self.only_changes = only_changes
        self._old, self._new = untagged(before), untagged(after)
        self.keys = self._keys()
        self.open: dict[int, Node] = {}
        self.total = len(self.keys)
        """How many rows are visible below this node."""
        self.outer = outer
        self._position: dict[Hashable, int] | None = None

    def _keys(self) -> Sequence[Hashable]:
        keys = merged_keys(self._old, self._new)
        if self.only_changes:
            return [key for key in keys if mark_of(*self._sides(key)) is not Mark.SAME]
        return keys

    def _sides(self, key: Hashable) -> tuple[Any, Any]:
        if isinstance(key, Chunk):
            text = self._old if self._new is MISSING else self._new
            return (piece := text[key.start : key.end]), piece
        return _get(self._old, key), _get(self._new, key)

    def child(self, index: int) -> tuple[Any, Any]:
        """Return the two sides of a child."""
        return self._sides(self.keys[index])

    def expandable_keys(self) -> Iterator[Hashable]:
        """Yield the children that have rows below them."""
        for key in self.keys:
            before, after = self._sides(key)
            if not isinstance(key, Chunk) and expandable(before if after is MISSING else after):
                yield key

    def position(self, key: Hashable) -> int | None:
        """Return where among the children a key is."""
        if isinstance(self.keys, range):
            return key if isinstance(key, int) and key in self.keys else None
        if self._position is None:
            self._position = {child: index for index, child in enumerate(self.keys)}
        return self._position.get(key)

    def expand(self, index: int) -> Node:
        """Open a child."""
        node = self.open.get(index)
        if node is None:
            node = self.open[index] = self.inner(index)
            self._more(node.total)
        return node

    def _more(self, rows: int) -> None:
        node: Node | None = self
        while node is not None:
            node.total += rows
            node = node.outer

    def inner(self, index: int) -> Node:
        """Return a child as it would be if it was open."""
        before, after = self.child(index)
        # What is new or gone as a whole has no changes inside it.
        marked = self.only_changes and len(self.path) < DEEPEST
        inside = marked and mark_of(before, after) is Mark.CHANGED
        return Node((*self.path, self.keys[index]), before, after, only_changes=inside, outer=self)

    def row(self, number: int) -> Row:
        """Return the row with this number among those below this node. Raises ``IndexError``."""
        node: Node = self
        depth = 0
        while True:
            inner, index, offset = node._locate(number)
            if inner is None:
                return node._row(index, depth)
            node, number, depth = inner, offset, depth + 1

    def _locate(self, number: int) -> tuple[Node | None, int, int]:
        """Return ``(None, child, 0)`` for a child's own row, or the open child and the number inside it."""
        before = 0
        for index in sorted(self.open):
            node = self.open[index]
            own = index + before
            if number <= own:
                break
            if number <= own + node.total:
                return node, index, number - own - 1
            before += node.total
        index = number - before
        if not 0 <= index < len(self.keys):
            raise IndexError(number)
        return None, index, 0

    def _row(self, index: int, depth: int) -> Row:
        before, after = self.child(index)
        key = self.keys[index]
        shown = before if after is MISSING else after
        return Row(
            path=(*self.path, key),
            key=key,
            depth=depth,
            before=before,
            after=after,
            mark=mark_of(before, after),
            expandable=not isinstance(key, Chunk) and expandable(shown),
            opened=index in self.open,
        )

    def number(self, path: Path) -> int | None:
        """Return the number of the row with this path, if all above it is open."""
        node: Node = self
        number = -1
        for depth, key in enumerate(path):
            index = node.position(key)
            if index is None:
                return None
            number += 1 + index + sum(inner.total for at, inner in node.open.items() if at < index)
            if depth < len(path) - 1:
                if index not in node.open:
                    return None
                node = node.open[index]
        return number

    def reveal(self, path: Path) -> int | None:
        """Open what is above a path and return the number of its row, or ``None`` when it is not there."""
        node: Node = self
        for key in path[:-1]:
            index = node.position(key)
            if index is None:
                return None
            node = node.expand(index)
        return self.number(path)

    def close(self, path: Path) -> bool:
        """Close the row with this path; return whether it was open."""
        node: Node = self
        for depth, key in enumerate(path):
            index = node.position(key)
            if index is None or index not in node.open:
                return False
            if depth == len(path) - 1:
                node._more(-node.open.pop(index).total)
                return True
            node = node.open[index]
        return False

    def open_paths(self) -> Iterator[Path]:
        """Yield the paths of all open rows, outer ones first."""
        stack = [self]
        while stack:
            node = stack.pop()
            for inner in node.open.values():
                yield inner.path
                stack.append(inner)


def merged_keys(old: Any, new: Any) -> Sequence[Hashable]:
    """Return the keys of both sides: those of the new one in order, then those that are gone."""
    if isinstance(new, Mapping):
        keys = list(new)
        return keys + [key for key in old if key not in new] if isinstance(old, Mapping) else keys
    if isinstance(new, list):
        return range(max(len(new), len(old) if isinstance(old, list) else 0))
    if isinstance(new, str):
        return text_chunks(new) if expandable(new) else ()
    if new is MISSING and old is not MISSING:
        return merged_keys(MISSING, old)
    return ()


def _get(value: Any, key: Hashable) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, MISSING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return MISSING
