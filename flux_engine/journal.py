"""From a run's record and journal to where the run stands: one fold, used live and from the store."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from flux_engine.clock import as_datetime
from flux_engine.codec import decode_plain
from flux_engine.data import Delta, decode_delta
from flux_engine.errors import StorageError
from flux_engine.execution import (
    AttemptRecord,
    Changes,
    ErrorInfo,
    RunStatus,
    StepHistory,
    StepStatus,
    WorkflowState,
)
from flux_engine.ownership import abandoned
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord

Decode = Callable[[str], Any]


class RetryDetail(Struct, frozen=True, kw_only=True):
    """What a ``RETRY`` entry says beyond its edit: the steps whose results no longer count."""

    scope: str
    superseded: tuple[str, ...]

    def encode(self) -> str:
        """Return it as JSON text."""
        return msgspec.json.encode(self).decode()


class StepProgress:
    """Where one step stands. ``last`` is the entry that counts, ``log`` has all attempts ever made."""

    __slots__ = ("attempts", "commit", "edit", "index", "last", "log", "name", "status")

    def __init__(self, name: str, index: int, *, commit: bool) -> None:
        self.name = name
        self.index = index
        self.commit = commit
        self.status = StepStatus.PENDING
        self.attempts = 0
        self.last: JournalEntry | None = None
        self.edit: Delta | None = None
        self.log: list[JournalEntry] = []

    def edit_or_nothing(self) -> Delta:
        """Return what a retry was told to merge over the data before this step."""
        return decode_delta(None) if self.edit is None else self.edit

    def delta(self) -> Delta:
        """Return what the step's completed attempt changed."""
        if self.status is not StepStatus.COMPLETED or self.last is None:
            return decode_delta(None)
        return decode_delta(self.last.changes)


class Progress:
    """Where a run stands, kept up to date by ``add``."""

    __slots__ = ("last_seq", "steps")

    def __init__(self, steps: Iterable[tuple[str, bool]]) -> None:
        self.steps = {
            name: StepProgress(name, index, commit=commit) for index, (name, commit) in enumerate(steps)
        }
        self.last_seq = 0

    def add(self, entry: JournalEntry) -> None:
        """Take in one entry, or the new form of the entry with its ``seq``."""
        self.last_seq = max(self.last_seq, entry.seq)
        if entry.kind is EntryKind.RETRY:
            self._restart(entry)
            return
        step = self.steps.get(entry.step)
        if step is None:  # a step that the definition no longer has
            step = self.steps[entry.step] = StepProgress(entry.step, len(self.steps), commit=False)
        step.last = entry
        step.status = entry.status or StepStatus.PENDING
        if entry.attempt:
            step.attempts = max(step.attempts, entry.attempt)
            if step.log and step.log[-1].seq == entry.seq:
                step.log[-1] = entry
            else:
                step.log.append(entry)

    def _restart(self, entry: JournalEntry) -> None:
        detail = msgspec.json.decode(entry.detail or "{}", type=RetryDetail)
        for name in detail.superseded:
            step = self.steps.get(name)
            if step is None:
                continue
            step.status = StepStatus.PENDING
            step.last = None
            if name != entry.step:
                step.edit = None
        target = self.steps.get(entry.step)
        if target is not None and entry.changes is not None:
            edit = decode_delta(entry.changes)
            target.edit = edit if target.edit is None else edit.over(target.edit)

    def texts_before(self, step: str | None) -> dict[str, str]:
        """Return the data as ``step`` finds it, or after all steps for ``None``, as JSON text by key."""
        texts: dict[str, str] = {}
        for entry in self.steps.values():
            if entry.edit is not None:
                entry.edit.apply(texts)
            if entry.name == step:
                break
            entry.delta().apply(texts)
        return texts


def progress_of(record: RunRecord, entries: Iterable[JournalEntry]) -> Progress:
    """Fold a stored run."""
    progress = Progress(stored_steps(record))
    for entry in entries:
        progress.add(entry)
    return progress


