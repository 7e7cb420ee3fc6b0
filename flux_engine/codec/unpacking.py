"""Turning what JSON could write into the value it was. The public face of it is ``codec.decode``."""

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from flux_engine.codec.class_names import find_class
from flux_engine.codec.instances import Parts, build_dataclass, build_model, find_member, is_model
from flux_engine.codec.leaf_values import UNPACK, Wire
from flux_engine.errors import SerializationError, UnknownTypeError

_MALFORMED = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)


class Unpacker:
    """Rebuilds a value exactly, or raises."""

    def unpack(self, wire: Any) -> Any:
        """Return the value. Raises ``SerializationError`` and ``UnknownTypeError``."""
        kind = type(wire)
        if kind is list:
            return [self.unpack(item) for item in wire]
        if kind is dict:
            return self._unpack_tagged(wire) if "$type" in wire else self._unpack_attributes(wire)
        return wire

    def _unpack_tagged(self, wire: Wire) -> Any:
        tag = wire["$type"]
        try:
            leaf = UNPACK.get(tag)
            if leaf is not None:
                return leaf(wire)
            nested = _NESTED.get(tag)
            if nested is not None:
                return nested(self, wire)
        except KeyError as error:
            raise _malformed(tag, f"{error} is missing") from error
        except _MALFORMED as error:
            raise _malformed(tag, str(error)) from error
        raise SerializationError(
            f"A stored value has the type {tag!r}, which this version of Flux does not know."
        )

    def unpack_dict(self, wire: Wire) -> dict[Any, Any]:
        """Return the dict of a list of pairs."""
        return {self.unpack(key): self.unpack(item) for key, item in wire["value"]}

    def unpack_tuple(self, wire: Wire) -> tuple[Any, ...]:
        """Return the tuple."""
        return tuple(self._unpack_items(wire["value"]))

    def unpack_set(self, wire: Wire) -> set[Any]:
        """Return the set."""
        return set(self._unpack_items(wire["value"]))

    def unpack_frozenset(self, wire: Wire) -> frozenset[Any]:
        """Return the frozenset."""
        return frozenset(self._unpack_items(wire["value"]))

    def unpack_enum(self, wire: Wire) -> Any:
        """Return the member."""
        cls = self._find(wire, lambda found: issubclass(found, Enum))
        return find_member(cls, wire["name"])

    def unpack_dataclass(self, wire: Wire) -> Any:
        """Return the instance."""
        cls = self._find(wire, dataclasses.is_dataclass)
        return build_dataclass(cls, self._parts(wire))

    def unpack_model(self, wire: Wire) -> Any:
        """Return the instance."""
        cls = self._find(wire, is_model)
        return build_model(cls, self._parts(wire))

    def _find(self, wire: Wire, fits: Callable[[type], bool]) -> Any:
        name = wire["class"]
        if not isinstance(name, str):
            raise TypeError(f"its class is {name!r:.40}, not a name")
        cls = find_class(name, wire["$type"])
        if not fits(cls):
            raise TypeError(f"{name!r} is another kind of class")
        return cls

    def _parts(self, wire: Wire) -> Parts:
        return Parts(
            fields=self._unpack_attributes(wire["value"]),
            unset=tuple(wire.get("unset", ())),
            extra=self._unpack_attributes(wire.get("extra", {})),
            private=self._unpack_attributes(wire.get("private", {})),
            fields_set=tuple(wire.get("set", ())),
        )

    def _unpack_attributes(self, wire: Wire) -> dict[str, Any]:
        return {name: self.unpack(item) for name, item in wire.items()}

    def _unpack_items(self, wire: object) -> list[Any]:
        if not isinstance(wire, list):
            raise TypeError(f"expected a list, found {wire!r:.40}")
        return [self.unpack(item) for item in wire]


class PlainUnpacker(Unpacker):
    """Rebuilds what it can and shows the rest as plain values."""

    def unpack_dict(self, wire: Wire) -> dict[Any, Any]:
        """Return the dict; a key that has become unhashable is shown by its text."""
        pairs = [(self.unpack(key), self.unpack(item)) for key, item in wire["value"]]
        return {key if _hashable(key) else repr(key): item for key, item in pairs}

    def unpack_set(self, wire: Wire) -> Any:
        """Return the set, or the list of its items when some are unhashable now."""
        items = self._unpack_items(wire["value"])
        return set(items) if all(map(_hashable, items)) else items

    def unpack_frozenset(self, wire: Wire) -> Any:
        """Return the set, or the list of its items when some are unhashable now."""
        items = self._unpack_items(wire["value"])
        return frozenset(items) if all(map(_hashable, items)) else items

    def unpack_enum(self, wire: Wire) -> Any:
        """Return the member, or its value, or its name."""
        try:
            return super().unpack_enum(wire)
        except (*_MALFORMED, SerializationError, UnknownTypeError):
            return self.unpack(wire.get("value", wire["name"]))

    def unpack_dataclass(self, wire: Wire) -> Any:
        """Return the instance, or the dict of its fields."""
        try:
            return super().unpack_dataclass(wire)
        except (*_MALFORMED, SerializationError, UnknownTypeError):
            return self._unpack_fields(wire)

    def unpack_model(self, wire: Wire) -> Any:
        """Return the instance, or the dict of its fields."""
        try:
            return super().unpack_model(wire)
        except (*_MALFORMED, SerializationError, UnknownTypeError):
            return self._unpack_fields(wire)

    def _unpack_fields(self, wire: Wire) -> dict[str, Any]:
        return self._unpack_attributes({**wire["value"], **wire.get("extra", {})})


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _malformed(tag: str, reason: str) -> SerializationError:
    return SerializationError(f"A stored {tag} cannot be read: {reason}.")


_NESTED: Mapping[str, Callable[[Unpacker, Wire], Any]] = {
    "dict": lambda unpacker, wire: unpacker.unpack_dict(wire),
    "tuple": lambda unpacker, wire: unpacker.unpack_tuple(wire),
    "set": lambda unpacker, wire: unpacker.unpack_set(wire),
    "frozenset": lambda unpacker, wire: unpacker.unpack_frozenset(wire),
    "enum": lambda unpacker, wire: unpacker.unpack_enum(wire),
    "dataclass": lambda unpacker, wire: unpacker.unpack_dataclass(wire),
    "model": lambda unpacker, wire: unpacker.unpack_model(wire),
}
