"""Whose turn it is to write to the file of a store, within this process."""

import asyncio
from collections import deque


class Turn:
    """A lock that can be taken without waiting. Turns come in the order in which they were asked for."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take_now(self) -> bool:
        """Take the turn if nobody has it or waits for it; return whether that was so."""
        if self._taken:
            return False
        self._taken = True
        return True

    def ask(self) -> "asyncio.Future[None]":
        """Return a future that is done when the asker has the turn."""
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.take_now():
            asked.set_result(None)
        else:
            self._waiting.append(asked)
        return asked

    async def take(self) -> None:
        """Take the turn."""
        asked = self.ask()
        try:
            await asked
        except asyncio.CancelledError:
            if not asked.cancelled():  # it was given at the same moment
                self.give_back()
            raise

    def give_back(self) -> None:
        """Give the turn to the one who has waited longest."""
        while self._waiting:
            asked = self._waiting.popleft()
            if not asked.done():
                asked.set_result(None)
                return
        self._taken = False
