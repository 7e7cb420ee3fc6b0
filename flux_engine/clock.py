"""Time and identity, as the engine asks for them. Injected, so that tests never wait."""

import asyncio
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, overload


class Clock(Protocol):
    """What the engine needs of time. ``flux_engine.testing.ManualClock`` is one that obeys a test."""

    def now(self) -> float:
        """Return the wall-clock time in seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


class SystemClock:
    """The clock of this machine."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


IdFactory = Callable[[], str]


def new_id() -> str:
    """Return a random id for a run (a UUID, version 4)."""
    return str(uuid.uuid4())


@overload
def as_datetime(seconds: float) -> datetime: ...
@overload
def as_datetime(seconds: float | None) -> datetime | None: ...
def as_datetime(seconds: float | None) -> datetime | None:
    """Return seconds since the epoch as a datetime in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
