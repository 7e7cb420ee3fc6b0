"""Values without parts that JSON lacks, as tagged JSON objects and back.

``PACK`` has a function for each type, to be chosen by a value's exact type; it raises ``ValueError``
with the reason when a value cannot be written. ``UNPACK`` has the way back for each tag; it raises
``ValueError``, ``TypeError``, ``ArithmeticError`` or ``LookupError`` when the object is malformed.
"""

import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Wire = dict[str, Any]

INT64 = range(-(2**63), 2**63)
"""The integers written as JSON numbers; SQLite, JavaScript and others lose digits of greater ones."""

_DECIMAL_BITS = 4096
"""Integers up to this size are written in decimal, greater ones in hexadecimal, which has no size limit."""


def pack_int(value: int) -> int | Wire:
    """Return an integer as a JSON number if it has 64 bits, else with its digits in a string."""
    if value in INT64:
        return value
    return {"$type": "int", "value": str(value) if value.bit_length() <= _DECIMAL_BITS else hex(value)}


def pack_float(value: float) -> float | Wire:
    """Return a float as a JSON number, or by name if it is none."""
    return value if isfinite(value) else {"$type": "float", "value": repr(value)}


def _pack_datetime(value: datetime) -> Wire:
    return {"$type": "datetime", "value": value.isoformat(), **_pack_zone(value.tzinfo), **_pack_fold(value)}


def _pack_time(value: time) -> Wire:
    return {"$type": "time", "value": value.isoformat(), **_pack_zone(value.tzinfo), **_pack_fold(value)}


def _pack_fold(value: datetime | time) -> Wire:
    return {"fold": 1} if value.fold else {}


def _pack_zone(zone: tzinfo | None) -> Wire:
    """Return what the ISO form, which has the offset, does not tell of a time zone."""
    if zone is None:
        return {}
    if type(zone) is timezone:
        name, offset = zone.tzname(None), zone.utcoffset(None)
        told = {} if name == timezone(offset).tzname(None) else {"zoneName": name}
        # CPython reads an offset of less than a second as UTC.
        return {**told, "zoneOffset": _triple(offset)} if offset.microseconds else told
    if type(zone) is ZoneInfo and zone.key is not None:
        return {"zone": zone.key}
    if type(zone) is getattr(sys.modules.get("pydantic_core"), "TzInfo", None):
        return {"zoneBy": "pydantic"}
    raise ValueError(
        f"its time zone is a {type(zone).__module__}.{type(zone).__qualname__}; "
        f"use zoneinfo.ZoneInfo(name) or datetime.timezone"
    )


def _pack_path(value: Path) -> Wire:
    text = str(value)
    if not text.isascii():
        text.encode()
    return {"$type": "path", "value": text}


def _unpack_int(wire: Wire) -> int:
    return int(_text(wire), 0)


def _unpack_float(wire: Wire) -> float:
    return float(_text(wire))


def _unpack_datetime(wire: Wire) -> datetime:
    value = datetime.fromisoformat(_text(wire))
    zone = _unpack_zone(wire, value)
    return value.replace(tzinfo=zone, fold=wire.get("fold", 0))


def _unpack_time(wire: Wire) -> time:
    value = time.fromisoformat(_text(wire))
    return value.replace(tzinfo=_unpack_zone(wire, value), fold=wire.get("fold", 0))


def _unpack_zone(wire: Wire, value: datetime | time) -> tzinfo | None:
    if "zone" in wire:
        return _zone(wire["zone"])
    offset = timedelta(*wire["zoneOffset"]) if "zoneOffset" in wire else value.utcoffset()
    if offset is None:
        return None
    if "zoneName" in wire:
        return timezone(offset, wire["zoneName"])
    if "zoneOffset" in wire:
        return timezone(offset)
    if wire.get("zoneBy") == "pydantic":
        from pydantic_core import TzInfo  # noqa: PLC0415 - slow to import, rarely wanted

        return TzInfo(int(offset.total_seconds()))
    return value.tzinfo


def _zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"this machine has no time zone {key!r}; install the package tzdata") from error


def _triple(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _unpack_timedelta(wire: Wire) -> timedelta:
    days, seconds, microseconds = wire["value"]
    return timedelta(days, seconds, microseconds)


def _text(wire: Wire) -> str:
    text = wire["value"]
    if not isinstance(text, str):
        raise TypeError(f"expected text, found {text!r:.40}")
    return text


PACK: Mapping[type, Callable[[Any], Any]] = {
    int: pack_int,
    float: pack_float,
    bytes: lambda value: {"$type": "bytes", "value": b64encode(value).decode()},
    datetime: _pack_datetime,
    date: lambda value: {"$type": "date", "value": value.isoformat()},
    time: _pack_time,
    timedelta: lambda value: {"$type": "timedelta", "value": _triple(value)},
    Decimal: lambda value: {"$type": "decimal", "value": str(value)},
    UUID: lambda value: {"$type": "uuid", "value": str(value)},
    type(Path()): _pack_path,
}

UNPACK: Mapping[str, Callable[[Wire], Any]] = {
    "int": _unpack_int,
    "float": _unpack_float,
    "bytes": lambda wire: b64decode(_text(wire), validate=True),
    "datetime": _unpack_datetime,
    "date": lambda wire: date.fromisoformat(_text(wire)),
    "time": _unpack_time,
    "timedelta": _unpack_timedelta,
    "decimal": lambda wire: Decimal(_text(wire)),
    "uuid": lambda wire: UUID(_text(wire)),
    "path": lambda wire: Path(_text(wire)),
}
