"""Where trace events go.

A sink is any object with ``emit(event)``. What goes wrong in one is raised to its caller; the engine
logs that once and goes on, so that no sink can break a run.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from flux_engine.trace.events import TraceEvent
from flux_engine.trace.file_sink import JsonFileTraceSink

__all__ = [
    "CallbackTraceSink",
    "FluxTraceSink",
    "JsonFileTraceSink",
    "LoggingTraceSink",
    "MultiTraceSink",
]

_log = logging.getLogger("flux.trace")


class FluxTraceSink(Protocol):
    """Takes the events of runs, in the order in which they happen.

    A sink that also has ``close()``, plain or async, may be closed by whoever made it.
    """

    def emit(self, event: TraceEvent, /) -> Awaitable[None] | None:
        """Take one event; an ``async def`` is as good as a plain function."""


class MultiTraceSink:
    """Gives each event to several sinks. One that fails does not keep it from the others."""

    def __init__(self, *sinks: FluxTraceSink) -> None:
        """Take the sinks one by one. Raises ``TypeError`` for what is none, such as a list of them."""
        for sink in sinks:
            if not callable(getattr(sink, "emit", None)):
                raise TypeError(f"MultiTraceSink takes sinks, as in MultiTraceSink(a, b), found {sink!r}")
        self.sinks = sinks

    def emit(self, event: TraceEvent) -> Awaitable[None] | None:
        """Give the event to all sinks; the result is awaitable when one of them is async.

        Raises what a sink raised, or an ``ExceptionGroup`` when several did, after all have had the event.
        """
        return _call_all((sink.emit for sink in self.sinks), event)

    def close(self) -> Awaitable[None] | None:
        """Close the sinks that can be closed. Awaitable and raising as ``emit``."""
        return _call_all(sink.close for sink in self.sinks if hasattr(sink, "close"))


class LoggingTraceSink:
    """Writes one line for each event to a logger of the standard library, by default ``flux.trace``.

    The record has the whole event as its attribute ``flux_event``.
    """

    def __init__(self, logger: logging.Logger | None = None, level: int = logging.INFO) -> None:
        self.logger = logger or _log
        self.level = level

    def emit(self, event: TraceEvent) -> None:
        """Log the event."""
        if self.logger.isEnabledFor(self.level):
            self.logger.log(self.level, "%s", _one_line(event), extra={"flux_event": event})


class CallbackTraceSink:
    """Calls a function with each event; the function may be async."""

    def __init__(self, function: Callable[[TraceEvent], Any]) -> None:
        self.function = function

    def emit(self, event: TraceEvent) -> Awaitable[None] | None:
        """Call the function. The result is awaitable when the function's is."""
        result = self.function(event)
        return result if inspect.isawaitable(result) else None


def _one_line(event: TraceEvent) -> str:
    parts = [event.type, event.workflow_name, event.workflow_id]
    parts += [part for part in (event.step_name, event.status) if part]
    if event.attempt is not None:
        parts.append(f"attempt {event.attempt}")
    if event.duration is not None:
        parts.append(f"{event.duration:g} ms")
    if event.error:
        parts.append(event.error.replace("\n", " "))
    return " ".join(part for part in parts if part)


def _call_all(functions: Iterable[Callable[..., Any]], *arguments: Any) -> Awaitable[None] | None:
    pending: list[Awaitable[None]] = []
    errors: list[Exception] = []
    for function in functions:
        try:
            result = function(*arguments)
        except Exception as error:  # noqa: BLE001 - raised once all sinks had their turn
            errors.append(error)
        else:
            if inspect.isawaitable(result):
                pending.append(result)
    if pending:
        return _wait_for_all(pending, errors)
    _raise(errors)
    return None


async def _wait_for_all(pending: list[Awaitable[None]], errors: list[Exception]) -> None:
    for each in pending:
        try:
            await each
        except Exception as error:  # noqa: BLE001 - raised once all sinks had their turn
            errors.append(error)
    _raise(errors)


def _raise(errors: list[Exception]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(f"{len(errors)} trace sinks failed", errors)
