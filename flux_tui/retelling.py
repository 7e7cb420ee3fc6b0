"""The events of an imported run, told again in the trace of the project: there its logs and attempts are."""

from pathlib import Path

from flux_engine.exported_run import ExportedRun
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.trace.file_sink import JsonFileTraceSink
from flux_engine.trace.reader import read_events


def retell(trace: Path, found: ExportedRun, *, anew: bool) -> None:
    """Append the events of a run to a trace that does not know it, or ``anew`` to any.

    Raises ``StorageError`` when it cannot be written.
    """
    known = trace.is_file() and _knows(trace, found.record.id)
    if known and not anew:
        return
    first = found.events[0]
    gone = TraceEvent(
        type=EventType.WORKFLOW_DELETE,
        timestamp=first.timestamp,
        workflow_id=first.workflow_id,
        workflow_name=first.workflow_name,
    )
    sink = JsonFileTraceSink(trace)
    try:
        sink.emit_all([gone, *found.events] if known else found.events)
    finally:
        sink.close()


def _knows(trace: Path, run_id: str) -> bool:
    known = False
    for event in read_events(trace):
        if event.workflow_id == run_id:
            known = event.type != EventType.WORKFLOW_DELETE
    return known
