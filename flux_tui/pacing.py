"""Waiting for something, but not for ever."""

import asyncio


async def came(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for so long; return whether it came."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
