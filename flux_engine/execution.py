"""The values that describe a run: what a caller of the engine gets to see.

All of them are frozen. Times are timezone-aware datetimes in UTC, durations are seconds.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from flux_engine.steps_graph import visible


class RunStatus(StrEnum):
    """Where a run stands. Compares equal to its lower-case string.

    ``ended`` says that the run goes no further unless somebody retries it.
    """

    ended: bool

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


for _run_status in RunStatus:
    _run_status.ended = _run_status in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


class StepStatus(StrEnum):
    """Where a step, or one attempt of it, stands. Compares equal to its lower-case string.

    ``done`` says that the steps after this one may run: completed, or skipped.
    """

    done: bool

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"


for _status in StepStatus:
    _status.done = _status in {StepStatus.COMPLETED, StepStatus.SKIPPED}


class Frame(Struct, frozen=True, kw_only=True):
    """One line of a traceback. ``user`` is false for the standard library and installed packages."""

    file: str
    line: int
    function: str
    code: str = ""
    user: bool = True


class ErrorInfo(Struct, frozen=True, kw_only=True):
    """An exception as it is stored: enough to show it in another process.

    ``frames`` are innermost last, ``text`` is the whole traceback as Python prints it.
    """

    type: str
    message: str
    step: str | None = None
    frames: tuple[Frame, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type

    def __contains__(self, text: str) -> bool:
        """``"declined" in result.error`` looks into the text of the error."""
        return text in str(self)


class Changes(Struct, frozen=True, kw_only=True):
    """What a step did to the top-level keys of ``ctx.data``."""

    set: Mapping[str, Any] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set or self.deleted)

    def apply(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``data`` as it is after these changes."""
        kept = {key: value for key, value in data.items() if key not in self.deleted}
        return kept | dict(self.set)


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One attempt of a step. ``changes`` of a failed attempt went no further than this record."""

    number: int
    status: StepStatus
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration: float | None = None
    error: ErrorInfo | None = None
    changes: Changes = Changes()
    fingerprint: str = ""


class WaitsFor(Struct, frozen=True, kw_only=True):
    """What a suspended step waits for: a signal by name, or (``signal`` is ``None``) a timer.

    A commit that is ``in_doubt`` waits for the signal of its own name with ``"done"`` or ``"again"``.
    """

    signal: str | None = None
    until: datetime | None = None
    in_doubt: bool = False


class StepHistory(Struct, frozen=True, kw_only=True):
    """A step of a run. There is one for each step from the start of the run.

    ``attempts`` counts every attempt that the run ever made of the step, those before a retry
    included; ``attempt_log`` has them one by one. ``edit`` is what a retry was told to merge over
    the data before this step, ``reason`` why the step was skipped, ``waits_for`` what it is suspended for,
    ``compensation_error`` why what it did could not be taken back.
    ``ordinal`` is the place of its result among those of the run, ``seen`` how many results there were
    when it started.
    """

    name: str
    index: int
    status: StepStatus = StepStatus.PENDING
    commit: bool = False
    attempts: int = 0
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration: float | None = None
    output: Any = None
    error: ErrorInfo | None = None
    changes: Changes = Changes()
    edit: Changes = Changes()
    reason: str | None = None
    waits_for: WaitsFor | None = None
    compensation_error: ErrorInfo | None = None
    attempt_log: tuple[AttemptRecord, ...] = ()
    ordinal: int | None = None
    seen: int | None = None


class WorkflowState(Struct, frozen=True, kw_only=True):
    """A whole run, as ``engine.get`` returns it.

    ``interrupted`` is true for a run that was left in the middle: it counts as running, but no live
    engine owns it. ``graph`` has the steps and edges that the run was made with, in the form of
    ``describe()``.
    """

    id: str
    name: str
    status: RunStatus
    input: Any
    data: dict[str, Any]
    history: tuple[StepHistory, ...]
    graph: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    current_step: str | None = None
    error: ErrorInfo | None = None
    interrupted: bool = False

    def step(self, name: str) -> StepHistory:
        """Return the entry of one step. Raises ``KeyError`` when there is none."""
        for entry in self.history:
            if entry.name == name:
                return entry
        raise KeyError(name)

    def data_before(self, step: str) -> dict[str, Any]:
        """Return the data as the step found it, or would find it now. Raises ``KeyError``."""
        target = self.step(step)
        entries = {entry.name: entry for entry in self.history}
        after = {step["name"]: step.get("after", ()) for step in self.graph["steps"]}
        places = [(e.name, e.ordinal) for e in self.history if e.status.done and e.ordinal is not None]
        data: dict[str, Any] = {}
        for name in visible(after, step, seen=target.seen, results=places):
            data = entries[name].changes.apply(entries[name].edit.apply(data))
        return target.edit.apply(data)

    def data_after(self, step: str) -> dict[str, Any]:
        """Return the data as the step left it."""
        return self.step(step).changes.apply(self.data_before(step))


class RunSummary(Struct, frozen=True, kw_only=True):
    """A row of ``engine.list``: everything about a run but its input, data and history."""

    id: str
    name: str
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    current_step: str | None = None
    error: str | None = None
    interrupted: bool = False


class RepeatedCommit(Struct, frozen=True, kw_only=True):
    """A completed commit that a retry would run again, with the key that it would pass."""

    step: str
    idempotency_key: str


class RetryPlan(Struct, frozen=True, kw_only=True):
    """What a retry would do, before it is done. Steps are in the order in which they run."""

    run_id: str
    step: str
    scope: str
    runs_again: tuple[str, ...]
    kept: tuple[str, ...]
    repeated_commits: tuple[RepeatedCommit, ...] = ()
    changed_code: tuple[str, ...] = ()
