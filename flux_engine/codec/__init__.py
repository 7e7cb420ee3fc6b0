"""Values of the user as JSON text, and back as the same values of the same types.

What JSON has is written as such. Everything else is an object with a tag,
``{"$type": "datetime", "value": "…"}``; a dict with keys that are not strings, or with a key ``$type`` of its
own, is a tagged list of pairs. Instances of classes are written under the name of their class, with the
values of their fields, and read back without running constructors or validators.

Two things do not come back: that one object was in two places, and a private attribute of a pydantic
model that cannot be stored but has a default; it gets its default again.
"""

from math import isfinite
from types import NoneType
from typing import Any

import msgspec

from flux_engine.codec.leaf_values import INT64
from flux_engine.codec.packing import DEEPEST, Packer
from flux_engine.codec.unpacking import PlainUnpacker, Unpacker
from flux_engine.errors import SerializationError


def encode(value: Any, *, root: str = "") -> str:
    """Return the value as JSON text from which ``decode`` makes the same value of the same type.

    ``root`` is what messages call the value, for example the key of ``ctx.data`` that it belongs to. Besides
    the types of the standard library and of classes, a subclass of dict with the class attribute
    ``__flux_plain__ = True`` is stored, as a dict.

    Raises ``SerializationError``, which names the place inside the value and the type found there.
    """
    try:
        if _is_plain_scalar(value) or _is_plain(value, 0):
            return _encode(value).decode()
    except (UnicodeEncodeError, RecursionError):
        pass  # the packer finds the place
    packer = Packer(root)
    try:
        return _encode(packer.pack(value)).decode()
    except RecursionError:
        packer.refuse("it is nested too deeply", "Store fewer levels.")
    except RuntimeError as error:
        packer.refuse(f"it was changed while it was stored ({error})", "Store a copy.")


def decode(text: str) -> Any:
    """Return the value that was encoded.

    Raises ``UnknownTypeError`` when a class is not loaded, ``SerializationError`` when the text is not what
    ``encode`` writes.
    """
    return _decode(text, Unpacker)


def decode_plain(text: str) -> Any:
    """Return the value for looking at it, whichever classes are loaded.

    An instance of a class that is not loaded, or no longer has the stored form, comes back as the dict of its
    fields; an enum member as its value. Raises ``SerializationError`` as ``decode`` does.
    """
    return _decode(text, PlainUnpacker)


_encode = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode


def _decode(text: str, unpacker: type[Unpacker]) -> Any:
    try:
        wire = _decode_json(text)
        # An escape could spell the tag in another way; the encoder escapes control characters only.
        return unpacker().unpack(wire) if "$type" in text or "\\u" in text else wire
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise SerializationError(
            f"A stored value is not JSON: {error}. It begins with {text[:40]!r}."
        ) from error
    except RecursionError as error:
        raise SerializationError("A stored value is nested too deeply to be read.") from error


def _is_plain(value: Any, depth: int) -> bool:
    """Whether JSON writes the value so that the same value comes back, judged by exact types."""
    kind = type(value)
    if kind is dict:
        if "$type" in value:
            return False
        for key in value:
            if type(key) is not str:
                return False
        items = value.values()
    elif kind is list:
        items = value
    else:
        return _is_plain_scalar(value)
    if depth >= DEEPEST:
        return False
    for item in items:
        kind = type(item)
        if kind is str or kind is bool or kind is NoneType:
            continue
        if not (_is_plain(item, depth + 1) if kind is dict or kind is list else _is_plain_scalar(item)):
            return False
    return True


def _is_plain_scalar(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is bool or kind is NoneType:
        return True
    if kind is int:
        return value in INT64
    return kind is float and isfinite(value)
