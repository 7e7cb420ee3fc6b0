"""A run as one file that shows it anywhere: its trace, with the code of its steps and without its secrets.

The file is a trace like any other (see ``docs/trace-format.md``), so any reader of traces reads it. Its first
event, ``flux:export``, says that it is an export, whether secrets are masked, and has the source of the
handlers. Paths are relative to the project, so that nothing tells whose machine it came from; values that are
revealed stay as they are, paths in them too, for the file can become a run again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flux_engine.exported_run import EXPORT, FORMAT
from flux_engine.secrets import MASK
from flux_engine.trace.events import EventType, TraceEvent, decode_event, encode_event
from flux_tui.model import parse
from flux_tui.model.beginning import beginning
from flux_tui.model.event_json import event_line
from flux_tui.model.json_text import tagged
from flux_tui.model.moments import whole
from flux_tui.model.recounted import recounted
from flux_tui.model.run import NodeSpec, RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.model.source import source_lines
from flux_tui.model.spilled import mopped, values_of

SUFFIX: Final = ".flux"

_CLOSING: Final = {
    "completed": EventType.WORKFLOW_COMPLETE,
    "failed": EventType.WORKFLOW_ERROR,
    "cancelled": EventType.WORKFLOW_CANCEL,
    "paused": EventType.WORKFLOW_PAUSE,
    "suspended": EventType.WORKFLOW_SUSPEND,
    "interrupted": EventType.WORKFLOW_PAUSE,
}
_VALUES: Final = ("input", "data", "changes")
_META_VALUES: Final = ("output", "edit")
_SLACK: Final = 1000.0
"""By how many milliseconds a trace that tells all may be behind the store."""

_COPIED: Final = frozenset({"completed", "skipped", "compensated"})
"""How steps stand that a fork takes from another run."""


class Export(Struct, frozen=True, kw_only=True):
    """An exported run. ``masked`` counts the places where a secret was taken out.

    ``exact`` says that the values are those of the run, so that it can become one that goes on.
    """

    name: str
    content: bytes
    masked: int
    exact: bool


def export_run(
    run: RunView, events: Sequence[TraceEvent], secrets: Secrets | None, *, project: Path, now: float
) -> Export:
    """Return a run as a file. ``events`` are those of the trace; what it lacks the run itself tells.

    ``secrets`` are masked; ``None`` leaves everything as it is. ``now`` is milliseconds since the epoch.
    """
    told = _told(run, events)
    if told[0].type != EventType.WORKFLOW_START or told[0].graph is None:
        told.insert(0, beginning(run))
    shown = [_shown(event, secrets, project) for event in told]
    exact = all(each for _, each in shown) and not run.graph.masked and _has_changes(told)
    header = _header(
        run,
        redacted=secrets is not None,
        exact=exact,
        events=len(told),
        sources=dict(_sources(run.graph.nodes, secrets)),
        now=now,
    )
    text = "\n".join([_without_places(_line(header, None), project), *(line for line, _ in shown), ""])
    if secrets is not None:
        masking = (event for event, (line, _) in zip(told, shown, strict=True) if MASK in line)
        text = mopped(text, values_of((_line(event, None) for event in masking), secrets))
    masked = text.count(MASK)
    name = f"{_plain(run.workflow)}-{_plain(run.id[:8])}{SUFFIX}"
    return Export(name=name, content=text.encode(), masked=masked, exact=exact)


def places(count: int) -> str:
    """Return a count of places where something was masked, in words."""
    return "1 place" if count == 1 else f"{count:,} places" if count else "no place"


def header_of(line: bytes) -> Mapping[str, Any] | None:
    """Return what the first line of an export says; ``None`` when the line begins no export."""
    try:
        event = decode_event(line)
    except msgspec.MsgspecError:
        return None
    return parse.meta(event) if event.type == EXPORT else None


def sources_of(header: Mapping[str, Any]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield the pieces of code in an export: file, number of the first line, lines."""
    sources = header.get("sources")
    for file, pieces in sources.items() if isinstance(sources, Mapping) else ():
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, list) and len(piece) == 2 and isinstance(piece[0], int):  # noqa: PLR2004
                yield str(file), piece[0], parse.names(piece[1])


