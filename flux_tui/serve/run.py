"""Serving until somebody ends it."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable

from flux_tui.serve.access import Access
from flux_tui.serve.opening import Opening
from flux_tui.serve.server import Server, start


def serve(opening: Opening, access: Access, listening: socket.socket, announce: Callable[[], None]) -> None:
    """Serve dashboards until SIGINT or SIGTERM; then end them all. ``announce`` is called when it serves."""
    asyncio.run(_serve(opening, access, listening, announce))


async def _serve(
    opening: Opening, access: Access, listening: socket.socket, announce: Callable[[], None]
) -> None:
    runner = await start(Server(opening, access).app(), listening)
    ended = asyncio.Event()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: asyncio.get_running_loop().call_soon_threadsafe(ended.set))
    else:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    announce()
    try:
        await ended.wait()
    finally:
        await runner.cleanup()
