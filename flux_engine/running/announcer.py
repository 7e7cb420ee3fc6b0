"""Tells the trace and the hooks what has been stored. Nothing it does can break a run."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flux_engine.hooks import HookEvent, Hooks
from flux_engine.running.problems import Problems
from flux_engine.trace.events import TraceEvent


class Sink(Protocol):
    """A trace sink, sync or async. One that also has ``emit_all`` is given several events at once by it."""

    def emit(self, event: TraceEvent, /) -> Any:
        """Take one event."""
        ...


Announcement = TraceEvent | HookEvent
"""What is to be told once it is stored."""


class Announcer:
    """Hands announcements to the trace sink and the hooks, in order.

    ``traces`` says whether anybody reads trace events, ``hears`` has the names of the hooks there are.
    """

    def __init__(self, sink: Sink | None, hooks: Hooks, problems: Problems) -> None:
        self._sink = sink
        self._emit_all: Callable[[Any], Any] | None = getattr(sink, "emit_all", None)
        self._hooks = hooks
        self._problems = problems
        self._pending: set[asyncio.Future[Any]] = set()
        self.traces = sink is not None
        self.hears = frozenset(name for name in hooks.__struct_fields__ if getattr(hooks, name) is not None)

    async def tell(self, announcements: Sequence[Announcement]) -> None:
        """Tell them all. Without hooks between them, a sink that takes several events gets all at once."""
        if self._emit_all is not None and not self.hears:
            await self._emit(self._emit_all, announcements)
            return
        for announcement in announcements:
            if not isinstance(announcement, TraceEvent):
                await self._call_hook(announcement)
            elif self._sink is not None:
                await self._emit(self._sink.emit, announcement)

    async def _emit(self, emit: Callable[[Any], Any], what: Announcement | Sequence[Announcement]) -> None:
        try:
            pending = emit(what)
            if pending is not None and inspect.isawaitable(pending):
                await pending
        except Exception as error:  # noqa: BLE001 - a sink is anybody's code
            self._problems.count("trace sink", error)

    def trace_soon(self, event: TraceEvent) -> None:
        """Hand one event to the sink from the event loop's thread, without waiting for an async sink."""
        if self._sink is None:
            return
        try:
            pending = self._sink.emit(event)
        except Exception as error:  # noqa: BLE001 - a sink is anybody's code
            self._problems.count("trace sink", error)
            return
        if inspect.isawaitable(pending):
            task = asyncio.ensure_future(pending)
            self._pending.add(task)
            task.add_done_callback(self._settled)

    def _settled(self, task: "asyncio.Future[Any]") -> None:
        self._pending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._problems.count("trace sink", error)

    async def _call_hook(self, event: HookEvent) -> None:
        hook = getattr(self._hooks, event.event)
        if hook is None:
            return
        try:
            pending = hook(event)
            if inspect.isawaitable(pending):
                await pending
        except Exception as error:  # noqa: BLE001 - a hook is anybody's code
            self._problems.count(f"hook {event.event}", error)
