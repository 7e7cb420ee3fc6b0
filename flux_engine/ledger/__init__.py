"""The ledger of a run in hand: every verb for what can happen to a run and its steps.

Each verb enters one thing: a journal entry, and the trace event and hook that go with it. Nothing is
stored or told before ``commit``.
"""

from collections.abc import Iterable
from typing import Any

from flux_engine.execution import RunStatus
from flux_engine.journal import INTERRUPTED
from flux_engine.ledger.books import as_object, raw
from flux_engine.ledger.compensations import CompensationEntries
from flux_engine.ledger.waits import WaitingEntries
from flux_engine.storage.base import JournalEntry
from flux_engine.trace.events import EventType
from flux_engine.transitions import transition

_END_EVENTS = {
    RunStatus.FAILED: EventType.WORKFLOW_ERROR,
    RunStatus.COMPLETED: EventType.WORKFLOW_COMPLETE,
    RunStatus.PAUSED: EventType.WORKFLOW_PAUSE,
    RunStatus.SUSPENDED: EventType.WORKFLOW_SUSPEND,
    RunStatus.CANCELLED: EventType.WORKFLOW_CANCEL,
}
_END_HOOKS = {RunStatus.FAILED: "workflow_error", RunStatus.COMPLETED: "workflow_complete"}


class Ledger(WaitingEntries, CompensationEntries):
    """Enters what happens to the run itself."""

    def start(
        self, meta: dict[str, Any] | None, entry: JournalEntry | None, *, hold: Iterable[str] = ()
    ) -> None:
        """The run starts, or goes on with the entry that sent it back.

        ``hold`` names commits that wait for a verdict if they are in doubt.
        """
        self.status = transition(self.status, RunStatus.RUNNING)
        if self.progress.last_seq:
            self.hold([name for name in hold if self.progress.in_doubt(name)])
            self.cancel_attempts(INTERRUPTED, "interrupted before its end")
        if entry is not None:
            self._enter(entry)
        self.announce_start(meta)

    def announce_start(self, meta: dict[str, Any] | None) -> None:
        """Tell that the run starts, or goes on."""
        self._trace(
            EventType.WORKFLOW_START,
            status=self.status,
            input=raw(self._record.input),
            graph=raw(self._graph),
            meta=meta,
        )

    def end(
        self, status: RunStatus, *, duration: float, data: Any, meta: dict[str, Any] | None = None
    ) -> None:
        """The run has come to an end, or pauses. ``duration`` is seconds."""
        self.status = transition(self.status, status)
        traced = self._services.announcer.traces
        self._trace(
            _END_EVENTS[status],
            status=status,
            duration=round(duration * 1000, 3),
            error=None if self.error is None else str(self.error),
            data=raw(as_object(self.progress.texts())) if traced else None,
            meta=meta,
        )
        if status in _END_HOOKS:
            self._hook(
                _END_HOOKS[status],
                status=status,
                duration=duration,
                data=data,
                error=self.error,
                exception=self.exception,
            )

    def interrupt(self) -> None:
        """The run is let go in the middle: attempts under way are cancelled, the status stays."""
        self.cancel_attempts(INTERRUPTED, "interrupted before its end")
        self._trace(EventType.WORKFLOW_PAUSE, status="interrupted", meta={"interrupted": True})
