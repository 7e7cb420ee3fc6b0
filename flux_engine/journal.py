"""From a run's record and journal to where the run stands: one fold, used live and from the store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    WaitsFor,
    WorkflowState,
)
from flux_engine.running.ownership import abandoned
from flux_engine.steps_graph import descendants, visible
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord
from flux_engine.waiting import Waiting

Decode = Callable[[str], Any]

INTERRUPTED = "Interrupted"
"""The error type of an attempt that was left in the middle."""


class RetryDetail(Struct, frozen=True, kw_only=True):
    """What a ``RETRY`` entry says beyond its edit: the steps whose results no longer count."""

    scope: str
    superseded: tuple[str, ...]

    def encode(self) -> str:
        """Return it as JSON text."""
        return msgspec.json.encode(self).decode()


class StoredStep(Struct, frozen=True, kw_only=True):
    """A step as the graph of a run has it."""

    name: str
    commit: bool
    after: tuple[str, ...]


class StepProgress(Struct, kw_only=True, eq=False):
    """Where one step stands. ``last`` is the entry that counts, ``log`` has all attempts ever made.

    ``ordinal`` is the place of its result among the results of the run. A step that is run again takes
    the place it had when results that depend on it are kept. ``seen`` limits what a step that is retried
    is given: the results up to that place.
    """

    name: str
    index: int
    commit: bool = False
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    compensations: int = 0
    compensation_error: str | None = None
    last: JournalEntry | None = None
    edit: Delta | None = None
    log: list[JournalEntry] = []
    ordinal: int | None = None
    seen: int | None = None

    def delta(self) -> Delta:
        """Return what the step's completed attempt changed."""
        if self.status is not StepStatus.COMPLETED or self.last is None:
            return decode_delta(None)
        return decode_delta(self.last.changes)


class Progress:
    """Where a run stands, kept up to date by ``add``.

    ``compensating`` says that the entry that came last is about what is taken back.
    """

    __slots__ = ("after", "compensating", "last_ordinal", "last_seq", "received", "steps")

    def __init__(self, steps: Iterable[StoredStep]) -> None:
        self.steps: dict[str, StepProgress] = {}
        self.after: dict[str, Sequence[str]] = {}
        for step in steps:
            self.steps[step.name] = StepProgress(name=step.name, index=len(self.steps), commit=step.commit)
            self.after[step.name] = step.after
        self.received: dict[str, tuple[str, str]] = {}
        self.last_seq = 0
        self.last_ordinal = 0
        self.compensating = False

    def add(self, entry: JournalEntry) -> None:
        """Take in one entry, or the new form of the entry with its ``seq``."""
        self.last_seq = max(self.last_seq, entry.seq)
        kind = entry.kind
        self.compensating = kind is EntryKind.COMPENSATION
        if kind is EntryKind.ATTEMPT:
            self._attempt(entry)
        elif kind is EntryKind.RETRY:
            self._restart(entry)
        elif kind is EntryKind.SIGNAL:
            name = msgspec.json.decode(entry.detail or '""', type=str)
            self.received[name] = (entry.step, entry.output or "null")
        else:
            self._compensation(entry)

    def _compensation(self, entry: JournalEntry) -> None:
        step = self.steps.get(entry.step)
        if step is not None:
            step.compensations = max(step.compensations, entry.attempt)
            step.compensation_error = entry.error
            if entry.status is StepStatus.COMPENSATED:
                step.status = StepStatus.COMPENSATED

    def _attempt(self, entry: JournalEntry) -> None:
        step = self.steps.get(entry.step)
        if step is None:  # a step that the definition no longer has
            step = self.steps[entry.step] = StepProgress(name=entry.step, index=len(self.steps))
            self.after[entry.step] = ()
        step.last = entry
        status = step.status = entry.status or StepStatus.PENDING
        if entry.seen is not None:
            step.seen = entry.seen
        if status.done:
            # Entries of the first schema have no ordinals: their steps ran one after the other.
            step.ordinal = entry.ordinal if entry.ordinal is not None else step.index + 1
            self.last_ordinal = max(self.last_ordinal, step.ordinal)
        if entry.attempt:
            step.attempts = max(step.attempts, entry.attempt)
            log = step.log
            if log and log[-1].seq == entry.seq:
                log[-1] = entry
            else:
                log.append(entry)

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
                step.seen = None
        for name in detail.superseded:
            # Where nothing that is kept depends on it, what it does now comes behind all other results.
            if name in self.steps and not any(
                self.steps[later].status.done for later in descendants(self.after, name)
            ):
                self.steps[name].ordinal = None
        target = self.steps.get(entry.step)
        if target is not None and entry.changes is not None:
            edit = decode_delta(entry.changes)
            target.edit = edit if target.edit is None else edit.over(target.edit)

    @property
    def signals(self) -> dict[str, str]:
        """The payloads of received signals as JSON text, by name."""
        return {name: payload for name, (_, payload) in self.received.items()}

    def standing(self) -> tuple[int, tuple[StepStatus, ...]]:
        """Return what differs after every write to the run's journal."""
        return self.last_seq, tuple(step.status for step in self.steps.values())

    def in_doubt(self, name: str) -> bool:
        """Say whether a step was left between its intent and its result."""
        step = self.steps[name]
        if step.status is not StepStatus.CANCELLED or step.last is None:
            return step.status is StepStatus.RUNNING
        error = decode_error(step.last.error)
        return error is not None and error.type == INTERRUPTED

    def waiting_signals(self) -> dict[str, str]:
        """Return the steps that wait for signals, by the name of the signal."""
        waiting = ((step.name, waiting_of(step.last)) for step in self.steps.values())
        return {found.signal: name for name, found in waiting if found is not None and found.signal}

    def current_step(self) -> str | None:
        """Return the first step that is on its way, else the first that is still to do."""
        steps = self.steps.values()
        for status in (StepStatus.RUNNING, StepStatus.SUSPENDED):
            for step in steps:
                if step.status is status:
                    return step.name
        return next((step.name for step in steps if not step.status.done), None)

    def place_of_result(self, step: str) -> int:
        """Return the place that the result of a step takes: the one it had, or a new one at the end."""
        ordinal = self.steps[step].ordinal
        return self.last_ordinal + 1 if ordinal is None else ordinal

    def results(self) -> list[StepProgress]:
        """Return the steps that are done, in the order of their results."""
        done = [step for step in self.steps.values() if step.status.done]
        return sorted(done, key=lambda step: step.ordinal or 0)

    def visible_to(self, name: str) -> list[StepProgress]:
        """Return the results that a step is given, in their order; see ``steps_graph.visible``."""
        places = [(step.name, step.ordinal or 0) for step in self.results()]
        seen = self.steps[name].seen
        return [self.steps[found] for found in visible(self.after, name, seen=seen, results=places)]

    def texts_before(self, name: str) -> dict[str, str]:
        """Return the data as a step finds it, as JSON text by key."""
        texts = _merged(self.visible_to(name))
        edit = self.steps[name].edit
        if edit is not None:
            edit.apply(texts)
        return texts

    def texts(self) -> dict[str, str]:
        """Return the data of the run, as JSON text by key."""
        return _merged(self.results())


