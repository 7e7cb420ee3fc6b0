"""What a run keeps in the state of its Restate workflow: the engine's own record and journal.

It is written so that it can be read from outside, without calling the service: ``origin`` once, ``head``
(what a listing shows) whenever more has changed than the step that is under way, ``error`` when there is
one, ``journal-…`` in chunks that are never changed, and ``blob-…`` for large texts.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct, structs

from flux_engine.errors import StorageError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.large_values import fill_in
from flux_engine.storage.base import JournalEntry, RunRecord

ORIGIN = "origin"
HEAD = "head"
ERROR = "error"
CHUNK = "journal-"
BLOB = "blob-"

KindT = TypeVar("KindT")


class Origin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run began with. ``input`` and ``graph`` are JSON text."""

    workflow: str
    input: str
    graph: str
    created_at: float
    invocation: str = ""
    idempotency_key: str | None = None


class WaitsOn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a signal has to resolve. ``in_doubt``: it is the verdict on a commit."""

    promise: str
    in_doubt: bool = False


class Head(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a run stands, without its journal. ``error`` is one line, ``waits`` are signals waited for."""

    workflow: str
    status: RunStatus
    created_at: float
    updated_at: float
    completed_at: float | None = None
    current_step: str | None = None
    error: str | None = None
    waits: dict[str, WaitsOn] = {}


class Chunk(Struct, frozen=True, kw_only=True, omit_defaults=True, array_like=True):
    """The entries of one write."""

    entries: tuple[JournalEntry, ...] = ()


def chunk_key(number: int) -> str:
    """Return the key of a chunk. In their order as text they are in the order of the writes."""
    return f"{CHUNK}{number:06d}"


def read_head(text: str) -> Head:
    """Read a head. Raises ``StorageError`` for one of another form."""
    return _read(text, Head, "head")


def _read(text: str, kind: type[KindT], what: str) -> KindT:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise StorageError(f"The {what} that this run keeps on Restate cannot be read: {error}") from error


def read_state(run_id: str, state: Mapping[str, str]) -> tuple[RunRecord, list[JournalEntry]] | None:
    """Return the record and the journal of a run from its state, ``None`` when it has not begun."""
    if ORIGIN not in state or HEAD not in state:
        return None
    origin = _read(state[ORIGIN], Origin, "origin")
    entries = _entries(state)
    head = brought_up_to_date(read_head(state[HEAD]), entries)
    record = RunRecord(
        id=run_id,
        workflow=origin.workflow,
        status=head.status,
        input=origin.input,
        graph=origin.graph,
        created_at=origin.created_at,
        updated_at=head.updated_at,
        completed_at=head.completed_at,
        current_step=head.current_step,
        error=state.get(ERROR) if head.error is not None else None,
        error_summary=head.error,
        idempotency_key=origin.idempotency_key,
    )
    blobs = {key.removeprefix(BLOB): text for key, text in state.items() if key.startswith(BLOB)}
    return record, fill_in(entries, blobs)


def read_chunk(text: str) -> tuple[JournalEntry, ...]:
    """Read the entries of one write. Raises as ``read_head``."""
    return _read(text, Chunk, "journal").entries


def brought_up_to_date(head: Head, entries: Iterable[JournalEntry]) -> Head:
    """Return the head of a run that moves as it is after these entries, the last of its journal."""
    if head.status is not RunStatus.RUNNING:
        return head
    for entry in entries:
        latest = max(head.updated_at, entry.started_at or 0.0, entry.completed_at or 0.0)
        under_way = entry.step if entry.status is StepStatus.RUNNING else head.current_step
        head = structs.replace(head, updated_at=latest, current_step=under_way)
    return head


def _entries(state: Mapping[str, str]) -> list[JournalEntry]:
    entries: dict[int, JournalEntry] = {}
    for key in sorted(key for key in state if key.startswith(CHUNK)):
        entries |= {entry.seq: entry for entry in read_chunk(state[key])}
    return [entries[seq] for seq in sorted(entries)]
