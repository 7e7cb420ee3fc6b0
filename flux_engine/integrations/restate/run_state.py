"""A store of the one run that a handler moves: what is written goes to the state of its workflow."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs
from restate.serde import BytesSerde

from flux_engine.errors import TransactionError
from flux_engine.integrations.restate.kept_state import (
    BLOB,
    ERROR,
    HEAD,
    ORIGIN,
    Chunk,
    Head,
    Origin,
    WaitsOn,
    chunk_key,
)
from flux_engine.journal import waiting_of
from flux_engine.storage.base import Blobs, JournalEntry, RunRecord, RunTransaction, RunWrite
from flux_engine.storage.memory import MemoryStorage

_BYTES = BytesSerde()


class RunState(MemoryStorage):
    """Keeps the run in memory while its handler runs, and each write in Restate."""

    def __init__(self, context: Any) -> None:
        super().__init__()
        self._context = context
        self._chunks = 0
        self._waits: dict[int, tuple[str, WaitsOn]] = {}
        self._origin: RunRecord | None = None
        self._error: str | None = None
        self._told: Head | None = None

    async def create(
        self, record: RunRecord, entries: Sequence[JournalEntry] = (), blobs: Blobs = ()
    ) -> None:
        """Keep a new run."""
        await super().create(record, entries, blobs)
        self._origin = record
        origin = Origin(
            workflow=record.workflow,
            input=record.input,
            graph=record.graph,
            created_at=record.created_at,
            invocation=self._context.request().id,
            idempotency_key=record.idempotency_key,
        )
        self._set(ORIGIN, msgspec.json.encode(origin))
        self._keep_write(record, entries, blobs)

    async def save(self, write: RunWrite) -> str | None:
        """Keep a write. The graph stays the one that the run began with."""
        asked = await super().save(structs.replace(write, graph=None))
        self._keep_write(write, write.entries, write.blobs)
        return asked

    def transaction(self, run_id: str) -> RunTransaction:
        """Refuse: the state of a workflow takes part in no transaction."""
        raise TransactionError(
            f"On Restate there is no ctx.tx, so run {run_id!r} has none: the record of a commit is kept by "
            "Restate, not by a database. Make the side effect safe to repeat with ctx.idempotency_key."
        )

    def _keep_write(self, head: RunRecord | RunWrite, entries: Sequence[JournalEntry], blobs: Blobs) -> None:
        for digest, text in blobs:
            self._set(f"{BLOB}{digest}", text.encode())
        if entries:
            self._chunks += 1
            self._set(chunk_key(self._chunks), msgspec.json.encode(Chunk(entries=tuple(entries))))
        if head.error is not None and head.error != self._error:
            self._error = head.error
            self._set(ERROR, head.error.encode())
        now = self._head_of(head, entries)
        if structs.replace(now, updated_at=0.0, current_step=None) != self._told:
            self._told = structs.replace(now, updated_at=0.0, current_step=None)
            self._set(HEAD, msgspec.json.encode(now))

    def _head_of(self, head: RunRecord | RunWrite, entries: Sequence[JournalEntry]) -> Head:
        for entry in entries:
            waiting = waiting_of(entry)
            self._waits.pop(entry.seq, None)
            if waiting is not None and waiting.signal is not None:
                waits = WaitsOn(promise=promise_name(waiting.signal, entry.seq), in_doubt=waiting.in_doubt)
                self._waits[entry.seq] = (waiting.signal, waits)
        assert self._origin is not None  # noqa: S101 - a run is created before it is saved
        return Head(
            workflow=self._origin.workflow,
            status=head.status,
            created_at=self._origin.created_at,
            updated_at=head.updated_at,
            completed_at=head.completed_at,
            current_step=head.current_step,
            error=head.error_summary,
            waits=dict(self._waits.values()),
        )

    def _set(self, key: str, value: bytes) -> None:
        self._context.set(key, value, serde=_BYTES)


def promise_name(signal: str, seq: int) -> str:
    """Return the promise that stands for one wait: of a journal entry, for a signal."""
    return f"{signal}:{seq}"
