"""What an action needs: the situation that the user is in, and the reasons why something cannot be done.

A reason reads as the end of a sentence that begins with the action's title.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from flux_tui.model.breakpoints import stops_of
from flux_tui.model.elsewhere import driver_text, held_elsewhere
from flux_tui.model.run import DefinitionView, RunView, StepView
from flux_tui.model.saves import ENDED

NO_RUN: Final = "select a run first, or start one with r"


class Situation(Struct, frozen=True, kw_only=True):
    """What the user looks at, and what there is to work with.

    ``runner`` is ``ready``, ``starting``, ``dead`` or ``off`` (there is none: a trace is only shown).
    ``workflow`` is the one that ``r`` would run, ``definition`` the one that the run belongs to, as it
    is loaded now. ``repeatable`` says that an earlier input is known. ``copyable`` and ``source`` say
    whether there is anything to copy, or a file to open. ``moment`` is the number of the past moment that is
    looked at, of so many ``moments``; there are so many ``runs``; ``no_past`` says why there is no way back.
    ``searchable`` says that the view that has the focus is one to search. ``selected`` is the name of the
    selected step, also where there is no run; ``breakpoints`` is how many there are; ``watched`` says
    that the run is retried on save.
    ``marked`` is how many runs are marked, ``undoable`` how many a deletion has that can be undone.
    ``origin`` is the run that this one was forked from, ``on_restate`` that a Restate server moves runs.
    """

    on_restate: bool = False
    marked: int = 0
    undoable: int = 0
    origin: str | None = None
    trace_only: bool = False
    store_problem: str | None = None
    runner: str = "ready"
    workflow: DefinitionView | None = None
    definition: DefinitionView | None = None
    run: RunView | None = None
    step: StepView | None = None
    repeatable: bool = False
    copyable: bool = True
    source: bool = False
    moment: int | None = None
    moments: int = 0
    runs: int = 0
    no_past: str | None = NO_RUN
    searchable: bool = False
    selected: str | None = None
    breakpoints: int = 0
    watched: bool = False


Needs = Callable[[Situation], str | None]


PAST: Final = "you are looking at a past moment of the run: esc returns to the present"


def nothing(_: Situation) -> str | None:
    """Stand in the way of nothing."""
    return None


def a_runner(now: Situation) -> str | None:
    """Say why nothing can be run."""
    if now.trace_only:
        return "only a trace is shown here: open the folder of the workflows to run them"
    if now.store_problem is not None:
        return "the store cannot be used; the top of the screen says why"
    if now.runner == "starting":
        return "the runner is still starting: try again in a moment"
    if now.runner != "ready":
        return "the runner is dead; it starts again by itself, or with K"
    return None


def a_workflow(now: Situation) -> str | None:
    """Say that no workflow is selected."""
    if now.workflow is None:
        return "select a workflow first"
    return None


def an_ended_run(now: Situation) -> str | None:
    """Say why the run cannot be retried."""
    if now.run is None:
        return NO_RUN
    if now.moment is not None:
        return PAST
    if now.run.status in ("running", "pending"):
        return still_running(now.run)
    return unable_to_go_on(now.run, now.definition)


def unable_to_go_on(run: RunView, definition: DefinitionView | None) -> str | None:
    """Say why nothing can be made of a run here."""
    if definition is None:
        return f"no module loaded here defines {run.workflow!r}"
    if run.graph.masked:
        return "the values of the run were masked in its export: import one that was made with --reveal"
    return None


def still_running(run: RunView) -> str:
    """Say that a run moves, and who else moves it."""
    driver = held_elsewhere(run)
    if driver is None:
        return "the run is still running"
    return f"{driver_text(driver)} has the run in hand: cancel or pause it first, which it is asked to do"


def a_run(now: Situation) -> str | None:
    """Say that no run is selected."""
    return NO_RUN if now.run is None else None


def a_definition(now: Situation) -> str | None:
    """Say that the workflow of the run is not loaded."""
    if (now.run is not None and now.definition is None) or now.trace_only:
        name = "the workflow" if now.run is None else repr(now.run.workflow)
        return f"no module loaded here defines {name}"
    return None


def a_tried_step(now: Situation) -> str | None:
    """Say why the step cannot be retried."""
    if now.step is None:
        return "select a step first"
    if now.step.status == "pending":
        return f"step {now.step.name!r} has not run yet: select one that has"
    return None


def a_step_to_edit(now: Situation) -> str | None:
    """Say why there is no data to edit: neither was the step tried, nor does a paused run stand before it."""
    stops = stops_of(now.run)
    if now.step is not None and now.step.name in stops:
        return None
    if stops and now.step is not None and now.step.status == "pending":
        return f"the run has not come to step {now.step.name!r}: select {stops[0]!r}, which it stands before"
    return a_tried_step(now)


def a_paused_run(now: Situation) -> str | None:
    """Say why the run cannot go step by step."""
    if now.moment is not None:
        return PAST
    if now.run is None:
        return NO_RUN
    if now.run.status != "paused":
        return f"the run is {now.run.status}: only a paused run goes step by step; b sets a breakpoint"
    return unable_to_go_on(now.run, now.definition)


def a_selected_step(now: Situation) -> str | None:
    """Say that no step of a workflow is selected."""
    return "select a step first" if now.selected is None or now.workflow is None else None


def any_breakpoint(now: Situation) -> str | None:
    """Say that there are no breakpoints."""
    return None if now.breakpoints else "there are no breakpoints: select a step and press b"


def a_run_to_watch(now: Situation) -> str | None:
    """Say why the run cannot be retried on save."""
    if now.watched:
        return None
    if now.run is None:
        return NO_RUN
    if now.run.status in ENDED:
        return f"the run is {now.run.status}: there is nothing to retry; t retries a step"
    return unable_to_go_on(now.run, now.definition)


def not_on_restate(reason: str, need: Needs) -> Needs:
    """Return a need that is never met on a Restate server, for this reason."""

    def first_reason(now: Situation) -> str | None:
        return reason if now.on_restate else need(now)

    return first_reason


def all_of(*needs: Needs) -> Needs:
    """Return the needs as one; its reason is the first of theirs."""

    def first_reason(now: Situation) -> str | None:
        return next((reason for need in needs if (reason := need(now)) is not None), None)

    return first_reason


def an_earlier_input(now: Situation) -> str | None:
    """Say that there is no input to use again."""
    return None if now.repeatable else "this workflow has not been run from here yet: press r"


def a_run_left(now: Situation) -> str | None:
    """Say why the run cannot be resumed."""
    if now.run is None:
        return NO_RUN
    if now.moment is not None:
        return PAST
    if now.run.status not in ("interrupted", "paused"):
        return f"the run is {now.run.status}: only an interrupted or paused run is resumed"
    return unable_to_go_on(now.run, now.definition)


def a_waiting_run(now: Situation) -> str | None:
    """Say why the run cannot be sent a signal."""
    if now.run is None:
        return NO_RUN
    if now.moment is not None:
        return PAST
    if now.run.status not in ("suspended", "running") or not now.run.waits:
        return f"the run is {now.run.status} and waits for no signal"
    return unable_to_go_on(now.run, now.definition)


def an_open_run(now: Situation) -> str | None:
    """Say why there is nothing to cancel."""
    if now.run is None:
        return NO_RUN
    if now.moment is not None:
        return PAST
    if now.run.status not in ("pending", "running", "paused", "suspended", "interrupted"):
        return f"the run has ended: it is {now.run.status}"
    return None


def a_running_run(now: Situation) -> str | None:
    """Say why there is nothing to pause."""
    if now.run is None:
        return NO_RUN
    if now.moment is not None:
        return PAST
    if now.run.status != "running":
        return f"the run is {now.run.status}: only a running run is paused"
    return None


def any_runner(now: Situation) -> str | None:
    """Say why there is no runner, living or dead."""
    if now.trace_only:
        return "only a trace is shown here: there is no runner"
    return None


def something_to_copy(now: Situation) -> str | None:
    """Say that there is nothing to copy."""
    return None if now.copyable else "there is nothing to copy here"


def a_source(now: Situation) -> str | None:
    """Say that no source is known."""
    return None if now.source else "no source file is known for this"


def a_graph(now: Situation) -> str | None:
    """Say that there is no graph."""
    return None if now.run is not None or now.workflow is not None else "there is no graph to show yet"


def a_past(now: Situation) -> str | None:
    """Say why there is no way back in the run."""
    return now.no_past


def an_earlier_moment(now: Situation) -> str | None:
    """Say that there is no earlier moment."""
    if now.no_past is not None:
        return now.no_past
    return "this is the first moment of the run" if (now.moment or now.moments) <= 1 else None


def a_later_moment(now: Situation) -> str | None:
    """Say that there is no later moment."""
    if now.no_past is not None:
        return now.no_past
    if now.moment is None:
        return "this is the present: go back first"
    return "this is the latest moment; esc returns to the present" if now.moment >= now.moments else None


def another_run(now: Situation) -> str | None:
    """Say that there is nothing to compare."""
    if now.run is None:
        return NO_RUN
    return None if now.runs > 1 else "there is no other run to compare with yet"


def a_moment(now: Situation) -> str | None:
    """Say that no past moment is looked at."""
    return "this is the present" if now.moment is None else None
