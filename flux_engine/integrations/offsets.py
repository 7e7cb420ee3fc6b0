"""How far a partition may be committed: as far as every message before is done."""

from collections import deque


class PartitionOffsets:
    """The messages of a partition that were begun, in order, and which of them are done.

    Offsets have gaps where a topic is compacted or written to in transactions; only the order counts.
    """

    def __init__(self) -> None:
        self._begun: deque[int] = deque()
        self._done: set[int] = set()
        self._position: int | None = None
        self._committed: int | None = None

    @property
    def spread(self) -> int:
        """How many messages were begun and cannot be committed yet."""
        return len(self._begun)

    @property
    def due(self) -> int | None:
        """The offset to commit: of the message to read next after a restart. ``None`` for nothing new."""
        return None if self._position == self._committed else self._position

    def begin(self, offset: int) -> None:
        """Note a message that was begun. They come in order."""
        self._begun.append(offset)

    def end(self, offset: int) -> None:
        """Note that a message is done."""
        self._done.add(offset)
        while self._begun and self._begun[0] in self._done:
            first = self._begun.popleft()
            self._done.remove(first)
            self._position = first + 1

    def committed(self, offset: int) -> None:
        """Note what the broker has taken down."""
        self._committed = offset
