"""The flows that do one thing to all marked runs, after one question that says what it comes to."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from flux_tui.bulk import Act, Progress
from flux_tui.flows.asking import Flow
from flux_tui.model.bulk import DONE, BulkPlan, Verb, described, plan, runs_text
from flux_tui.model.run import RunRowView
from flux_tui.recovering import interrupted
from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.bulk import BulkScreen
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

VERBS: Final = {
    "retry": Verb.RETRY,
    "resume": Verb.RESUME,
    "cancel": Verb.CANCEL,
    "delete": Verb.DELETE,
}
"""What the actions do when runs are marked."""

MOST_MARKED: Final = 20_000
MARKED_AT_ONCE: Final = 1000

DOING: Final = {Verb.RETRY: "Retrying", Verb.RESUME: "Resuming", Verb.CANCEL: "Cancelling"}


def of_marked(action_id: str) -> Flow:
    """Return the flow of an action for the runs that are marked."""
    verb = VERBS[action_id]

    async def act_on_marked(screen: "MainScreen") -> None:
        rows = [row for run_id in screen.marks if (row := screen.desk.runs.get(run_id)) is not None]
        await act_on(screen, verb, rows)

    return act_on_marked


async def act_on(screen: "MainScreen", verb: Verb, rows: Sequence[RunRowView]) -> None:
    """Say what would happen to these runs, and do it when the user agrees."""
    loaded = {definition.name for definition in screen.desk.definitions.workflows}
    bulk = plan(verb, rows, loaded)
    if not bulk.runs:
        tell(screen, described_left(bulk), title=f"Nothing to {verb}", severity="warning")
        return
    steps: dict[str, str] = {}
    repeated: Counter[str] = Counter()
    if verb is Verb.RETRY:
        found = await _look_ahead(screen, bulk, steps, repeated)
        bulk = replace(bulk, runs=tuple(row for row in bulk.runs if row.id in steps))
        if found is None or found.stopped or not bulk.runs:
            return
    screen.app.clear_notifications()  # they would lie over the question
    unseen = sum(screen.desk.runs.index_of(row.id) is None for row in bulk.runs)
    question = ConfirmScreen(
        f"{verb.capitalize()} {runs_text(len(bulk.runs))}?",
        described(bulk, repeated=repeated, unseen=unseen),
        yes=verb.capitalize(),
        no="Leave them",
    )
    if not await screen.app.push_screen_wait(question):
        return
    if verb is Verb.DELETE:
        delete_soon(screen, [row.id for row in bulk.runs])
        return
    done = await _carry_out(
        screen, f"{DOING[verb]} {runs_text(len(bulk.runs))}", bulk.runs, _act(screen, verb, steps)
    )
    if done is not None:
        _take_marks(screen, done.done)
        if done.done:
            tell(screen, f"{runs_text(len(done.done))} {DONE[verb]}", title=DOING[verb])


def described_left(bulk: BulkPlan) -> str:
    """Return why nothing can be done to any of the runs."""
    return "\n".join(f"{runs_text(len(rows))}: {reason}" for reason, rows in bulk.left.items())


def delete_soon(screen: "MainScreen", run_ids: Sequence[str]) -> None:
    """Hide runs, and have them deleted unless that is undone."""
    _take_marks(screen, run_ids)
    screen.desk.deletions.put_off(run_ids)
    tell(screen, "ctrl+z takes it back", title=f"{runs_text(len(run_ids)).capitalize()} deleted")


def _take_marks(screen: "MainScreen", run_ids: Sequence[str]) -> None:
    screen.marks.remove(run_ids)
    screen.runs.rows_changed()
    screen.show()


async def _look_ahead(
    screen: "MainScreen", bulk: BulkPlan, steps: dict[str, str], repeated: Counter[str]
) -> Progress | None:
    """Find out at which step each run failed, and which completed commits would be repeated."""
    desk = screen.desk

    async def look(row: RunRowView) -> None:
        view = await desk.read(row.id)
        failed = None if view is None else view.failed_step
        if view is None or failed is None:
            raise RunnerRefused("NoFailedStep", "the step that failed is not known: retry it by hand")
        plan_of_run = await desk.preview(view, failed.name)
        steps[row.id] = failed.name
        repeated.update(commit.step for commit in plan_of_run.repeated_commits)

    return await _carry_out(screen, f"Looking at {runs_text(len(bulk.runs))}", bulk.runs, look)


async def _carry_out(
    screen: "MainScreen", title: str, rows: Sequence[RunRowView], act: Act
) -> Progress | None:
    return await screen.app.push_screen_wait(BulkScreen(title, rows, act, plain=screen.desk.settings.ascii))


async def recover(screen: "MainScreen") -> None:
    """Go on with every interrupted run of the store, when the user agrees."""
    rows = await interrupted(screen.desk)
    if rows:
        await act_on(screen, Verb.RESUME, rows)
    else:
        tell(screen, "No run is interrupted.", title="Recover")


async def delete(screen: "MainScreen") -> None:
    """Delete the selected run."""
    if screen.selection.run is not None:
        delete_soon(screen, [screen.selection.run])


def undo(screen: "MainScreen") -> None:
    """Take back the latest deletion, and go to what is there again."""
    back = screen.desk.deletions.undo()
    if back:
        screen.app.clear_notifications()  # they would still speak of the deletion
        tell(screen, "nothing was deleted", title=f"{runs_text(len(back)).capitalize()} restored")
        screen.go_to_run(back[0])
        screen.show()


async def mark_unread(screen: "MainScreen") -> None:
    """Mark the runs that the filter lets through and that were not read yet too."""
    desk, chosen = screen.desk, screen.desk.runs.filter
    if not desk.pages.older:
        return
    query = replace(chosen.query(), limit=MARKED_AT_ONCE)
    while len(screen.marks) < MOST_MARKED:
        rows = await desk.stored(query)
        if chosen is not desk.runs.filter or not screen.marks:
            return
        desk.take(rows)
        screen.marks.add(row.id for row in rows if chosen.matches(row) and row.id not in desk.runs.hidden)
        if len(rows) < MARKED_AT_ONCE:
            break
        query = replace(query, before=(rows[-1].started_at / 1000, rows[-1].id))
    screen.runs.rows_changed()
    screen.show()
    more = (
        f" There are more: no more than {MOST_MARKED:,} are marked."
        if len(screen.marks) >= MOST_MARKED
        else ""
    )
    tell(
        screen,
        f"t, c, u and X act on all of them; M clears the marks.{more}",
        title=f"{runs_text(len(screen.marks)).capitalize()} marked",
    )


def clear_marks(screen: "MainScreen") -> None:
    """Take the marks off all runs."""
    screen.marks.clear()
    screen.runs.rows_changed()
    screen.show()


def _act(screen: "MainScreen", verb: Verb, steps: dict[str, str]) -> Act:
    desk = screen.desk

    async def retry(row: RunRowView) -> None:
        await desk.retry(row, steps[row.id], scope="downstream", data=None)

    acts: dict[Verb, Act] = {Verb.RETRY: retry, Verb.RESUME: desk.resume, Verb.CANCEL: desk.cancel}
    return acts[verb]


FLOWS: Final[dict[str, Flow]] = {
    "recover": recover,
    "delete": delete,
    "undo-delete": undo,
    "clear-marks": clear_marks,
}
