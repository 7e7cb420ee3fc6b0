"""Taking over a run that was exported to a file, with all that the file tells of it.

The file is the trace of the run behind a first event, ``flux:export``; see ``docs/sharing.md``. One whose
values were masked becomes a run to look at: what masks stand for is nobody's data.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flux_engine.errors import FluxError, RunExistsError, StorageError
from flux_engine.gravito import ImportProblem, ImportReport
from flux_engine.journal import stored_graph
from flux_engine.large_values import take_out
from flux_engine.masked import MASKED
from flux_engine.storage.base import JournalEntry, RunRecord, WorkflowStorage
from flux_engine.storage.replacing import put_run
from flux_engine.trace.events import EventType, TraceEvent, decode_event
from flux_engine.trace.retold import retold

EXPORT: Final = "flux:export"
FORMAT: Final = 1
_NOTHING: Final = TraceEvent(type="", timestamp=0)


class ExportedRun(Struct, frozen=True, kw_only=True):
    """A run as a file has it. ``masked`` says that values in it are not those of the run.

    ``events`` are those of its trace, and those of a masked run say so in their graphs.
    """

    record: RunRecord
    entries: list[JournalEntry]
    events: list[TraceEvent]
    masked: bool


def read_exported(path: Path) -> ExportedRun:
    """Read an exported run. Raises ``StorageError`` for one that is none, is cut off, or unclear."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    first, *told = [_event(path, at, line) for at, line in enumerate(lines, 1)] or [_NOTHING]
    header = _header(path, first)
    if len(told) < header.get("events", 0):
        raise StorageError(
            f"{path} is cut off: it has {len(told)} of {header['events']} events. Export the run again."
        )
    masked = header.get("exact") is not True
    own = [_marked(event) if masked else event for event in told if event.workflow_id == first.workflow_id]
    record, entries = retold(own)
    stored_graph(record)
    if not header.get("ended", True):
        raise StorageError(
            f"Run {record.id} was under way when it was exported. Export it again when it has ended or waits."
        )
    return ExportedRun(record=record, entries=entries, events=own, masked=masked)


async def import_exported(
    path: Path | str, storage: WorkflowStorage, *, overwrite: bool = False
) -> ImportReport:
    """Copy the run of an exported file into a store. The file is only read.

    The run keeps its id, history, data, input, graph and attempts. It is skipped when the id is taken, or
    replaces the run there with ``overwrite``. One whose secrets were masked can be looked at, and is refused
    with ``MaskedRunError`` when it is to go on.

    Raises ``StorageError`` when the file is no exported run, or when the store cannot be written.
    """
    found = await asyncio.to_thread(read_exported, Path(path))
    return await put_exported(found, storage, name=str(path), overwrite=overwrite)


async def put_exported(
    found: ExportedRun, storage: WorkflowStorage, *, name: str, overwrite: bool
) -> ImportReport:
    """Put a run that was read into a store. ``name`` is what the report calls the file."""
    run_id = found.record.id
    short, blobs = take_out(found.entries)
    await storage.open()
    try:
        await put_run(storage, found.record, short, tuple(blobs.items()), overwrite=overwrite)
    except RunExistsError:
        return ImportReport(source=name, skipped=(run_id,))
    except StorageError:
        raise
    except FluxError as error:
        return ImportReport(source=name, problems=(ImportProblem(run_id=run_id, reason=str(error)),))
    return ImportReport(source=name, imported=(run_id,))


def _event(path: Path, number: int, line: bytes) -> TraceEvent:
    try:
        return decode_event(line)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{path} is damaged in line {number}: {error}. Export the run again.") from error


def _header(path: Path, first: TraceEvent) -> Mapping[str, Any]:
    if first.type != EXPORT or not isinstance(first.meta, Mapping):
        raise StorageError(f"{path} is no exported run: it does not begin with an event {EXPORT}.")
    made = first.meta.get("format")
    if made != FORMAT:
        raise StorageError(
            f"{path} has format {made!r}, and this Flux reads {FORMAT}. Use the version that it is from."
        )
    return first.meta


def _marked(event: TraceEvent) -> TraceEvent:
    if event.type != EventType.WORKFLOW_START or not isinstance(event.graph, Mapping):
        return event
    return replace(event, graph={**event.graph, MASKED: True})