def _header(run: RunView, *, now: float, **said: Any) -> TraceEvent:
    from importlib.metadata import version  # noqa: PLC0415 - takes 10 ms, and most sessions export nothing

    return TraceEvent(
        type=EXPORT,
        timestamp=round(now),
        workflow_id=run.id,
        workflow_name=run.workflow,
        meta={
            "format": FORMAT,
            "by": f"flux {version('flux-tui')}",
            "ended": run.status not in ("pending", "running"),
            **said,
        },
    )


def _sources(nodes: Sequence[NodeSpec], secrets: Secrets | None) -> dict[str, list[tuple[int, list[str]]]]:
    found: dict[str, list[tuple[int, list[str]]]] = {}
    for node in nodes:
        source = node.source or {}
        file, first, last = source.get("file"), source.get("line"), source.get("end_line")
        lines = source_lines(file) if isinstance(file, str) else None
        if lines is None or not isinstance(first, int) or not isinstance(last, int):
            continue
        code = [line if secrets is None else secrets.text(line) for line in lines[first - 1 : last]]
        if (first, code) not in found.setdefault(str(file), []):
            found[str(file)].append((first, code))
    return found


def _line(event: TraceEvent, secrets: Secrets | None) -> str:
    return event_line(event, secrets, (",", ":"))


def _shown(event: TraceEvent, secrets: Secrets | None, project: Path) -> tuple[str, bool]:
    """Return an event as a line, and whether the values in it are those of the run."""
    whole = _line(event, None)
    line = _without_places(_line(event, secrets), project)
    if line == whole:
        return line, not _is_cut(event)
    shown, own = json.loads(line), json.loads(whole)
    values = _values(own)
    if _values(shown) == values:
        return line, not _is_cut(event)
    if secrets is not None:
        return line, False
    shown |= {key: own[key] for key in _VALUES if key in own}
    shown.get("meta", {}).update(
        {key: own["meta"][key] for key in _META_VALUES if key in own.get("meta", {})}
    )
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")), not _is_cut(event)


def _values(event: Mapping[str, Any]) -> list[Any]:
    """Return what is of the user in an event, with its place."""
    said = event.get("meta") or {}
    return [[event.get(key) for key in _VALUES], [said.get(key) for key in _META_VALUES]]


def _has_changes(events: Sequence[TraceEvent]) -> bool:
    """Say whether it is known of each step what it changed: a trace of the ancestor does not tell."""
    return all(event.changes is not None for event in events if event.type == EventType.STEP_COMPLETE)


def _is_cut(event: TraceEvent) -> bool:
    """Say whether values are nested so deeply that a line has only a part of them."""
    try:
        json.loads(encode_event(event))
    except RecursionError:
        return True
    return False


def _without_places(text: str, project: Path) -> str:
    """Write paths as they are seen from the project, and the user's folder as ``~``."""
    for folder, instead in ((f"{project}/", ""), (f"{Path.home()}/", "~/")):
        if len(Path(folder).parts) > 1:
            text = text.replace(json.dumps(folder, ensure_ascii=False)[1:-1], instead)
    return text


def _plain(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in name)[:60] or "run"


# What the trace does not tell of a run


def _told(run: RunView, events: Sequence[TraceEvent]) -> list[TraceEvent]:
    """Return the events of a run: of its trace, completed; of the store where that has more to tell."""
    starts = [event for event in events if event.type == EventType.WORKFLOW_START and event.graph is not None]
    forked = bool(starts) and "forkedFrom" in parse.meta(starts[0])
    behind = bool(events) and run.updated_at - events[-1].timestamp > _SLACK
    if starts and not (run.journal and (forked or behind or not whole(events))):
        return _completed(run, events)
    first, *others = recounted(run) or events_of(run)
    logs = [event for event in events if event.type == EventType.STEP_LOG]
    if forked:
        first = replace(first, meta=starts[0].meta)
    if logs:
        others = sorted([*others, *logs], key=lambda event: event.timestamp)
    return [first, *others]


