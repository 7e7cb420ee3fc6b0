"""The end of an output, however long the output is."""

import threading
from collections import deque

LIMIT = 65_536


class Tail:
    """Keeps the last characters of what is added. Safe to use from several threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._parts: deque[str] = deque()
        self._size = 0
        self._dropped = 0
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Add text, and forget what is now too far back."""
        with self._lock:
            if len(text) > self._limit:
                self._dropped += len(text) - self._limit
                text = text[-self._limit :]
            self._parts.append(text)
            self._size += len(text)
            while self._size - len(self._parts[0]) >= self._limit:
                gone = self._parts.popleft()
                self._size -= len(gone)
                self._dropped += len(gone)

    def text(self) -> str:
        """Return the end, with a first line that says how much is missing before it."""
        with self._lock:
            text = "".join(self._parts)
            dropped = self._dropped + max(0, len(text) - self._limit)
        if not dropped:
            return text
        return f"… {dropped:,} characters before this are left out …\n{text[-self._limit :]}"
