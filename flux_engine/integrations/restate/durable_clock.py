"""The time of a run on Restate: what Restate has recorded, so that a replay sees the same times."""

import time

from flux_engine.context import current_step
from flux_engine.integrations.restate.actions import Actions


class DurableClock:
    """Stands still between recorded results, and sleeps in Restate.

    Inside a handler it is the clock of this machine: what happens there happens once.
    """

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._now = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._now if current_step.get() is None else time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._now

    def advance(self, now: float) -> None:
        """Take note of a time that Restate has recorded."""
        self._now = max(self._now, now)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds; the handler may be suspended meanwhile."""
        until = self._now + seconds
        await self._actions.sleep(seconds)
        self.advance(until)
