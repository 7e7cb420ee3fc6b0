"""Texts that were typed before, to be had again with a key."""

from typing import Final

MOST: Final = 50


class Recent:
    """Remembers texts, the latest last, and walks through them from the one being typed."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._at: int | None = None
        self._typed = ""

    def remember(self, text: str) -> None:
        """Keep a text as the latest."""
        self._at = None
        if text.strip():
            self._texts = [*(each for each in self._texts if each != text), text][-MOST:]

    def earlier(self, typed: str) -> str | None:
        """Return the text before the one shown, or ``None`` at the first. ``typed`` is what is shown."""
        at = len(self._texts) if self._at is None else self._at
        if self._at is None:
            self._typed = typed
        while at > 0:
            at -= 1
            if self._texts[at] != typed:
                self._at = at
                return self._texts[at]
        return None

    def later(self) -> str | None:
        """Return the text after the one shown, in the end what was being typed; ``None`` past that."""
        if self._at is None:
            return None
        self._at += 1
        if self._at < len(self._texts):
            return self._texts[self._at]
        self._at = None
        return self._typed