def stored_graph(record: RunRecord) -> Mapping[str, Any]:
    """Return the graph that the run was made with. Raises ``StorageError`` when it is damaged."""
    try:
        graph = msgspec.json.decode(record.graph)
        if isinstance(graph, dict) and all(isinstance(step["name"], str) for step in graph["steps"]):
            return graph
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise StorageError(f"The stored graph of run {record.id} is damaged: {error}") from error
    raise StorageError(f"The stored graph of run {record.id} is damaged: it has no list of named steps.")


def stored_steps(record: RunRecord) -> list[tuple[str, bool]]:
    """Return the name of each step of the run, and whether it is a commit."""
    return [(step["name"], step.get("commit") is True) for step in stored_graph(record)["steps"]]


def history_of(progress: Progress, decode: Decode) -> tuple[StepHistory, ...]:
    """Return an entry for each step."""
    return tuple(_history(step, decode) for step in progress.steps.values())


def _history(step: StepProgress, decode: Decode) -> StepHistory:
    last = step.last
    if last is None:
        return StepHistory(
            name=step.name,
            index=step.index,
            commit=step.commit,
            attempts=step.attempts,
            edit=changes_of(step.edit, decode),
            attempt_log=tuple(_attempt(entry, decode) for entry in step.log),
        )
    return StepHistory(
        name=step.name,
        index=step.index,
        status=step.status,
        commit=step.commit,
        attempts=step.attempts,
        started_at=as_datetime(last.started_at),
        completed_at=as_datetime(last.completed_at),
        duration=_duration(last),
        output=None if last.output is None else decode(last.output),
        error=decode_error(last.error),
        changes=changes_of(step.delta(), decode),
        edit=changes_of(step.edit, decode),
        reason=_reason(last),
        attempt_log=tuple(_attempt(entry, decode) for entry in step.log),
    )


def _attempt(entry: JournalEntry, decode: Decode) -> AttemptRecord:
    return AttemptRecord(
        number=entry.attempt,
        status=entry.status or StepStatus.PENDING,
        started_at=as_datetime(entry.started_at),
        completed_at=as_datetime(entry.completed_at),
        duration=_duration(entry),
        error=decode_error(entry.error),
        changes=changes_of(decode_delta(entry.changes), decode),
        fingerprint=entry.fingerprint,
    )


def _duration(entry: JournalEntry) -> float | None:
    if entry.started_at is None or entry.completed_at is None:
        return None
    return max(0.0, entry.completed_at - entry.started_at)


def _reason(entry: JournalEntry) -> str | None:
    if entry.status is not StepStatus.SKIPPED or entry.detail is None:
        return None
    return str(msgspec.json.decode(entry.detail))


def changes_of(delta: Delta | None, decode: Decode) -> Changes:
    """Return stored changes as values."""
    if delta is None or not delta:
        return Changes()
    return Changes(set={key: decode(text) for key, text in delta.set.items()}, deleted=delta.deleted)


def decode_error(text: str | None) -> ErrorInfo | None:
    """Read a stored error."""
    return None if text is None else msgspec.json.decode(text, type=ErrorInfo)


def workflow_state(
    record: RunRecord, entries: Iterable[JournalEntry], *, decode: Decode = decode_plain
) -> WorkflowState:
    """Return the whole run as a value. Values of classes that are not loaded come as plain dicts."""
    progress = progress_of(record, entries)
    return WorkflowState(
        id=record.id,
        name=record.workflow,
        status=record.status,
        input=decode(record.input),
        data={key: decode(text) for key, text in progress.texts_before(None).items()},
        history=history_of(progress, decode),
        graph=stored_graph(record),
        created_at=as_datetime(record.created_at),
        updated_at=as_datetime(record.updated_at),
        completed_at=as_datetime(record.completed_at),
        current_step=record.current_step,
        error=decode_error(record.error),
        interrupted=is_interrupted(record.status, record.owner),
    )


def is_interrupted(status: RunStatus, owner: str | None) -> bool:
    """Say whether a run was left in the middle: it counts as running and nobody has it in hand."""
    return status is RunStatus.RUNNING and abandoned(owner)
