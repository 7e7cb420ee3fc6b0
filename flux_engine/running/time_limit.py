"""The time-outs of the attempts that follow one another in a task, on one timer of the event loop.

``asyncio.timeout`` makes and cancels a timer for each attempt, and almost no attempt needs it. This timer
stays; when it goes off too early, it is set to the deadline that counts by then.
"""

import asyncio
import math
from types import TracebackType
from typing import Self


class TimeLimit:
    """Cancels its task when an attempt in it runs too long: ``with limit.of(seconds): …``.

    ``expired`` says that the last attempt was cancelled for it. That cancellation goes no further than the
    ``with``; any other one does, and so does what the attempt raised in its place.
    """

    __slots__ = ("_cancelling", "_deadline", "_loop", "_task", "_timer", "_wakes_at", "expired")

    def __init__(self) -> None:
        self.expired = False
        self._deadline = math.inf
        self._wakes_at = math.inf
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def of(self, seconds: float | None) -> Self:
        """Begin to count for the present task, which is the same each time; ``None`` for no limit."""
        self.expired = False
        if seconds is None:
            return self
        if self._loop is None:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._task is not None:
            self._cancelling = self._task.cancelling()
        self._deadline = self._loop.time() + seconds
        if self._deadline < self._wakes_at:
            self._wake_at(self._deadline)
        return self

    def close(self) -> None:
        """Give back the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._wakes_at = math.inf

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._deadline = math.inf
        if not self.expired or self._task is None:
            return False
        cancelled_by_others = self._task.uncancel() > self._cancelling
        return isinstance(error, asyncio.CancelledError) and not cancelled_by_others

    def _wake_at(self, deadline: float) -> None:
        self.close()
        if self._loop is not None:
            self._timer = self._loop.call_at(deadline, self._wake)
            self._wakes_at = deadline

    def _wake(self) -> None:
        self.close()
        if self._loop is None or self._deadline == math.inf:
            return
        if self._deadline > self._loop.time():
            self._wake_at(self._deadline)
        elif self._task is not None:
            self._deadline = math.inf
            self.expired = True
            self._task.cancel()
