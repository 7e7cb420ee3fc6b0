"""Where a run starts again, and what that means for its other steps. Pure decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from flux_engine.context import idempotency_key
from flux_engine.data import Delta
from flux_engine.definition import WorkflowDefinition
from flux_engine.errors import (
    DefinitionChangedError,
    InvalidTransitionError,
    RunBusyError,
    SignalMismatchError,
)
from flux_engine.execution import RepeatedCommit, RetryPlan, RunStatus, StepStatus
from flux_engine.journal import Progress, RetryDetail, StoredStep, waiting_of
from flux_engine.steps_graph import Schedule, descendants, order
from flux_engine.storage.base import EntryKind, JournalEntry
from flux_engine.waiting import VERDICTS

SCOPES = ("downstream", "only")


def first_open_step(stored: Sequence[str], progress: Progress) -> int:
    """Return the index of the first stored step that is not done; their number when all are."""
    return next((i for i, name in enumerate(stored) if not progress.steps[name].status.done), len(stored))


def next_step(definition: WorkflowDefinition[Any, Any], run_id: str, progress: Progress) -> str:
    """Return the first step that a run which goes on would begin, one that waits only if there is no other.

    Raises ``InvalidTransitionError`` when every step is done.
    """
    done = [step.name for step in progress.steps.values() if step.status.done]
    ready = Schedule(definition.after, done=done).take()
    if not ready:
        raise InvalidTransitionError(f"Every step of run {run_id} is done, so none is left to find the data.")
    return next((name for name in ready if waiting_of(progress.steps[name].last) is None), ready[0])


def check_unchanged(
    definition: WorkflowDefinition[Any, Any], stored: Sequence[str], start: int, *, allow_changed: bool
) -> None:
    """Raise ``DefinitionChangedError`` unless the steps before ``start`` are those the run was made with."""
    now = definition.names
    if allow_changed or now[:start] == tuple(stored[:start]):
        return
    added = [name for name in now if name not in stored]
    removed = [name for name in stored if name not in now]
    common = [name for name in now if name in stored]
    moved = [a for a, b in zip(common, [n for n in stored if n in now], strict=True) if a != b]
    parts = [
        f"{what}: {', '.join(names)}"
        for what, names in (("added", added), ("removed", removed), ("moved", moved))
        if names
    ]
    raise DefinitionChangedError(
        f"Workflow {definition.name!r} has changed before the step where this run would go on "
        f"({'; '.join(parts)}).",
        added=added,
        removed=removed,
        moved=moved,
    )


def check_goes_on(
    definition: WorkflowDefinition[Any, Any],
    stored: Sequence[StoredStep],
    progress: Progress,
    *,
    allow_changed: bool = False,
) -> str | None:
    """Return the first stored step that is not done, if any, for a run that goes on from there.

    Raises ``DefinitionChangedError`` unless the steps before it are those the run was made with.
    """
    names = [step.name for step in stored]
    start = first_open_step(names, progress)
    check_unchanged(definition, names, start, allow_changed=allow_changed)
    return names[start] if start < len(names) else None


def check_wakes(
    definition: WorkflowDefinition[Any, Any],
    stored: Sequence[StoredStep],
    step: str,
    *,
    allow_changed: bool = False,
) -> None:
    """Raise ``DefinitionChangedError`` unless the step that waits and those before it are still the same."""
    names = [each.name for each in stored]
    place = names.index(step) if step in names else definition.step(step).index
    check_unchanged(definition, names, place + 1, allow_changed=allow_changed)


def merged_steps(definition: WorkflowDefinition[Any, Any], stored: Sequence[StoredStep]) -> list[StoredStep]:
    """Return the definition's steps, and behind them those that the run had and it no longer has."""
    now = [StoredStep(name=step.name, commit=step.commit, after=step.after) for step in definition.steps]
    if not stored:
        return now
    gone = [step for step in stored if step.name not in definition.names]
    return [*now, *(structs.replace(step, after=()) for step in gone)]


