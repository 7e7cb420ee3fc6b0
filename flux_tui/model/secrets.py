"""Which keys hold secrets, and data with the secrets taken out."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

MASK: Final = "••••••••"
SECRET_WORDS: Final = frozenset(
    {"access_key", "api_key", "apikey", "authorization", "cookie", "credential", "cvc", "cvv", "passphrase"}
    | {"passwd", "password", "pin", "private_key", "secret", "secret_key", "token"}
)

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Secrets:
    """Decides by name. ``more`` are further words, each matched as a whole part of a key."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        words = SECRET_WORDS | {_normal(word) for word in more}
        parts = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        self._pattern = re.compile(rf"(?:^|_)(?:{parts})s?(?:$|_)")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._pattern.search(_normal(key[:200])) is not None

    def redact(self, value: Any) -> Any:
        """Return a copy in which the value of every secret key is a mask."""
        if isinstance(value, Mapping):
            return {key: MASK if key in self else self.redact(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact(item) for item in value]
        return value


def _normal(key: str) -> str:
    return _CAMEL.sub("_", key).replace("-", "_").replace(" ", "_").lower()
