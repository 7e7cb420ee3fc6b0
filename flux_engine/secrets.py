"""Secrets that are known by their value: masked in what is told, never in what is kept.

Input and data are stored as they are, because a resumed run needs them. Errors, logs and whatever is
shown, copied or exported have every registered value replaced by ``MASK``.
"""

import re
import threading
from collections.abc import Callable, Iterable
from typing import Final

MASK: Final = "••••••••"

SHORTEST: Final = 4
"""Characters that a secret has at least: masking shorter ones would make every text unreadable."""


class SecretValues:
    """Values to mask. Safe to use from any thread."""

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        self._listeners: list[Callable[[frozenset[str]], None]] = []

    def __bool__(self) -> bool:
        return self._pattern is not None

    @property
    def values(self) -> frozenset[str]:
        """The values known so far; of values of several lines also each line."""
        return self._values

    def add(self, values: Iterable[str]) -> None:
        """Mask these values from now on. Raises ``ValueError`` for one of under ``SHORTEST`` characters."""
        new = set()
        for value in values:
            if len(value.strip()) < SHORTEST:
                raise ValueError(f"a secret to mask has at least {SHORTEST} characters, not {len(value)}")
            lines = (line.strip() for line in value.splitlines())
            new |= {value.strip(), *(line for line in lines if len(line) >= SHORTEST)}
        with self._lock:
            if new <= self._values:
                return
            self._values |= new
            longest_first = sorted(self._values, key=lambda value: (-len(value), value))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        for listener in self._listeners:
            listener(self._values)

    def forget(self) -> None:
        """Mask nothing any more."""
        with self._lock:
            self._values, self._pattern = frozenset(), None

    def listen(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Have ``listener`` called with all values whenever there are new ones."""
        self._listeners.append(listener)

    def mask(self, text: str) -> str:
        """Return the text with every registered value in it replaced by ``MASK``."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def mask_cut(self, text: str) -> str:
        """Return the text masked, and its end too where that may be the beginning of a secret.

        For text that was cut to a length before it came here.
        """
        if self._pattern is None:
            return text
        text = self._pattern.sub(MASK, text)
        begun = max((_overlap(text, value) for value in self._values), default=0)
        return text[: len(text) - begun] + MASK if begun else text


def _overlap(text: str, value: str) -> int:
    """Return how many characters at the end of the text are the beginning of the value; few do not count."""
    sizes = range(min(len(text), len(value) - 1), SHORTEST - 1, -1)
    return next((size for size in sizes if text.endswith(value[:size])), 0)


registered: Final = SecretValues()
"""The secrets of this process."""


def register_secret(*values: str) -> None:
    """Have these values masked in errors, in logs, and wherever a dashboard shows, copies or exports them.

    For what no name gives away: a key read from the environment, a password in a URL. Data and input are
    still stored as they are. Raises ``ValueError`` for a value of under four characters.
    """
    registered.add(values)
