"""What a verb would do to many runs: to which of them, and why not to the others.

Everything here is decided from rows of the list, before anything is asked of the runner.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from flux_tui.model.run import RunRowView
from flux_tui.model.text import printable


class Verb(StrEnum):
    """What can be done to many runs at once."""

    RETRY = "retry"
    RESUME = "resume"
    CANCEL = "cancel"
    DELETE = "delete"


DONE: Final = {
    Verb.RETRY: "retried",
    Verb.RESUME: "resumed",
    Verb.CANCEL: "cancelled",
    Verb.DELETE: "deleted",
}
"""What became of a run."""

MANNER: Final = {
    Verb.RETRY: "each from the step that failed, with the data it had before it",
    Verb.RESUME: "each from its first step that is not done",
    Verb.CANCEL: "for good; a step that is running is cancelled too",
    Verb.DELETE: "with their history; ctrl+z takes it back for a few seconds",
}


class BulkPlan(Struct, frozen=True, kw_only=True):
    """The runs that a verb is for, and those that are left alone, by reason."""

    verb: Verb
    runs: tuple[RunRowView, ...]
    left: Mapping[str, tuple[RunRowView, ...]]


def plan(verb: Verb, rows: Iterable[RunRowView], loaded: Collection[str]) -> BulkPlan:
    """Decide for each run; ``loaded`` are the names of the workflows that can be run."""
    runs: list[RunRowView] = []
    left: dict[str, list[RunRowView]] = {}
    for row in rows:
        reason = _REASONS[verb](row)
        if reason is None and verb in (Verb.RETRY, Verb.RESUME) and row.workflow not in loaded:
            reason = f"no module loaded here defines {printable(row.workflow)}"
        if reason is None:
            runs.append(row)
        else:
            left.setdefault(reason, []).append(row)
    return BulkPlan(verb=verb, runs=tuple(runs), left={reason: tuple(each) for reason, each in left.items()})


def described(bulk: BulkPlan, *, repeated: Mapping[str, int] | None = None, unseen: int = 0) -> str:
    """Return in lines what would happen, to be read before it does.

    ``repeated`` are the completed commits that would run again and how often, ``unseen`` is how many of the
    runs the filter hides.
    """
    lines = [f"{counted(bulk.runs)}: {MANNER[bulk.verb]}."]
    if unseen:
        lines.append(f"{_of_runs(unseen)} not shown by the filter now.")
    if repeated:
        commits = ", ".join(f"{printable(name)} ({count})" for name, count in repeated.items())
        lines.append(f"▲ Completed commits would run again, each with the key it had: {commits}.")
    if bulk.verb is Verb.RESUME and any(row.status == "interrupted" for row in bulk.runs):
        lines.append("A commit that was under way runs again with its key, unless it is held.")
    if bulk.left:
        reasons = ", ".join(f"{len(rows)} ({reason})" for reason, rows in bulk.left.items())
        lines.append(f"Left alone: {reasons}.")
    return "\n".join(lines)


def counted(rows: Sequence[RunRowView]) -> str:
    """Return how many runs of which status and workflow: ``9 failed order, 3 failed refund``."""
    kinds = Counter((row.status, row.workflow) for row in rows)
    if len(kinds) > MOST_KINDS:
        statuses = Counter(row.status for row in rows)
        workflows = len({row.workflow for row in rows})
        said = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
        return f"{said}, of {workflows} workflows"
    return ", ".join(
        f"{count:,} {status} {printable(workflow)}" for (status, workflow), count in kinds.most_common()
    )


MOST_KINDS: Final = 4
"""How many kinds of runs are named one by one."""


def runs_text(count: int) -> str:
    """Return ``1 run`` or ``12 runs``."""
    return "1 run" if count == 1 else f"{count:,} runs"


def _of_runs(count: int) -> str:
    return "One of them is" if count == 1 else f"{count:,} of them are"


def _no_retry(row: RunRowView) -> str | None:
    match row.status:
        case "failed":
            return None
        case "interrupted":
            return "interrupted, u goes on with them"
        case "running" | "pending":
            return "still running"
        case status:
            return f"{status}, no step failed"


def _no_resume(row: RunRowView) -> str | None:
    return (
        None if row.status in ("interrupted", "paused") else f"{row.status}, neither interrupted nor paused"
    )


def _no_cancel(row: RunRowView) -> str | None:
    is_open = row.status in ("pending", "running", "paused", "suspended", "interrupted")
    return None if is_open else f"{row.status} already"


def _no_deletion(row: RunRowView) -> str | None:
    return "still running, cancel first" if row.status in ("running", "pending") else None


_REASONS: Final[Mapping[Verb, Callable[[RunRowView], str | None]]] = {
    Verb.RETRY: _no_retry,
    Verb.RESUME: _no_resume,
    Verb.CANCEL: _no_cancel,
    Verb.DELETE: _no_deletion,
}