def _merged(results: Iterable[StepProgress]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for step in results:
        if step.edit is not None:
            step.edit.apply(texts)
        step.delta().apply(texts)
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


def stored_steps(record: RunRecord) -> list[StoredStep]:
    """Return the steps of the run as its graph has them."""
    found: list[StoredStep] = []
    for step in stored_graph(record)["steps"]:
        before = [found[-1].name] if found else []  # graphs of the first schema do not say
        found.append(
            StoredStep(
                name=step["name"],
                commit=step.get("commit") is True,
                after=tuple(step.get("after", before)),
            )
        )
    return found


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
            ordinal=step.ordinal,
            seen=step.seen,
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
        ordinal=step.ordinal,
        seen=step.seen,
        waits_for=_waits_for(last),
        compensation_error=decode_error(step.compensation_error),
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


def waiting_of(entry: JournalEntry | None) -> Waiting | None:
    """Return what a suspended step waits for."""
    if entry is None or entry.status is not StepStatus.SUSPENDED or entry.detail is None:
        return None
    return msgspec.json.decode(entry.detail, type=Waiting)


def _waits_for(entry: JournalEntry) -> WaitsFor | None:
    waiting = waiting_of(entry)
    if waiting is None:
        return None
    return WaitsFor(signal=waiting.signal, until=as_datetime(waiting.until), in_doubt=waiting.in_doubt)


def changes_of(delta: Delta | None, decode: Decode) -> Changes:
    """Return stored changes as values."""
    if delta is None or not delta:
        return Changes()
    return Changes(set={key: decode(text) for key, text in delta.set.items()}, deleted=delta.deleted)


def decode_error(text: str | None) -> ErrorInfo | None:
    """Read a stored error."""
    return None if text is None else msgspec.json.decode(text, type=ErrorInfo)


def workflow_state(
    record: RunRecord,
    entries: Iterable[JournalEntry],
    *,
    decode: Decode = decode_plain,
    now: float | None = None,
) -> WorkflowState:
    """Return the whole run as a value. Values of classes that are not loaded come as plain dicts.

    ``now`` (seconds since the epoch) tells leases of other hosts that have ended.
    """
    progress = progress_of(record, entries)
    return WorkflowState(
        id=record.id,
        name=record.workflow,
        status=record.status,
        input=decode(record.input),
        data={key: decode(text) for key, text in progress.texts().items()},
        history=history_of(progress, decode),
        graph=stored_graph(record),
        created_at=as_datetime(record.created_at),
        updated_at=as_datetime(record.updated_at),
        completed_at=as_datetime(record.completed_at),
        current_step=record.current_step,
        error=decode_error(record.error),
        interrupted=is_interrupted(record.status, record.owner, record.lease_until, now),
    )


def is_interrupted(
    status: RunStatus, owner: str | None, lease_until: float | None = None, now: float | None = None
) -> bool:
    """Say whether a run was left in the middle: it counts as running and nobody has it in hand."""
    return status is RunStatus.RUNNING and abandoned(owner, lease_until, now)
