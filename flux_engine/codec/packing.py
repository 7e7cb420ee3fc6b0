"""Turning a value into what JSON can write. The public face of it is ``codec.encode``."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from math import isfinite
from types import NoneType
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from flux_engine.codec.class_names import name_of
from flux_engine.codec.instances import (
    Parts,
    dataclass_parts,
    has_private_default,
    is_model,
    member_key,
    model_parts,
)
from flux_engine.codec.leaf_values import INT64, PACK, Wire
from flux_engine.errors import SerializationError

if TYPE_CHECKING:
    from pydantic import BaseModel

DEEPEST = 200
"""How many values may be nested in one another."""

_LONGEST_TRAIL = 40


class Packer:
    """Turns one value into what JSON can write, keeping track of where in the value it is."""

    def __init__(self, root: str) -> None:
        self._trail = [root]
        self._open: set[int] = set()

    def pack(self, value: Any) -> Any:
        """Return what JSON can write for the value. Raises ``SerializationError`` as ``encode`` does."""
        kind = type(value)
        if kind is str:
            return self._pack_text(value)
        if kind is bool or kind is NoneType:
            return value
        leaf = PACK.get(kind)
        if leaf is not None:
            try:
                return leaf(value)
            except ValueError as error:
                self.refuse(str(error), "", value)
        return self._pack_nested(value)

    def refuse(self, reason: str, advice: str, value: Any = None) -> NoReturn:
        """Raise ``SerializationError`` for the place that the packer has come to."""
        trail = self._trail if len(self._trail) < _LONGEST_TRAIL else [*self._trail[:_LONGEST_TRAIL], "…"]
        place = "".join(trail).removeprefix(".")
        kind = "" if value is None else f" ({type(value).__module__}.{type(value).__qualname__})"
        text = f"{place or 'The value'}{kind} cannot be stored: {reason}. {advice}"
        raise SerializationError(text.strip())

    def _pack_text(self, value: str) -> str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                self.refuse("it has surrogates, which are no characters", "Store bytes instead.", value)
        return value

    def _pack_nested(self, value: Any) -> Any:
        kind = type(value)
        if (kind is list and _is_flat(value)) or (kind is dict and _is_flat_dict(value)):
            return value
        pack = _CONTAINERS.get(kind) or self._pack_of_class(value)
        if id(value) in self._open:
            self.refuse("it contains itself", "Store an id in place of the reference.", value)
        if len(self._open) >= DEEPEST:
            self.refuse(f"it is nested more than {DEEPEST} levels deep", "Store fewer levels.", value)
        self._open.add(id(value))
        wire = pack(self, value)
        self._open.discard(id(value))
        return wire

    def _pack_of_class(self, value: Any) -> "Callable[[Packer, Any], Any]":
        cls = type(value)
        if isinstance(value, Enum):
            return Packer._pack_enum
        if is_model(cls):
            return Packer._pack_model
        if isinstance(value, dict) and getattr(cls, "__flux_plain__", False) is True:
            return Packer._pack_dict
        if dataclasses.is_dataclass(cls):
            return Packer._pack_dataclass
        return self.refuse("a value of this type would not come back as it is", _advice(value), value)

    def _pack_inside(self, part: str, value: Any) -> Any:
        self._trail.append(part)
        wire = self.pack(value)
        self._trail.pop()
        return wire

    def _pack_items(self, values: Any) -> list[Any]:
        return [self._pack_inside(f"[{index}]", item) for index, item in enumerate(values)]

    def _pack_attributes(self, values: Mapping[str, Any]) -> Wire:
        return {self._pack_text(name): self._pack_inside(_part(name), item) for name, item in values.items()}

    def _pack_dict(self, value: dict[Any, Any]) -> Wire:
        items = dict.items(value)
        if "$type" not in value and all(type(key) is str for key, _ in items):
            return self._pack_attributes(dict(items))
        pairs = [
            [self._pack_inside("<key>", key), self._pack_inside(_part(key), item)] for key, item in items
        ]
        return {"$type": "dict", "value": pairs}

    def _pack_set(self, value: set[Any] | frozenset[Any]) -> Wire:
        # Sets have another order in each process; sorted, equal sets have equal texts.
        same = len({type(item) for item in value}) == 1 and type(next(iter(value))) in {str, int}
        items = self._pack_items(sorted(value) if same else value)
        return {
            "$type": type(value).__name__,
            "value": items if same else sorted(items, key=msgspec.json.encode),
        }

    def _pack_tuple(self, value: tuple[Any, ...]) -> Wire:
        return {"$type": "tuple", "value": self._pack_items(value)}

    def _pack_enum(self, value: Enum) -> Wire:
        wire: Wire = {"$type": "enum", "class": self._name(value), "name": member_key(value)}
        content = self._if_storable("._value_", value.value)
        return wire if content is _UNSTORABLE else {**wire, "value": content}

    def _pack_dataclass(self, value: Any) -> Wire:
        name = self._name(value)
        try:
            parts = dataclass_parts(value)
        except ValueError as error:
            self.refuse(str(error), "Store a plain dataclass.", value)
        return self._pack_parts({"$type": "dataclass", "class": name}, parts)

    def _pack_model(self, value: "BaseModel") -> Wire:
        parts = model_parts(value)
        wire = self._pack_parts({"$type": "model", "class": self._name(value)}, parts)
        private = {name: self._pack_private(value, name, item) for name, item in parts.private.items()}
        private = {name: item for name, item in private.items() if item is not _UNSTORABLE}
        wire["set"] = list(parts.fields_set)
        return {**wire, "private": private} if private else wire

    def _pack_private(self, model: "BaseModel", name: str, value: Any) -> Any:
        if has_private_default(type(model), name):
            return self._if_storable(_part(name), value)
        return self._pack_inside(_part(name), value)

    def _pack_parts(self, wire: Wire, parts: Parts) -> Wire:
        wire["value"] = self._pack_attributes(parts.fields)
        if parts.unset:
            wire["unset"] = list(parts.unset)
        if parts.extra:
            wire["extra"] = self._pack_attributes(parts.extra)
        return wire

    def _if_storable(self, part: str, value: Any) -> Any:
        depth, opened = len(self._trail), set(self._open)
        try:
            return self._pack_inside(part, value)
        except SerializationError:
            del self._trail[depth:]
            self._open = opened
            return _UNSTORABLE

    def _name(self, value: Any) -> str:
        try:
            cls: type = type(value)
            return name_of(cls)
        except SerializationError as error:
            self.refuse(str(error).removesuffix("."), "", value)


_UNSTORABLE = object()

_CONTAINERS: Mapping[type, Callable[[Packer, Any], Any]] = {
    list: Packer._pack_items,  # noqa: SLF001
    dict: Packer._pack_dict,  # noqa: SLF001
    tuple: Packer._pack_tuple,  # noqa: SLF001
    set: Packer._pack_set,  # noqa: SLF001
    frozenset: Packer._pack_set,  # noqa: SLF001
}


def _is_flat(items: Iterable[Any]) -> bool:
    """Whether all items are scalars that JSON writes as they are (text: ASCII, which has no surrogates)."""
    for item in items:
        kind = type(item)
        if not (
            (kind is str and item.isascii())
            or kind is bool
            or kind is NoneType
            or (kind is int and item in INT64)
            or (kind is float and isfinite(item))
        ):
            return False
    return True


def _is_flat_dict(value: dict[Any, Any]) -> bool:
    names = "$type" not in value and all(type(key) is str and key.isascii() for key in value)
    return names and _is_flat(value.values())


def _part(key: object) -> str:
    """Return how a path goes on to a key or an attribute."""
    if type(key) is str:
        return f".{key}" if key.isidentifier() else f"[{key!r}]"
    return f"[{key!r}]" if type(key) in {int, bool, NoneType} else f"[<{type(key).__qualname__}>]"


def _advice(value: Any) -> str:
    """Return what to store in place of a value that cannot be stored."""
    for base in (dict, list, tuple, set, frozenset, str, bytes, int, float):
        if isinstance(value, base):
            return f"Convert it, with {base.__name__}(…), or use a dataclass."
    if isinstance(value, type) or callable(value):
        return "Store its name, and look it up where it is needed."
    if hasattr(value, "__next__"):
        return "Store list(…) of it."
    return "Store its fields in a dict, a dataclass or a pydantic model, or an id by which to find it."
