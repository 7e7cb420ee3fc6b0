"""Telling each event once, though Restate runs a handler again from its beginning.

What is announced is held back until the run waits for Restate. By then one of three things is known: an
earlier execution came further, so it has told this; or this execution did something that none before it
can have done, so nobody has; or it stands where the one before may have ended, or lives on without its
connection. Only there the trace is asked, by one process at a time.
"""

from collections.abc import Sequence

from flux_engine.hooks import HookEvent
from flux_engine.integrations.restate.actions import Actions
from flux_engine.integrations.restate.trace_tail import Told, alone, told_by
from flux_engine.running.announcer import Announcement, Announcer
from flux_engine.trace.events import TraceEvent
from flux_engine.trace.file_sink import JsonFileTraceSink
from flux_engine.trace.sinks import FluxTraceSink, MultiTraceSink


class Announcers:
    """The announcers of an app: one for each sink, and one for the hooks, behind ``whole``."""

    def __init__(
        self, whole: Announcer, sinks: Sequence[tuple[FluxTraceSink, Announcer]], hooks: Announcer
    ) -> None:
        self.whole = whole
        self.sinks = sinks
        self.hooks = hooks


class HeldAnnouncer(Announcer):
    """Holds back what one execution announces until ``release``. Log lines of handlers pass at once."""

    def __init__(self, announcers: Announcers, actions: Actions) -> None:
        self._announcers = announcers
        self._actions = actions
        self._held: list[Announcement] = []
        self.traces = announcers.whole.traces
        self.hears = announcers.whole.hears

    async def tell(self, announcements: Sequence[Announcement]) -> None:
        """Hold them back."""
        self._held += announcements

    def trace_soon(self, event: TraceEvent) -> None:
        """Hand one event to the sinks: it comes from a handler, which runs once."""
        self._announcers.whole.trace_soon(event)

    async def release(self) -> None:
        """Tell what was held back, as far as nobody has told it."""
        held, self._held = self._held, []
        if not held or self._actions.is_replaying:
            return
        if self._actions.is_first:
            await self._announcers.whole.tell(held)
            return
        events = [each for each in held if isinstance(each, TraceEvent)]
        for sink, announcer in self._announcers.sinks:
            while not await _tell_new(sink, announcer, events):
                pass
        await self._announcers.hooks.tell([each for each in held if isinstance(each, HookEvent)])


async def _tell_new(sink: FluxTraceSink, announcer: Announcer, events: Sequence[TraceEvent]) -> bool:
    """Tell a sink those events that it has not; False if this took so long that another may have."""
    async with alone(sink) as is_alone:
        told = _told(sink, events)
        if not is_alone():
            return False
        if new := [event for event in events if Told.of(event) not in told]:
            await announcer.tell(new)
        return True


def _told(sink: FluxTraceSink, events: Sequence[TraceEvent]) -> set[Told]:
    """Return what a sink has already; one that cannot be asked has nothing."""
    return told_by(sink, events) if isinstance(sink, JsonFileTraceSink) else set()


def leaves(sink: FluxTraceSink | None) -> list[FluxTraceSink]:
    """Return the sinks that events end in."""
    if sink is None:
        return []
    if isinstance(sink, MultiTraceSink):
        return [leaf for each in sink.sinks for leaf in leaves(each)]
    return [sink]
