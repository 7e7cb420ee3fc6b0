"""What the actions need that make something of a run, or are done to many."""

from flux_tui.model.lineage import unfinished_before
from flux_tui.needs import NO_RUN, PAST, Needs, Situation, a_runner, unable_to_go_on


def unless_marked(need: Needs) -> Needs:
    """Return a need that marked runs meet in the place of the selected one."""

    def reason(now: Situation) -> str | None:
        return a_runner(now) if now.marked else need(now)

    return reason


def a_step_to_fork_at(now: Situation) -> str | None:
    """Say why no run can begin at the selected step."""
    if now.run is None:
        return NO_RUN
    if now.moment is not None:
        return PAST
    if (unable := unable_to_go_on(now.run, now.definition)) is not None:
        return unable
    if now.step is None:
        return "select a step first"
    before = unfinished_before(now.run, now.step.name)
    if before is not None:
        return f"step {before!r} before it is not done: a fork begins with the results of the steps before it"
    return None


def a_run_to_replay(now: Situation) -> str | None:
    """Say why there is nothing to replay."""
    if now.run is None:
        return NO_RUN
    if (unable := unable_to_go_on(now.run, now.definition)) is not None:
        return unable
    if now.run.status in ("running", "pending"):
        return "the run is still running: replay what it has recorded when it rests"
    return None


def a_run_at_rest(now: Situation) -> str | None:
    """Say why the run cannot be deleted."""
    if now.run is None:
        return NO_RUN
    if now.run.status in ("running", "pending"):
        return "the run is on its way: cancel it first, with c"
    return None


def a_deletion(now: Situation) -> str | None:
    """Say that there is nothing to undo."""
    return None if now.undoable else "nothing was deleted in the last seconds"


def any_mark(now: Situation) -> str | None:
    """Say that nothing is marked."""
    return None if now.marked else "no run is marked: space marks one, in the list of runs"


def an_origin(now: Situation) -> str | None:
    """Say that the run was not forked."""
    if now.run is None:
        return NO_RUN
    return None if now.origin is not None else "the run was not forked from another one"
