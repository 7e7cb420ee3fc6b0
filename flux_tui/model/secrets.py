"""Which keys hold secrets, and data and text with the secrets taken out.

Keys are told by their names, from here, from the settings, and from the types of the inputs; values that no
name gives away are those registered with the engine's ``register_secret``.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flux_engine.secrets import MASK, SHORTEST, registered
from flux_tui.model.declared import declared
from flux_tui.model.remade import Done, is_same, remade

__all__ = ["MASK", "SECRET_WORDS", "Secrets", "in_environment"]

SECRET_WORDS: Final = frozenset(
    {"access_key", "api_key", "apikey", "authorization", "cookie", "credential", "cvc", "cvv", "passphrase"}
    | {"passwd", "password", "pin", "private_key", "secret", "secret_key", "token"}
)

KEY_CHARACTERS: Final = 200
LONG: Final = 16
"""Characters from which an unquoted word behind ``key:`` is taken for a value, not for prose."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LOWERED_TO_TWO: Final = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
"""The one character whose small letter is two characters."""

_KEY_CHARACTER: Final = re.compile(r"[\w-]")
_REST_OF_KEY: Final = re.compile(r"""[\w-]{0,200}+(?P<to>["']?\s{0,3}[:=]\s{0,3})""")
_VALUE: Final = re.compile(
    r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|(?:Bearer|Basic)\s++\S++|["']?[^\s,;&(){}\[\]"']++"""
)


def in_environment(names: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of environment variables, but for those too short to mask."""
    found = (environ.get(name, "") for name in names)
    return tuple(value for value in found if len(value.strip()) >= SHORTEST)


_SAMPLES: Final = frozenset({"default", "examples", "const"})
"""What a schema says of a field that is a value of it."""


class Secrets:
    """Decides by name. ``more`` are further words, each matched as a whole part of a key."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._more = frozenset(more)
        words = SECRET_WORDS | {_normal(word) for word in self._more}
        parts = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        self._pattern = re.compile(rf"(?:^|_)(?:{parts})s?(?:$|_)")
        self._word = re.compile(parts.replace("_", "[_-]?"))

    def and_also(self, names: Iterable[str]) -> "Secrets":
        """Return what takes these names for secret keys too."""
        more = self._more | set(names)
        return self if more == self._more else Secrets(more)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        return key in declared or self._pattern.search(_normal(key[:KEY_CHARACTERS])) is not None

    def redact(self, value: Any) -> Any:
        """Return a copy in which the value of every secret key, and every registered value, is a mask.

        Values in the tagged form of the codec are looked into.
        """
        return remade(value, self._redacted)

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return registered.mask(value)
        if isinstance(value, Mapping):
            if "$type" in value and (opened := self._tagged(value)) is not None:
                return opened
            return {
                registered.mask(key) if isinstance(key, str) else key: Done(MASK) if key in self else item
                for key, item in value.items()
            }
        return list(value) if isinstance(value, list | tuple) else value

    def _tagged(self, value: Mapping[str, Any]) -> Any:
        """Return what hides keys or text from a look at its JSON, masked; ``None`` for all else."""
        inside = value.get("value")
        rest = {key: Done(item) for key, item in value.items()}
        if (pairs := _pairs(value)) is not None:
            return {**rest, "value": [[key, Done(MASK) if key in self else item] for key, item in pairs]}
        if value.get("$type") == "bytes" and isinstance(inside, str) and registered:
            return {**rest, "value": Done(MASK)} if _has_secret(inside) else None
        return None

    def told(self, value: Any) -> Any:
        """Return redacted data with every text in it masked as a line of a log is: an event quotes errors."""
        return remade(self.redact(value), self._in_words)

    def _in_words(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        return value.copy() if isinstance(value, dict | list) else value

    def described(self, value: Any) -> Any:
        """Return the description of a workflow with the defaults and examples of its secret fields masked."""
        if isinstance(value, list | tuple):
            return [self.described(item) for item in value]
        if not isinstance(value, Mapping):
            return registered.mask(value) if isinstance(value, str) else value
        found = {key: self.described(item) for key, item in value.items()}
        fields = found.get("properties")
        if isinstance(fields, dict):
            found["properties"] = {name: self._field(name, field) for name, field in fields.items()}
        return found

    def _field(self, name: str, schema: Any) -> Any:
        if name not in self or not isinstance(schema, dict):
            return schema
        return {key: MASK if key in _SAMPLES else item for key, item in schema.items()}

    def restore(self, edited: Any, original: Any) -> Any:
        """Return an edited copy of redacted data with what was left as it was put back from the original."""
        same = is_same(edited, self.redact(original))
        return original if same else remade((edited, original), self._put_back)

    def _put_back(self, both: Any) -> Any:
        if isinstance(both, list):  # pairs of what is edited and what was there before
            return both.copy()
        edited, original = both
        if isinstance(edited, Mapping) and isinstance(original, Mapping):
            now, before = _pairs(edited), _pairs(original)
            if now is not None and before is not None and len(now) == len(before):
                return self._pairs_put_back(edited, now, before)
            return self._entries_put_back(edited, original)
        if isinstance(edited, list) and isinstance(original, list | tuple) and len(edited) == len(original):
            return list(zip(edited, original, strict=True))
        if isinstance(original, str):
            return Done(original if edited == registered.mask(original) else edited)
        return Done(original if is_same(edited, original) else edited)

    def _entries_put_back(self, edited: Mapping[Any, Any], original: Mapping[Any, Any]) -> Any:
        if original.get("$type") == "bytes" and edited == self.redact(original):
            return Done(original)
        masked = {registered.mask(key): key for key in original if isinstance(key, str)}
        named = {masked.get(key, key): item for key, item in edited.items()}
        return {
            key: self._kept(key, item, original[key]) if key in original else Done(item)
            for key, item in named.items()
        }

    def _pairs_put_back(
        self, edited: Mapping[str, Any], now: list[tuple[Any, Any]], before: list[tuple[Any, Any]]
    ) -> dict[str, Any]:
        """Return a dict in the tagged form: its pairs are those of the original, in their order."""
        pairs: list[Any] = [
            [(key, old), self._kept(old, item, kept)]
            for (key, item), (old, kept) in zip(now, before, strict=True)
        ]
        return {**{key: Done(item) for key, item in edited.items()}, "value": pairs}

    def _kept(self, key: object, edited: Any, original: Any) -> Any:
        if key in self:
            return Done(original if is_same(edited, MASK) else edited)
        return edited, original

    def text(self, text: str) -> str:
        """Return a line of a log or an error with registered values masked, and those of ``password=…``.

        The time it takes grows with the length of the text, whatever is in it.
        """
        text = registered.mask(text)
        return "".join(self._without_values(text)) if "=" in text or ":" in text else text

    def _without_values(self, text: str) -> Iterator[str]:
        done = 0
        for word in self._word.finditer(text.replace(_LOWERED_TO_TWO, "I").lower()):
            rest = _REST_OF_KEY.match(text, word.end())
            if rest is None or word.start() < done:
                continue
            begin, end = _begin_of_key(text, word.start()), rest.start("to")
            value = _VALUE.match(text, rest.end()) if text[begin:end][-KEY_CHARACTERS:] in self else None
            if value is None or not ("=" in rest["to"] or _looks_like_value(value.group())):
                continue
            quote = value.group()[0] if value.group()[0] in "\"'" else ""
            yield f"{text[done : rest.end()]}{quote}{MASK}{quote}"
            done = value.end()
        yield text[done:]


def _pairs(value: Mapping[str, Any]) -> list[tuple[Any, Any]] | None:
    """Return the entries of a dict in the tagged form; ``None`` for all else."""
    inside = value.get("value")
    if value.get("$type") != "dict" or not isinstance(inside, list):
        return None
    pairs = [tuple(each) for each in inside if isinstance(each, list) and len(each) == 2]  # noqa: PLR2004
    return pairs if len(pairs) == len(inside) else None


def _has_secret(encoded: str) -> bool:
    try:
        text = base64.b64decode(encoded).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return False
    return registered.mask(text) != text


def _begin_of_key(text: str, at: int) -> int:
    for begin in range(at, max(at - KEY_CHARACTERS, 0), -1):
        if _KEY_CHARACTER.match(text, begin - 1) is None:
            return begin
    return max(at - KEY_CHARACTERS, 0)


def _looks_like_value(value: str) -> bool:
    return value[0] in "\"'" or " " in value or len(value) >= LONG or any(map(str.isdigit, value))


def _normal(key: str) -> str:
    return _CAMEL.sub("_", key).replace("-", "_").replace(" ", "_").lower()
