"""An engine for programs that call it from threads, or from event loops that come and go.

A function in the cloud is such a program: its host calls it, freezes it between calls, and forks it. The
engine lives in an event loop of its own, in a thread that starts with the first call and is kept for
those that follow.
"""

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from flux_engine.engine import FluxEngine
from flux_engine.errors import FluxError

T = TypeVar("T")

EngineSource = FluxEngine | Callable[[], FluxEngine]
"""An engine, or better a function that makes one: it is called in the process that uses the engine."""


class EngineThread:
    """Runs coroutines with an engine in a thread of its own. Safe to use from any thread.

    The thread starts with the first call, again in a process that was forked from this one, and ends with
    ``close`` or the process: then the runs in hand are handed back.
    """

    def __init__(self, source: EngineSource) -> None:
        if not isinstance(source, FluxEngine) and not callable(source):
            raise TypeError(f"expected a FluxEngine or a function that makes one, found {source!r}")
        self._source = source
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._engine: FluxEngine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[[FluxEngine], Coroutine[Any, Any, T]]) -> "concurrent.futures.Future[T]":
        """Run ``call(engine)`` in the thread, in the context of the caller.

        Cancelling the future cancels the coroutine. Raises ``FluxError`` when the engine cannot be made.
        """
        engine, loop = self._started()
        return asyncio.run_coroutine_threadsafe(call(engine), loop)

    def close(self) -> None:
        """Close the engine, which hands back its runs, and end the thread. Calling it again does nothing."""
        with self._lock:
            engine, loop, thread = self._engine, self._loop, self._thread
            self._engine = self._loop = self._thread = None
        if engine is None or loop is None or thread is None or not thread.is_alive():
            return
        try:
            asyncio.run_coroutine_threadsafe(engine.close(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _started(self) -> tuple[FluxEngine, asyncio.AbstractEventLoop]:
        if os.getpid() != self._process:
            self._after_fork()
        with self._lock:
            if self._engine is None or self._loop is None:
                engine = self._make()
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever, name="flux-engine", daemon=True)
                thread.start()
                atexit.register(self.close)
                self._engine, self._loop, self._thread = engine, loop, thread
            return self._engine, self._loop

    def _make(self) -> FluxEngine:
        if isinstance(self._source, FluxEngine):
            return self._source
        made = self._source()
        if not isinstance(made, FluxEngine):
            raise FluxError(f"expected a function that returns a FluxEngine, and it returned {made!r}")
        return made

    def _after_fork(self) -> None:
        """Forget what the process had that this one was forked from; none of its threads came along."""
        if isinstance(self._source, FluxEngine):
            raise FluxError(
                "this process was forked from the one that made the engine, and two processes cannot share "
                "one: pass a function that makes the engine instead of the engine."
            )
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._engine = self._loop = self._thread = None