def _completed(run: RunView, events: Sequence[TraceEvent]) -> list[TraceEvent]:
    """Return the events of a run with what a fork has copied, and the end of one whose process died."""
    start = next(at for at, event in enumerate(events) if event.type == EventType.WORKFLOW_START)
    begun = events[start].timestamp
    own = {event.step_name for event in events}
    copied = (step for step in run.steps if step.name not in own and step.status in _COPIED)
    results = [replace(event, timestamp=begun) for step in copied for event in _step_events(run, step)]
    died = [_closing(run)] if run.status == "interrupted" and not _says_interrupted(events[-1]) else []
    return [*events[: start + 1], *results, *events[start + 1 :], *died]


def _says_interrupted(event: TraceEvent) -> bool:
    return parse.meta(event).get("interrupted") is True


# A run that only the store knows


def events_of(run: RunView) -> Iterator[TraceEvent]:
    """Yield events from which the run can be shown as it stands: of each step its latest attempt."""
    yield beginning(run)
    started = [step for step in run.steps if step.status != "pending"]
    for step in sorted(started, key=lambda step: (step.started_at or run.updated_at, step.index)):
        yield from _step_events(run, step)
    if run.status in _CLOSING:
        yield _closing(run)


def _closing(run: RunView) -> TraceEvent:
    return TraceEvent(
        type=_CLOSING[run.status],
        timestamp=run.ended_at or run.updated_at,
        workflow_id=run.id,
        workflow_name=run.workflow,
        status=run.status,
        duration=run.duration,
        error=None if run.error is None else str(run.error),
        meta=_exception(run.error) | ({"interrupted": True} if run.status == "interrupted" else {}),
    )


def _step_events(run: RunView, step: StepView) -> Iterator[TraceEvent]:
    begun = step.started_at or run.updated_at
    base = TraceEvent(
        type=EventType.STEP_START,
        timestamp=begun,
        workflow_id=run.id,
        workflow_name=run.workflow,
        step_name=step.name,
        step_index=step.index,
        commit=step.commit,
        attempt=step.attempt or 1,
        retries=max(step.tries - 1, 0),
        max_retries=None if step.max_tries is None else step.max_tries - 1,
    )
    if step.edit is not None:
        meta = {"retry": True, "fromStep": step.name, "runsAgain": [step.name], "edit": _changes(step.edit)}
        yield TraceEvent(
            type=EventType.WORKFLOW_START,
            timestamp=begun,
            workflow_id=run.id,
            workflow_name=run.workflow,
            meta=meta,
        )
    ended = step.ended_at or begun + (step.duration or 0.0)
    if step.status == "skipped":
        yield replace(base, type=EventType.STEP_SKIPPED, timestamp=ended, meta={"reason": step.reason})
        return
    yield base
    end = replace(base, timestamp=ended, duration=step.duration)
    match step.status:
        case "completed" | "compensated":
            yield replace(
                end,
                type=EventType.STEP_COMPLETE,
                changes=_changes(step.changes),
                meta={} if step.output is None else {"output": tagged(step.output)},
            )
            if step.status == "compensated":
                yield replace(end, type=EventType.STEP_COMPENSATE, status="compensated")
        case "failed":
            yield replace(
                end, type=EventType.STEP_ERROR, error=str(step.error or ""), meta=_exception(step.error)
            )
        case "suspended" if step.waits_for is not None:
            waits = {"signal": step.waits_for.signal, "until": step.waits_for.until}
            meta = {key: value for key, value in waits.items() if value is not None}
            yield replace(end, type=EventType.STEP_SUSPEND, meta=meta)


def _changes(changes: Any) -> Any:
    return None if changes is None else {"set": tagged(dict(changes.set)), "deleted": list(changes.deleted)}


def _exception(error: Any) -> dict[str, Any]:
    return {} if error is None else {"exception": msgspec.to_builtins(error)}
