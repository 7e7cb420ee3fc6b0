"""The time-outs of a run's attempts, on one timer of the event loop.

``asyncio.timeout`` makes and cancels a timer for each attempt. Almost no attempt needs its timer; so one is
kept for all that follow one another: when it goes off too early, it is set to the deadline that counts.
"""

import asyncio
import math
from types import TracebackType


class TimeLimits:
    """Cancels the tasks of attempts that run too long."""

    __slots__ = ("_loop", "_open", "_timer", "_wakes_at")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = math.inf
        self._open: set[TimeLimit] = set()

    def begin(self, limit: "TimeLimit", seconds: float) -> float:
        """Watch a limit of the present task; return its deadline on the clock of the loop."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        self._open.add(limit)
        deadline = loop.time() + seconds
        if deadline < self._wakes_at:
            self._wake_at(deadline)
        return deadline

    def end(self, limit: "TimeLimit") -> None:
        """Watch it no longer."""
        self._open.discard(limit)

    def close(self) -> None:
        """Give back the timer. The next attempt makes a new one."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._wakes_at = math.inf

    def _wake_at(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._timer = self._loop.call_at(deadline, self._wake)
            self._wakes_at = deadline

    def _wake(self) -> None:
        self.close()
        now = self._wakes_at if self._loop is None else self._loop.time()
        for limit in self._open:
            if limit.deadline <= now:
                limit.expire()
        following = min((limit.deadline for limit in self._open if not limit.expired), default=math.inf)
        if following < math.inf:
            self._wake_at(following)


class TimeLimit:
    """The time-out of one attempt, in seconds; ``None`` for no limit. To be used once, by ``with``.

    ``expired`` says that the attempt was cancelled for it. That cancellation goes no further than the
    ``with``; any other one does, and so does what the attempt raised in its place.
    """

    __slots__ = ("_cancelling", "_limits", "_seconds", "_task", "deadline", "expired")

    def __init__(self, limits: TimeLimits, seconds: float | None) -> None:
        self._limits = limits
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self.deadline = math.inf
        self.expired = False

    def expire(self) -> None:
        """Cancel the task."""
        if self._task is not None and not self.expired:
            self.expired = True
            self._task.cancel()

    def __enter__(self) -> None:
        if self._seconds is not None:
            task = self._task = asyncio.current_task()
            self._cancelling = 0 if task is None else task.cancelling()
            self.deadline = self._limits.begin(self, self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if self._task is None:
            return False
        self._limits.end(self)
        if not self.expired:
            return False
        others = self._task.uncancel() > self._cancelling
        return kind is not None and issubclass(kind, asyncio.CancelledError) and not others
