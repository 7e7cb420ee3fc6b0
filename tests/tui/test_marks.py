"""Marks, and what a verb would do to the runs that have them."""

import asyncio

import pytest

from flux_engine.errors import DefinitionChangedError
from flux_tui.bulk import AT_ONCE, Failure, Progress, carry_out
from flux_tui.model.bulk import Verb, counted, described, plan
from flux_tui.model.marks import Marks
from flux_tui.model.run import RunRowView
from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.bulk import failure_lines


def row(run_id: str, status: str = "failed", workflow: str = "order") -> RunRowView:
    """Return a row of the list."""
    return RunRowView(id=run_id, workflow=workflow, status=status, started_at=1.0, updated_at=1.0)


def test_a_mark_is_set_and_taken_away_with_the_same_key() -> None:
    """Marks keep the order in which they were set."""
    marks = Marks()
    for run_id in ("b", "a", "c", "a"):
        marks.toggle(run_id)
    assert list(marks) == ["b", "c"]
    assert "b" in marks
    marks.remove(["b", "never marked"])
    marks.add(["c", "d"])
    assert list(marks) == ["c", "d"]
    marks.clear()
    assert not marks


@pytest.mark.parametrize(
    ("verb", "taken"),
    [
        (Verb.RETRY, ["failed"]),
        (Verb.RESUME, ["paused", "interrupted"]),
        (Verb.CANCEL, ["pending", "running", "paused", "suspended", "interrupted"]),
        (Verb.DELETE, ["completed", "failed", "cancelled", "paused", "suspended", "interrupted"]),
    ],
)
def test_each_verb_takes_the_runs_it_is_for(verb: Verb, taken: list[str]) -> None:
    """The others are left alone, each with its reason."""
    statuses = [
        *("completed", "failed", "cancelled", "pending", "running"),
        *("paused", "suspended", "interrupted"),
    ]
    bulk = plan(verb, [row(status, status) for status in statuses], {"order"})
    assert sorted(each.status for each in bulk.runs) == sorted(taken)
    left = [each.status for rows in bulk.left.values() for each in rows]
    assert sorted([*left, *taken]) == sorted(statuses)


def test_a_run_whose_workflow_is_not_loaded_can_only_be_ended_or_deleted() -> None:
    """Retrying and resuming need its code."""
    stray = [row("a", "interrupted", "gone")]
    assert list(plan(Verb.RESUME, stray, {"order"}).left) == ["no module loaded here defines gone"]
    assert plan(Verb.CANCEL, stray, set()).runs == tuple(stray)
    assert plan(Verb.DELETE, stray, set()).runs == tuple(stray)


def test_the_question_says_what_will_happen_to_which() -> None:
    """Counts by status and workflow, commits that would be repeated, what the filter hides, what is left."""
    rows = [row("a"), row("b"), row("c", workflow="refund"), row("d", "completed"), row("e", "running")]
    bulk = plan(Verb.RETRY, rows, {"order", "refund"})
    text = described(bulk, repeated={"charge": 2}, unseen=1)
    assert "2 failed order, 1 failed refund: each from the step that failed" in text
    assert "commits would run again, each with the key it had: charge (2)" in text
    assert "One of them is not shown by the filter" in text
    assert "Left alone: 1 (completed, no step failed), 1 (still running)." in text


def test_runs_of_many_workflows_are_counted_by_status() -> None:
    """A list of a hundred names is no answer."""
    rows = [row(str(number), workflow=f"flow-{number}") for number in range(100)]
    assert counted(rows) == "100 failed, of 100 workflows"


async def test_runs_are_acted_on_a_few_at_a_time() -> None:
    """All are done in the end; what is refused is noted with its reason, and stops nothing."""
    under_way, most = 0, 0

    async def act(each: RunRowView) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        if each.id == "7":
            raise RunnerRefused("RunBusyError", "somebody has it")

    progress = Progress(20)
    await carry_out([row(str(number)) for number in range(20)], act, progress)
    assert most == AT_ONCE
    assert len(progress.done) == 19
    assert [(each.run.id, each.reason) for each in progress.failures] == [("7", "somebody has it")]
    assert progress.fraction == 1.0


async def test_a_run_whose_workflow_has_changed_says_how_it_goes_on_all_the_same() -> None:
    """In the words of the dashboard, which asks when the run is sent on alone."""

    async def act(_: RunRowView) -> None:
        error = DefinitionChangedError("It has changed (added: check).", added="c", removed="", moved="")
        raise RunnerRefused("DefinitionChangedError", str(error))

    progress = Progress(1)
    await carry_out([row("a")], act, progress)
    reason = progress.failures[0].reason
    assert reason.startswith("It has changed (added: check). Sent on alone, with t or u,")
    assert "allow_changed" not in reason


async def test_an_unforeseen_error_of_one_run_stops_no_other() -> None:
    """It is shown with its type."""

    async def act(each: RunRowView) -> None:
        if each.id == "1":
            raise OSError("pipe closed")

    progress = Progress(6)
    await carry_out([row(str(number)) for number in range(6)], act, progress)
    assert len(progress.done) == 5
    assert progress.failures[0].reason == "OSError: pipe closed"


def test_failures_are_told_by_their_reason() -> None:
    """A hundred runs in the same hands are one line, not a hundred."""
    failures = [
        Failure(run=row(f"{number:06}x"), reason=f"Run {number:06}x is in the hands of process 12.")
        for number in range(100)
    ]
    lines = [
        line.plain for line in failure_lines([*failures, Failure(run=row("odd"), reason="no such step")])
    ]
    assert lines[0] == "✖ 101 could not be done:"
    assert lines[1].startswith("order 000000, order 000001, ")
    assert lines[1].endswith(" and 95 more")
    assert lines[2:] == ["  The run is in the hands of process 12.", "order odd", "  no such step"]


async def test_stopping_lets_what_is_under_way_end_and_begins_nothing_more() -> None:
    """So the runs that were not come to are as they were."""
    progress = Progress(50)

    async def act(each: RunRowView) -> None:
        await asyncio.sleep(0)
        if each.id == "5":
            progress.stop()

    await carry_out([row(str(number)) for number in range(50)], act, progress)
    assert 5 < progress.count <= 5 + 1 + AT_ONCE
