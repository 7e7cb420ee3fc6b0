"""A value in one line: short, typed by its look, with secrets masked."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from flux_engine.secrets import registered
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.text import drawable, printable
from flux_tui.model.tree import MISSING, type_tag, untagged

Piece = tuple[str, str]
"""A piece of text and what it is: ``key text number constant type punctuation note secret``."""

PREVIEW_ITEMS: Final = 4
PREVIEW_CHARACTERS: Final = 200


def preview(value: Any, secrets: Secrets | None, *, characters: int = PREVIEW_CHARACTERS) -> list[Piece]:
    """Return a value as pieces of one line, the whole not much longer than ``characters``.

    ``secrets`` says which keys inside are masked; ``None`` masks nothing.
    """
    tag = type_tag(value)
    inner = untagged(value)
    if tag is not None:
        return [(printable(tag[:80]), "type"), (" ", "punctuation"), *_tagged(inner, secrets, characters)]
    if isinstance(value, Mapping):
        return [*_mapping(value, secrets, characters)]
    if isinstance(value, list):
        return [*_sequence(value, secrets, characters)]
    return [_scalar(value, secrets, characters)]


def _tagged(inner: Any, secrets: Secrets | None, characters: int) -> list[Piece]:
    if isinstance(inner, str):
        return [(_shown(inner[:characters], secrets), "text")]
    return preview(inner, secrets, characters=characters)


def _scalar(value: Any, secrets: Secrets | None, characters: int) -> Piece:
    if isinstance(value, str):
        text = json.dumps(_masked(value[:characters], secrets), ensure_ascii=False)
        return drawable(text if len(value) <= characters else text[:-1] + "…"), "text"
    if value is None or value is True or value is False:
        return json.dumps(value), "constant"
    if isinstance(value, int | float):
        return _number(value), "number"
    return ("", "note") if value is MISSING else (printable(repr(value)[:characters]), "note")


def _number(value: float) -> str:
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python prints
        return f"an integer of {int(value).bit_length()} bits"


def _mapping(value: Mapping[Any, Any], secrets: Secrets | None, characters: int) -> Iterator[Piece]:
    def items() -> Iterator[list[Piece]]:
        for key, item in value.items():
            name = (f"{printable(str(key)[:40])}: ", "key")
            yield [
                name,
                _entry(key, item, secrets, characters),
            ]

    return _listed("{", items(), len(value), "}", characters)


def _entry(key: object, item: Any, secrets: Secrets | None, characters: int) -> Piece:
    hidden = secrets is not None and key in secrets
    return (MASK, "secret") if hidden else _brief(item, secrets, characters)


def _sequence(value: Sequence[Any], secrets: Secrets | None, characters: int) -> Iterator[Piece]:
    return _listed("[", ([_brief(item, secrets, characters)] for item in value), len(value), "]", characters)


def _listed(
    opening: str, items: Iterable[list[Piece]], count: int, closing: str, room: int
) -> Iterator[Piece]:
    yield opening, "punctuation"
    shown = 0
    for pieces in islice(items, PREVIEW_ITEMS):
        if room <= 0:
            break
        if shown:
            yield ", ", "punctuation"
        yield from pieces
        room -= sum(len(text) for text, _ in pieces)
        shown += 1
    if shown < count:
        yield f"{', ' if shown else ''}… {count} in all", "note"
    yield closing, "punctuation"


def _brief(value: Any, secrets: Secrets | None, characters: int) -> Piece:
    tag = type_tag(value)
    if tag is not None:
        inner = untagged(value)
        return _shown(inner[:40] if isinstance(inner, str) else tag[:40], secrets), "type"
    if isinstance(value, Mapping):
        return ("{…}" if value else "{}"), "punctuation"
    if isinstance(value, list):
        return (f"[{len(value)}]" if value else "[]"), "punctuation"
    return _scalar(value, secrets, min(characters, 40))


def _masked(text: str, secrets: Secrets | None) -> str:
    """Return text of data, cut or not, without registered secrets unless nothing is masked."""
    return text if secrets is None else registered.mask_cut(text)


def _shown(text: str, secrets: Secrets | None) -> str:
    return drawable(_masked(text, secrets))
