"""Retry on save: a failed run is sent on again with the code that was loaded since. Pure decisions."""

import enum
from collections.abc import Collection

from msgspec import Struct

from flux_tui.model.definitions import Definitions
from flux_tui.model.run import DefinitionView, RunView
from flux_tui.model.text import printable

FAILED = frozenset({"failed", "interrupted"})
ENDED = frozenset({"completed", "cancelled"})


class Watch(Struct, frozen=True, kw_only=True):
    """A run that is retried on save. ``seen`` is the number of the load of its workflow that was seen to."""

    run_id: str
    workflow: str
    seen: int


class Turn(enum.Enum):
    """What to do with a watched run now."""

    WAIT = enum.auto()
    RETRY = enum.auto()
    END = enum.auto()


def turn(watch: Watch, view: RunView | None, *, loaded: int, sent: int, gone: bool = False) -> Turn:
    """Say what to do, after ``loaded`` loads of the run's workflow.

    ``sent`` is the number of the load with which the run was last sent on, by whomever: each load is tried
    once, and one that comes while the run still moves is tried when it has failed.
    """
    if gone or (view is not None and view.status in ENDED):
        return Turn.END
    if view is None or view.status not in FAILED or loaded <= max(watch.seen, sent):
        return Turn.WAIT
    return Turn.RETRY


def waits_for(view: RunView | None, definition: DefinitionView | None) -> str:
    """Return what a watched run waits for, as the end of a sentence."""
    if definition is None or definition.stale:
        return "waits for code that loads"
    if view is None or view.status in FAILED:
        return "waits for a save"
    if view.status in ("paused", "suspended"):
        return f"the run is {view.status}"
    return "the run moves"


def watch_forms(
    view: RunView | None, definition: DefinitionView | None, *, asking: bool = False
) -> tuple[str, ...]:
    """Return what the header says of a watched run, the longest form first."""
    waits = "waits for your answer" if asking else waits_for(view, definition)
    step = None if view is None else view.failed_step or view.running_step
    name = step.name if step is not None else "" if view is None else view.workflow
    head = f"↻ retry on save: {printable(name)}" if name else "↻ retry on save"
    return f"{head}, {waits}", head, "↻ retry on save", "↻"


def reloaded_workflows(
    before: Definitions, after: Definitions, saved: Collection[str]
) -> tuple[DefinitionView, ...]:
    """Return the workflows that a load after these files were saved concerns.

    Those whose module was saved, and all when a file was saved that no module is, because others import it;
    those that are defined otherwise than before; none that could not be loaded.
    """
    if not saved:
        return ()
    modules = {module.path for module in after.modules}
    shared = any(path not in modules for path in saved)
    old = {workflow.name: workflow for workflow in before.workflows}
    return tuple(
        workflow
        for workflow in after.workflows
        if not workflow.stale
        and (shared or workflow.path in saved or _differs(old.get(workflow.name), workflow))
    )


def _differs(before: DefinitionView | None, now: DefinitionView) -> bool:
    return before is None or before.stale or before.raw != now.raw
