"""The runner's trace sink: the trace file, with the output of handlers in its place among the events."""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

from flux_engine.context import CurrentStep, current_step
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.runner.capture import Capture

_STEP_ENDS = frozenset(
    {EventType.STEP_COMPLETE, EventType.STEP_ERROR, EventType.STEP_RETRY, EventType.STEP_SUSPEND}
)
_RUN_ENDS = frozenset(
    {
        EventType.WORKFLOW_COMPLETE,
        EventType.WORKFLOW_ERROR,
        EventType.WORKFLOW_SUSPEND,
        EventType.WORKFLOW_PAUSE,
        EventType.WORKFLOW_CANCEL,
    }
)

starting: ContextVar[Callable[[str], None] | None] = ContextVar("flux_starting", default=None)
"""What a task that starts a run wants to have called with the run's id when it has begun."""


class Writer(Protocol):
    """A sink that is done when ``emit`` returns."""

    def emit(self, event: TraceEvent, /) -> object:
        """Write one event."""
        ...


class RunnerTrace:
    """Writes events from all threads in order, and follows in them which attempts are under way.

    ``pump`` reads what subprocesses have written so far, so that it comes before the end of its step.
    """

    def __init__(self, writer: Writer | None, pump: Callable[[], None]) -> None:
        self._writer = writer
        self._pump = pump
        self._lock = threading.RLock()
        self._capture: Capture | None = None
        self._moved: Callable[[TraceEvent], None] = lambda _: None

    def listen(self, moved: Callable[[TraceEvent], None]) -> None:
        """Have ``moved`` called with each event with which a run begins to move, or goes no further."""
        self._moved = moved

    def follow(self, capture: Capture) -> None:
        """Tell ``capture`` from now on when attempts begin and end."""
        self._capture = capture

    def emit(self, event: TraceEvent) -> None:
        """Take an event of the engine."""
        if self._capture is not None:
            self._end_attempts(self._capture, event)
        self.write(event)
        if _begins_attempt(event) and self._capture is not None:
            self._capture.started(_step(event))
        elif event.type == EventType.WORKFLOW_START:
            if (tell := starting.get()) is not None:
                tell(event.workflow_id)
            self._moved(event)
        elif event.type in _RUN_ENDS:
            self._moved(event)

    def write(self, event: TraceEvent) -> None:
        """Write an event as it is, from any thread."""
        if self._writer is not None:
            with self._lock:
                self._writer.emit(event)

    def fresh_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self._lock = threading.RLock()

    def _end_attempts(self, capture: Capture, event: TraceEvent) -> None:
        """Have the last lines of the attempts that the event ends written before it."""
        if event.type in _RUN_ENDS:
            left = [step for step in capture.running() if step.run_id == event.workflow_id]
        elif event.type in _STEP_ENDS or (
            event.type == EventType.STEP_COMPENSATE and not _begins_attempt(event)
        ):
            left = [_step(event)]
        else:
            return
        self._pump()
        for step in left:
            capture.ended(step)


class RunnerLogger:
    """The engine's logger in a runner. What handlers log is in the trace already and not repeated."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def debug(self, message: str, /) -> None:
        """Pass over a detail."""

    def info(self, message: str, /) -> None:
        """Tell what happened."""
        self._tell("info", message)

    def warning(self, message: str, /) -> None:
        """Tell what may go wrong."""
        self._tell("warning", message)

    def error(self, message: str, /) -> None:
        """Tell what went wrong."""
        self._tell("error", message)

    def _tell(self, level: str, message: str) -> None:
        if current_step.get() is None:
            self._capture.write(level, message + "\n")


def _begins_attempt(event: TraceEvent) -> bool:
    compensation_begins = event.type == EventType.STEP_COMPENSATE and event.status == "running"
    return event.type == EventType.STEP_START or compensation_begins


def _step(event: TraceEvent) -> CurrentStep:
    return CurrentStep(
        run_id=event.workflow_id,
        workflow=event.workflow_name,
        step=event.step_name or "",
        step_index=event.step_index or 0,
        attempt=event.attempt or 0,
    )
