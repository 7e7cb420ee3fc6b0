"""``ctx.logger``: from a handler to the engine's logger and to the trace."""

import asyncio
from typing import Protocol

from flux_engine.definition import StepDefinition
from flux_engine.running.services import Services
from flux_engine.trace.events import EventType, TraceEvent


class RunNamed(Protocol):
    """A run, as far as a log line needs it."""

    id: str
    workflow: str


class StepLogger:
    """A logger for one attempt. May be called from any thread.

    Messages are formatted as by ``logging``: ``ctx.logger.info("%s of %s", 1, 3)``.
    """

    __slots__ = ("_attempt", "_loop", "_run", "_services", "_step")

    def __init__(
        self,
        services: Services,
        run: RunNamed,
        step: StepDefinition,
        attempt: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._services = services
        self._run = run
        self._step = step
        self._attempt = attempt
        self._loop = loop

    def _tell(self, level: str, message: object, arguments: tuple[object, ...]) -> None:
        text = _formatted(message, arguments)
        getattr(self._services.logger, level)(f"{self._run.workflow}/{self._step.name}: {text}")
        announcer = self._services.announcer
        if not announcer.traces:
            return
        event = TraceEvent(
            type=EventType.STEP_LOG,
            timestamp=round(self._services.clock.now() * 1000),
            workflow_id=self._run.id,
            workflow_name=self._run.workflow,
            step_name=self._step.name,
            step_index=self._step.index,
            attempt=self._attempt,
            meta={"stream": level, "text": text},
        )
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop:
            announcer.trace_soon(event)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(announcer.trace_soon, event)

    def debug(self, message: str, /, *arguments: object) -> None:
        """Tell a detail."""
        self._tell("debug", message, arguments)

    def info(self, message: str, /, *arguments: object) -> None:
        """Tell what happened."""
        self._tell("info", message, arguments)

    def warning(self, message: str, /, *arguments: object) -> None:
        """Tell what may go wrong."""
        self._tell("warning", message, arguments)

    def error(self, message: str, /, *arguments: object) -> None:
        """Tell what went wrong."""
        self._tell("error", message, arguments)


def _formatted(message: object, arguments: tuple[object, ...]) -> str:
    try:
        return str(message) % arguments if arguments else str(message)
    except (TypeError, ValueError):  # a log line must not fail a step
        return f"{message} {arguments}"
