"""What user code writes, told apart by run, step and attempt.

Python code writes to streams that know the present step from a context variable. What subprocesses and
C code write comes through pipes on the file descriptors 1 and 2; it belongs to the step that runs, if
exactly one does. Lines go to the trace in the thread that wrote them, so that none is lost when the
process dies in the next moment.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from flux_engine.context import CurrentStep, current_step
from flux_engine.secrets import registered
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.runner.lines import AttemptLog, Cutters, Line, Throttle
from flux_tui.runner.tail import Tail

MAX_LOGS = 1_024
DESCRIPTOR = 0
THREAD_MARK = "_flux_step"

_Key = tuple[str, str, int]

replaying: ContextVar[bool] = ContextVar("flux_replaying", default=False)
"""Whether a replay is under way: what its steps write is no part of the run that they repeat."""


class Capture:
    """Sends lines to ``emit`` as ``step:log`` events, and to ``output`` what belongs to no step.

    Safe to use from any thread. ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        emit: Callable[[TraceEvent], None],
        output: Callable[[str, str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._emit = emit
        self._output = output
        self._clock = clock
        self._logs: dict[_Key, AttemptLog] = {}
        self._running: dict[_Key, CurrentStep] = {}
        self._outside = Cutters()
        self._throttle = Throttle()
        self._tail: Tail | None = None
        self._lock = threading.RLock()
        self._busy = False

    def write(self, stream: str, text: str) -> None:
        """Take text written by the present thread or task."""
        self._take(present_step(), stream, threading.get_ident(), text)

    def write_from_outside(self, stream: str, text: str) -> None:
        """Take text that came through a file descriptor."""
        running = list(self._running.values())
        self._take(running[0] if len(running) == 1 else None, stream, DESCRIPTOR, text)

    def started(self, step: CurrentStep) -> None:
        """An attempt begins: of a step, or under the same number of its compensation."""
        with self._lock:
            self._running[_key(step)] = step
            self._logs.pop(_key(step), None)

    def ended(self, step: CurrentStep) -> None:
        """An attempt is over: send what it left unfinished."""
        with self._lock:
            self._running.pop(_key(step), None)
            log = self._logs.get(_key(step))
            if log is not None:
                self._send(step, log.end())

    def running(self) -> list[CurrentStep]:
        """Return the attempts under way."""
        return list(self._running.values())

    @contextlib.contextmanager
    def recording(self) -> Iterator[Tail]:
        """Divert what belongs to no step to a ``Tail``."""
        tail = Tail()
        self._tail = tail
        try:
            yield tail
        finally:
            self._tail = None

    def fresh_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self._lock = threading.RLock()
        self._busy = False

    def _take(self, step: CurrentStep | None, stream: str, writer: int, text: str) -> None:
        with self._lock:
            if self._busy:  # sending a line made the sink write something itself
                return
            self._busy = True
            try:
                if step is not None:
                    self._send(step, self._log(step).feed(stream, writer, text))
                elif self._tail is not None:
                    self._tail.add(text)
                else:
                    self._send_outside(stream, writer, text)
            finally:
                self._busy = False

    def _log(self, step: CurrentStep) -> AttemptLog:
        log = self._logs.get(_key(step))
        if log is None:
            if len(self._logs) >= MAX_LOGS:
                for key in [key for key, log in self._logs.items() if log.ended][: MAX_LOGS // 2]:
                    del self._logs[key]
            log = self._logs[_key(step)] = AttemptLog()
        return log

    def _send(self, step: CurrentStep, lines: list[Line]) -> None:
        for line in lines:
            self._emit(
                TraceEvent(
                    type=EventType.STEP_LOG,
                    timestamp=round(self._clock() * 1000),
                    workflow_id=step.run_id,
                    workflow_name=step.workflow,
                    step_name=step.step,
                    step_index=step.step_index,
                    attempt=step.attempt,
                    meta={"stream": line.stream, "text": registered.mask(line.text)},
                )
            )

    def _send_outside(self, stream: str, writer: int, text: str) -> None:
        lines = self._outside.feed(stream, writer, text)
        if lines and (kept := self._throttle.let("\n".join(lines), self._clock())):
            self._output(stream, registered.mask(kept))


def present_step() -> CurrentStep | None:
    """Return the step that the present task or thread works for."""
    if replaying.get():
        return None
    step = current_step.get()
    return step if step is not None else getattr(threading.current_thread(), THREAD_MARK, None)


def _key(step: CurrentStep) -> _Key:
    return (step.run_id, step.step, step.attempt)
