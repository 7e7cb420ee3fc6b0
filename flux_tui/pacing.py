"""How often to look, and waiting for something, but not for ever."""

import asyncio
from typing import Final

TRACE_BUSY: Final = 0.03
"""Seconds between two looks at the trace while it grows or runs are on their way."""

TRACE_ELSEWHERE: Final = 0.08
"""The same while it grows by what others do: with each look the lists are painted anew."""

TRACE_IDLE: Final = 0.25
"""The same when nothing has happened for a while."""

TRACE_OLD: Final = 0.2
"""Seconds between two changes told while what the trace held before its end is gone through."""


async def came(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for so long; return whether it came."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