def plan_retry(
    definition: WorkflowDefinition[Any, Any],
    run_id: str,
    progress: Progress,
    step: str,
    *,
    scope: str,
    keep_commits: bool,
) -> RetryPlan:
    """Return what a retry from ``step`` would run again and what it would keep."""
    if scope not in SCOPES:
        raise ValueError(f"scope is one of {', '.join(SCOPES)}, not {scope!r}")
    target = definition.step(step)
    following = descendants(definition.after, step) if scope == "downstream" else set()
    again: list[str] = []
    kept: list[str] = []
    for name in order(definition.after):
        done = _is_done(progress, name)
        reused = keep_commits and definition.step(name).commit and done
        if name == target.name or (name in following and not reused):
            again.append(name)
        elif done:
            kept.append(name)
        elif scope == "downstream":
            again.append(name)  # it was still to do, and is done on the way
    return RetryPlan(
        run_id=run_id,
        step=target.name,
        scope=scope,
        runs_again=tuple(again),
        kept=tuple(kept),
        repeated_commits=tuple(
            RepeatedCommit(step=name, idempotency_key=idempotency_key(run_id, name))
            for name in again
            if definition.step(name).commit and _completed(progress, name)
        ),
        changed_code=tuple(name for name in definition.names if _changed(definition, progress, name)),
    )


def _is_done(progress: Progress, name: str) -> bool:
    step = progress.steps.get(name)
    return step is not None and step.status.done


def _completed(progress: Progress, name: str) -> bool:
    step = progress.steps.get(name)
    return step is not None and step.status is StepStatus.COMPLETED


def _changed(definition: WorkflowDefinition[Any, Any], progress: Progress, name: str) -> bool:
    step = progress.steps.get(name)
    ran = None if step is None or step.last is None else step.last.fingerprint
    return bool(ran) and ran != definition.step(name).fingerprint


def check_waits(
    run_id: str, status: RunStatus, waiting: Mapping[str, str], signal: str, *, in_hand: bool = False
) -> None:
    """Raise unless a step of the run waits for the signal. ``waiting`` has steps by signal."""
    if signal in waiting and not status.ended:
        return
    if waiting and not status.ended:
        names = ", ".join(repr(name) for name in waiting)
        raise SignalMismatchError(f"Run {run_id} waits for signal {names}, not for {signal!r}.")
    if in_hand:
        raise RunBusyError(
            f"Run {run_id} moves and does not wait for signal {signal!r} yet. "
            "Send it again when it is suspended."
        )
    raise InvalidTransitionError(
        f"Run {run_id} is {status} and waits for no signal; {signal!r} was not delivered."
    )


def copy_before(
    definition: WorkflowDefinition[Any, Any],
    progress: Progress,
    step: str,
    *,
    edit: Delta | None,
    now: float,
) -> list[JournalEntry]:
    """Return the entries of a new run that has the results of another one before ``step``."""
    given = progress.visible_to(step) if step in progress.steps else progress.results()
    following = {step, *descendants(definition.after, step)}
    entries: list[JournalEntry] = []
    for result in given:
        if result.name in following or result.last is None:
            continue
        edited = [] if result.edit is None else [edit_entry(len(entries) + 1, result.name, result.edit, now)]
        entries += edited
        entries.append(structs.replace(result.last, seq=len(entries) + 1, ordinal=result.ordinal))
        for signal, (waited, payload) in progress.received.items():
            if waited == result.name:
                entries.append(_signal(len(entries) + 1, result.name, signal, payload, now))
    own = progress.steps[step].edit if step in progress.steps else None
    wanted = edit if own is None else (own if edit is None else edit.over(own))
    if wanted is not None:
        entries.append(edit_entry(len(entries) + 1, step, wanted, now))
    return entries


def _signal(seq: int, step: str, signal: str, payload: str, now: float) -> JournalEntry:
    return JournalEntry(
        seq=seq,
        kind=EntryKind.SIGNAL,
        step=step,
        started_at=now,
        output=payload,
        detail=msgspec.json.encode(signal).decode(),
    )


def edit_entry(seq: int, step: str, edit: Delta, now: float) -> JournalEntry:
    """Return the entry of an edit of the data that a step finds; no result is given up for it."""
    return JournalEntry(
        seq=seq,
        kind=EntryKind.RETRY,
        step=step,
        started_at=now,
        changes=edit.encode(),
        detail=RetryDetail(scope="downstream", superseded=()).encode(),
    )


def check_verdict(progress: Progress, signal: str, payload: Any) -> None:
    """Raise unless the payload decides about a commit in doubt, where the signal is for one."""
    waiting = waiting_of(progress.steps[progress.waiting_signals()[signal]].last)
    if waiting is not None and waiting.in_doubt and payload not in VERDICTS:
        raise SignalMismatchError(
            f"Commit {signal!r} is in doubt: send 'done' when it was done, 'again' to run it again, "
            f"not {payload!r}."
        )
