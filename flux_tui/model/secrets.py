"""Which keys hold secrets, and data and text with the secrets taken out.

Keys are told by their names, from here and from the settings; values that no name gives away are those
registered with the engine's ``register_secret``.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flux_engine.secrets import MASK, registered

__all__ = ["MASK", "SECRET_WORDS", "Secrets"]

SECRET_WORDS: Final = frozenset(
    {"access_key", "api_key", "apikey", "authorization", "cookie", "credential", "cvc", "cvv", "passphrase"}
    | {"passwd", "password", "pin", "private_key", "secret", "secret_key", "token"}
)

KEY_CHARACTERS: Final = 200
LONG: Final = 16
"""Characters from which an unquoted word behind ``key:`` is taken for a value, not for prose."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PAIR: Final = re.compile(
    r"""(?P<key>[A-Za-z_][\w-]{0,199})(?P<to>["']?\s{0,3}[:=]\s{0,3})"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?:Bearer|Basic)\s+\S+|[^\s,;&(){}\[\]"']+)"""
)


class Secrets:
    """Decides by name. ``more`` are further words, each matched as a whole part of a key."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        words = SECRET_WORDS | {_normal(word) for word in more}
        parts = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        self._pattern = re.compile(rf"(?:^|_)(?:{parts})s?(?:$|_)")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._pattern.search(_normal(key[:KEY_CHARACTERS])) is not None

    def redact(self, value: Any) -> Any:
        """Return a copy in which the value of every secret key, and every registered value, is a mask."""
        if isinstance(value, Mapping):
            return {
                registered.mask(key) if isinstance(key, str) else key: (
                    MASK if key in self else self.redact(item)
                )
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.redact(item) for item in value]
        return registered.mask(value) if isinstance(value, str) else value

    def restore(self, edited: Any, original: Any) -> Any:
        """Return an edited copy of redacted data with what was left as it was put back from the original."""
        if edited == self.redact(original):
            return original
        if isinstance(edited, Mapping) and isinstance(original, Mapping):
            return {
                key: self._restored(key, item, original[key]) if key in original else item
                for key, item in edited.items()
            }
        if isinstance(edited, list) and isinstance(original, list | tuple) and len(edited) == len(original):
            return [self.restore(item, old) for item, old in zip(edited, original, strict=True)]
        return edited

    def _restored(self, key: object, edited: Any, original: Any) -> Any:
        if key in self:
            return original if edited == MASK else edited
        return self.restore(edited, original)

    def text(self, text: str) -> str:
        """Return a line of a log or an error with registered values masked, and those of ``password=…``."""
        text = registered.mask(text)
        return _PAIR.sub(self._pair, text) if "=" in text or ":" in text else text

    def _pair(self, match: re.Match[str]) -> str:
        key, to, value = match["key"], match["to"], match["value"]
        if key not in self or not ("=" in to or _looks_like_value(value)):
            return match.group()
        quote = value[0] if value[0] in "\"'" else ""
        return f"{key}{to}{quote}{MASK}{quote}"


def _looks_like_value(value: str) -> bool:
    return value[0] in "\"'" or " " in value or len(value) >= LONG or any(map(str.isdigit, value))


def _normal(key: str) -> str:
    return _CAMEL.sub("_", key).replace("-", "_").replace(" ", "_").lower()
