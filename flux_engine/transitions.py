"""Which status may follow which. Nothing changes a status without asking here."""

from collections.abc import Mapping
from typing import Any, TypeVar

from flux_engine.errors import InvalidTransitionError
from flux_engine.execution import RunStatus, StepStatus

Status = TypeVar("Status", bound=RunStatus | StepStatus)

RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.RUNNING: frozenset(
        {
            RunStatus.RUNNING,  # taken over from an owner that is gone
            RunStatus.PAUSED,
            RunStatus.SUSPENDED,
            RunStatus.COMPLETED,
            RunStatus.FAILED,
            RunStatus.CANCELLED,
        }
    ),
    RunStatus.PAUSED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.SUSPENDED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.COMPLETED: frozenset({RunStatus.RUNNING}),
    RunStatus.FAILED: frozenset({RunStatus.RUNNING}),
    RunStatus.CANCELLED: frozenset({RunStatus.RUNNING}),
}

STEP_TRANSITIONS: Mapping[StepStatus, frozenset[StepStatus]] = {
    StepStatus.PENDING: frozenset(
        {StepStatus.RUNNING, StepStatus.SKIPPED, StepStatus.FAILED, StepStatus.CANCELLED}
    ),
    StepStatus.RUNNING: frozenset(
        {
            StepStatus.RUNNING,  # the next attempt
            StepStatus.COMPLETED,
            StepStatus.FAILED,
            StepStatus.SUSPENDED,
            StepStatus.CANCELLED,
        }
    ),
    StepStatus.SUSPENDED: frozenset(
        {
            StepStatus.RUNNING,
            StepStatus.COMPLETED,
            StepStatus.FAILED,
            StepStatus.CANCELLED,
            StepStatus.PENDING,
        }
    ),
    StepStatus.COMPLETED: frozenset({StepStatus.PENDING, StepStatus.COMPENSATED}),
    StepStatus.FAILED: frozenset({StepStatus.PENDING, StepStatus.RUNNING}),
    StepStatus.SKIPPED: frozenset({StepStatus.PENDING}),
    StepStatus.CANCELLED: frozenset(
        {
            StepStatus.PENDING,
            StepStatus.RUNNING,
            StepStatus.SUSPENDED,  # a commit that was interrupted and is held
        }
    ),
    StepStatus.COMPENSATED: frozenset({StepStatus.PENDING, StepStatus.RUNNING}),
}

_TABLES: Mapping[type, tuple[str, Mapping[Any, frozenset[Any]]]] = {
    RunStatus: ("run", RUN_TRANSITIONS),
    StepStatus: ("step", STEP_TRANSITIONS),
}


def transition(now: Status, to: Status) -> Status:
    """Return ``to`` when it may follow ``now``; raise ``InvalidTransitionError`` when it may not."""
    kind, table = _TABLES[type(now)]
    allowed = table[now]
    if to not in allowed:
        choices = ", ".join(sorted(allowed))
        raise InvalidTransitionError(f"A {kind} that is {now} cannot become {to}; it can become {choices}.")
    return to
