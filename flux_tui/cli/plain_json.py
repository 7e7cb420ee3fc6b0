"""Values of the user as plain JSON, to print: what a program that reads the output expects.

Unlike the form in which values are stored, this one is for reading only: a ``Decimal`` or a date becomes
a string, bytes become base64, a model an object.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from flux_tui.model.json_text import write_json


def to_plain(value: Any) -> Any:
    """Return ``value`` made of dicts, lists, strings, numbers, booleans and ``None`` only."""
    return to_jsonable_python(
        _unpacked(value), bytes_mode="base64", inf_nan_mode="strings", fallback=_fallback
    )


def to_text(value: Any) -> str:
    """Return ``value`` as indented JSON text."""
    return write_json(to_plain(value))


def _unpacked(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _unpacked(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, BaseModel):  # as values, for what its own settings make of bytes may not be text
        return _unpacked(value.model_dump(by_alias=True, warnings=False))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _unpacked(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): _unpacked(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_unpacked(entry) for entry in value]
    return value


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(to_jsonable_python(key, fallback=repr))


def _fallback(value: Any) -> Any:
    return repr(value)
