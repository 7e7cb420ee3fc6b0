"""The books of a run in hand: what is entered here is stored in one write, and only then announced.

So the end of a step and the start of the next are one write.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from flux_engine.definition import StepDefinition
from flux_engine.errors import RunExistsError
from flux_engine.execution import ErrorInfo
from flux_engine.failure import summary
from flux_engine.hooks import HookEvent
from flux_engine.journal import Progress
from flux_engine.large_values import take_out
from flux_engine.running.announcer import Announcement
from flux_engine.running.services import Services
from flux_engine.storage.base import JournalEntry, RunRecord, RunWrite
from flux_engine.trace.events import EventType, TraceEvent

_HEAD = (
    "status",
    "updated_at",
    "completed_at",
    "current_step",
    "error",
    "error_summary",
    "owner",
    "lease_until",
)

NO_CHANGES = msgspec.Raw(b'{"set":{},"deleted":[]}')


class Books:
    """Enters, stores and announces. ``graph`` is that of the run's definition now.

    ``asked`` is what somebody in another process has asked of the run: ``"pause"`` or ``"cancel"``.
    ``is_unclear`` says that the store may have more than was heard of: the end of a commit with its writes.
    """

    def __init__(
        self, services: Services, record: RunRecord, progress: Progress, *, graph: str, is_new: bool
    ) -> None:
        self.progress = progress
        self.status = record.status
        self.error: ErrorInfo | None = None
        self.exception: BaseException | None = None
        self._services = services
        self._traces = services.announcer.traces
        self._hears = services.announcer.hears
        self._record = record
        self._graph = graph
        self._graph_to_store = None if record.graph == graph else graph
        self._is_new = is_new
        self.asked: str | None = None
        self.is_unclear = False
        self._current: str | None = None
        self._unsure = False
        self._creation = asyncio.Lock()
        self._entries: dict[int, JournalEntry] = {}
        self._announcements: list[Announcement] = []

    def begin_with(self, entries: Iterable[JournalEntry]) -> None:
        """The run has these entries before it starts or goes on: results of another one, an edit."""
        for entry in entries:
            self._enter(entry)

    async def commit(self, *, release: bool = False) -> None:
        """Store what was entered, then announce it.

        ``release`` also gives up the ownership of the run.
        """
        # Steps that run at the same time commit what they find here, so each entry is taken once.
        entries, self._entries = tuple(self._entries.values()), {}
        announcements, self._announcements = self._announcements, []
        graph, self._graph_to_store = self._graph_to_store, None
        write = self._write_of(entries, graph=graph, release=release)
        try:
            self.asked = (
                await (self._create_once(write) if self._is_new else self._services.storage.save(write))
                or self.asked
            )
        except BaseException:
            self._entries = {entry.seq: entry for entry in entries} | self._entries
            self._announcements = announcements + self._announcements
            self._graph_to_store = graph
            raise
        if announcements:
            await self._services.announcer.tell(announcements)
        await self._assure(write)

    async def _assure(self, write: RunWrite) -> None:
        """Write again when the lease of a write has passed on its way: another may have the run by now.

        So nothing is begun by an owner that was away for longer than its lease, whose write was made in time.
        """
        while write.lease_until is not None and write.lease_until < self._services.clock.now():
            write = self._write_of(())
            self.asked = await self._services.storage.save(write) or self.asked

    def _write_of(
        self, entries: Sequence[JournalEntry], *, graph: str | None = None, release: bool = False
    ) -> RunWrite:
        """Return the write that stores these entries and where the run stands."""
        now = self._services.clock.now()
        short, blobs = take_out(entries)
        record = self._record
        ended = self.status.ended
        return RunWrite(
            run_id=record.id,
            fence=record.fence,
            status=self.status,
            updated_at=now,
            completed_at=now if ended else None,
            current_step=None if ended else self.progress.current_step() if release else self._current,
            error=None if self.error is None else as_json(self.error),
            error_summary=None if self.error is None else summary(self.error),
            owner=None if release else record.owner,
            lease_until=None if release else now + self._services.lease,
            graph=graph,
            entries=tuple(short),
            blobs=tuple(blobs.items()) if blobs else (),
        )

    async def _create_once(self, write: RunWrite) -> str | None:
        """Make the first write; return what is asked of the run's owner."""
        async with self._creation:  # steps that begin the run together
            if self._is_new:
                return await self._create(write)
        return await self._services.storage.save(write)

    async def _create(self, write: RunWrite) -> str | None:
        head = {name: getattr(write, name) for name in _HEAD}
        record = msgspec.structs.replace(self._record, **head)
        try:
            await self._services.storage.create(record, write.entries, write.blobs)
        except asyncio.CancelledError:
            self._unsure = True  # it may be made all the same
            raise
        except RunExistsError:
            if not self._unsure or not await self._is_ours():
                raise
            self._is_new = False
            return await self._services.storage.save(write)
        self._is_new = False
        return None

    async def _is_ours(self) -> bool:
        found = await self._services.storage.find(self._record.id)
        return found is not None and found.owner == self._record.owner

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._record.id

    @property
    def pending(self) -> bool:
        """Whether there is something entered that is not stored, or not told, yet."""
        return bool(self._entries or self._announcements)

    @property
    def is_stored(self) -> bool:
        """Whether the store has, or may have, this run."""
        return not self._is_new or self._unsure

    def keep_quiet(self) -> None:
        """Forget what was to be announced: it could not be stored."""
        self._announcements.clear()

    def _enter(self, entry: JournalEntry) -> JournalEntry:
        self.progress.add(entry)
        self._entries[entry.seq] = entry
        return entry

    def _trace(self, kind: EventType, step: StepDefinition | None = None, **fields: Any) -> None:
        if not self._traces:
            return
        event = TraceEvent(
            type=kind,
            timestamp=round(self._services.clock.now() * 1000),
            workflow_id=self._record.id,
            workflow_name=self._record.workflow,
            step_name=None if step is None else step.name,
            step_index=None if step is None else step.index,
            commit=None if step is None else step.commit,
            **fields,
        )
        self._announcements.append(event)

    def _hook(self, hook: str, **fields: Any) -> None:
        if hook in self._hears:
            event = HookEvent(event=hook, run_id=self._record.id, workflow=self._record.workflow, **fields)
            self._announcements.append(event)


def milliseconds(entry: JournalEntry) -> float:
    """Return how long an entry lasted."""
    return round(((entry.completed_at or 0.0) - (entry.started_at or 0.0)) * 1_000_000) / 1000


def as_json(value: Any) -> str:
    """Return a value of the engine's own as JSON text."""
    return msgspec.json.encode(value).decode()


def raw(text: str) -> msgspec.Raw:
    """Return JSON text as a part of a trace event."""
    return msgspec.Raw(text.encode())


def as_object(texts: dict[str, str]) -> str:
    """Return JSON texts by key as one JSON object."""
    return "{" + ",".join(f"{as_json(key)}:{text}" for key, text in texts.items()) + "}"
