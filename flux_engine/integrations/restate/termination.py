"""SIGTERM, which Restate's library takes at the first request: whoever had it before hears of it too.

Otherwise a server such as hypercorn, told to end, would go on.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from restate import server


def share_sigterm(loop: asyncio.AbstractEventLoop) -> None:
    """Have the present handler of SIGTERM called beside that of the library, where there are signals."""
    install: Any = getattr(server, "install_shutdown_hook", None)
    if install is None:
        return
    before = _handler(loop)
    with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        install(loop, before)


def _handler(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    of_loop = getattr(loop, "_signal_handlers", {}).get(signal.SIGTERM)
    if of_loop is not None:
        run: Callable[[], None] = of_loop._run  # noqa: SLF001 - asyncio gives no other way to it
        return run
    of_process = signal.getsignal(signal.SIGTERM)
    if callable(of_process):
        return lambda: of_process(signal.SIGTERM, None)

    def end() -> None:
        if of_process == signal.SIG_DFL:
            loop.remove_signal_handler(signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    return end
