"""The runs that are open: kept whole, from the trace and from the store, while others are only rows."""

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from flux_engine.storage.base import JournalEntry
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import fold
from flux_tui.model.lineage import origin_of, with_copied
from flux_tui.model.masked import masked_logs, masked_run
from flux_tui.model.moments import whole
from flux_tui.model.recounted import recounted
from flux_tui.model.run import Driver, LogLine, RunView
from flux_tui.model.secrets import Secrets

MOST = 32
"""How many runs are kept open; the one that nobody asked for the longest is closed first."""


LEFT_UNTIL_LOOKED_AT = 100
"""How many events of a run are at most left until somebody looks: to fold them is not felt."""


class _Open(Struct):
    """A run by both accounts. ``chosen`` is the view chosen for the two views in ``chosen_from``.

    ``logs`` and ``traced`` are made of the first ``folded`` events. ``driver`` is who has the run in hand, or
    had it when the store was last read. ``recounted`` is made of the journal in ``recounted_from``.
    """

    events: list[TraceEvent] = field(default_factory=list)
    folded: int = 0
    logs: list[LogLine] = field(default_factory=list)
    traced: RunView | None = None
    stored: RunView | None = None
    chosen: RunView | None = None
    chosen_from: tuple[RunView | None, RunView | None] = (None, None)
    driver: Driver | None = None
    recounted: tuple[TraceEvent, ...] = ()
    recounted_from: tuple[JournalEntry, ...] = ()


class OpenRuns:
    """Folds the events of open runs, with the secrets in their errors and logs masked.

    A run that starts under our eyes is open from its first event. ``kept`` is the run that is looked at: it
    stays open however many others begin.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._runs: dict[str, _Open] = {}
        self.kept: str | None = None

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    @property
    def ids(self) -> tuple[str, ...]:
        """The runs that are open."""
        return tuple(self._runs)

    def open(self, run_id: str, events: Sequence[TraceEvent]) -> None:
        """Open a run with all its events so far; events that were taken before are replaced."""
        reading = self.reading()
        reading.take(events)
        self.put_read(run_id, reading)

    def reading(self) -> "Reading":
        """Return what takes the events of a run a few at a time, until ``put_read`` opens it with them."""
        return Reading(self._secrets)

    def put_read(self, run_id: str, reading: "Reading") -> None:
        """Open a run with all its events so far; events that were taken before are replaced."""
        entry, read = self._entry(run_id), reading.entry
        _fold(read, self._secrets)
        entry.events, entry.folded, entry.logs, entry.traced = (
            read.events,
            read.folded,
            read.logs,
            read.traced,
        )

    def take(self, event: TraceEvent) -> None:
        """Take a new event: it counts if its run is open, or begins with it."""
        run_id = event.workflow_id
        if not run_id:
            return
        begins = event.type == EventType.WORKFLOW_START and event.graph is not None and not event.meta
        if run_id not in self._runs and not begins:
            return
        _add(self._entry(run_id), event, self._secrets)

    def put_stored(self, run_id: str, view: RunView | None, *, reached: bool = True) -> bool:
        """Take the store's account of an open run; return whether it is another one than before.

        What is known stays while the store is not ``reached``.
        """
        if view is None and not reached:
            return False
        entry = self._entry(run_id)
        if view is not None and view.driver is not None:
            entry.driver = view.driver
        changed, entry.stored = entry.stored != view, view
        return changed

    def forget(self, run_id: str) -> None:
        """Close a run that is no more."""
        self._runs.pop(run_id, None)

    def forget_trace(self) -> None:
        """Forget what the trace told, because it was begun anew."""
        for entry in self._runs.values():
            entry.events, entry.folded, entry.logs, entry.traced = [], 0, [], None

    def view(self, run_id: str) -> RunView | None:
        """Return the run by the account that is newer; the same value as long as neither changed."""
        if run_id not in self._runs:
            return None
        entry = self._entry(run_id)
        _fold(entry, self._secrets)
        accounts = (entry.traced, entry.stored)
        if any(now is not then for now, then in zip(accounts, entry.chosen_from, strict=True)):
            chosen = fold.newer(*accounts)
            if chosen is not None and chosen is entry.traced and entry.stored is not None:
                chosen = with_copied(chosen, entry.stored, origin_of(entry.events))
            if chosen is not None:
                chosen = masked_run(replace(chosen, driver=entry.driver), self._secrets)
            entry.chosen = chosen
            entry.chosen_from = accounts
        return entry.chosen

    def events(self, run_id: str) -> Sequence[TraceEvent]:
        """Return the events of an open run."""
        entry = self._runs.get(run_id)
        return () if entry is None else entry.events

    def account(self, run_id: str) -> Sequence[TraceEvent]:
        """Return the events that moved an open run from its start: of the trace, else made of its journal."""
        entry = self._runs.get(run_id)
        if entry is None:
            return ()
        journal = () if entry.stored is None else entry.stored.journal
        if entry.stored is None or not journal or whole(entry.events):
            return entry.events
        if entry.recounted_from is not journal:
            entry.recounted, entry.recounted_from = recounted(entry.stored), journal
        return entry.recounted

    def logs(self, run_id: str) -> Sequence[LogLine]:
        """Return what the steps of an open run printed and logged."""
        entry = self._runs.get(run_id)
        if entry is None:
            return ()
        _fold(entry, self._secrets)
        return entry.logs

    def _entry(self, run_id: str) -> _Open:
        entry = self._runs.pop(run_id, None) or _Open()
        self._runs[run_id] = entry
        while len(self._runs) > MOST:
            del self._runs[next(each for each in self._runs if each != self.kept)]
        return entry


class Reading:
    """The events of a run as they are read."""

    def __init__(self, secrets: Secrets) -> None:
        self.entry = _Open()
        self._secrets = secrets

    def take(self, events: Sequence[TraceEvent]) -> None:
        """Take the next events."""
        for event in events:
            _add(self.entry, event, self._secrets)


def _add(entry: _Open, event: TraceEvent, secrets: Secrets) -> None:
    entry.events.append(event)
    if len(entry.events) - entry.folded >= LEFT_UNTIL_LOOKED_AT:
        _fold(entry, secrets)


def _fold(entry: _Open, secrets: Secrets) -> None:
    """Take the events that nobody has looked at yet into the run."""
    if entry.folded == len(entry.events):
        return
    for event in entry.events[entry.folded :]:
        if event.type == EventType.STEP_LOG:
            entry.logs += masked_logs(fold.logs([event]), secrets)
        entry.traced = fold.apply(entry.traced, event)
    entry.folded = len(entry.events)
