"""Noticing a handler that keeps the event loop from turning."""

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from flux_engine.context import CurrentStep
from flux_tui.runner.messages import Blocked
from flux_tui.runner.sources import is_user_file

ALLOWED_SECONDS = 0.5
PAUSE_SECONDS = 0.2


class Watchdog:
    """A thread that asks the event loop for a sign of life while there is work.

    When none comes for ``ALLOWED_SECONDS`` it reports where the main thread is, again every so often,
    and with ``seconds`` 0 when the loop turns again. ``running`` gives the attempts under way.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        report: Callable[[Blocked], None],
        running: Callable[[], list[CurrentStep]],
    ) -> None:
        self._loop = loop
        self._report = report
        self._running = running
        self._working = threading.Event()
        threading.Thread(target=self._watch, name="flux-watchdog", daemon=True).start()

    def watch(self, *, working: bool) -> None:
        """Say whether there is work, so that an idle runner is left asleep."""
        if working:
            self._working.set()
        else:
            self._working.clear()

    def _watch(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the runner ends
            while True:
                self._working.wait()
                self._await_sign()
                time.sleep(PAUSE_SECONDS)

    def _await_sign(self) -> None:
        sign = threading.Event()
        asked = time.monotonic()
        self._loop.call_soon_threadsafe(sign.set)
        blocked = False
        while not sign.wait(ALLOWED_SECONDS):
            blocked = True
            self._report(self._look(time.monotonic() - asked))
        if blocked:
            self._report(Blocked(seconds=0))

    def _look(self, seconds: float) -> Blocked:
        frame = user_frame(threading.main_thread())
        running = self._running()
        step = running[0] if len(running) == 1 else None
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}:{frame.f_code.co_name}" if frame else ""
        return Blocked(
            seconds=seconds,
            run_id=step.run_id if step else None,
            step=step.step if step else None,
            where=where,
        )


def user_frame(thread: threading.Thread) -> FrameType | None:
    """Return the innermost frame of the user's code that the thread is in, or ``None``."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - its documented purpose
    while frame is not None and not is_user_file(frame.f_code.co_filename):
        frame = frame.f_back
    return frame
