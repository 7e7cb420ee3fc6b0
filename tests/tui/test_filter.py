"""What is typed after ``/`` decides which runs are listed."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_tui.model.filter import compile_filter, exact_term
from flux_tui.model.filter_hints import continued
from flux_tui.model.run import RunRowView


def row(**fields) -> RunRowView:
    """A failed run, but for what is given."""
    known = {
        "id": "3F2a9c",
        "workflow": "order-process",
        "status": "failed",
        "started_at": 1.0,
        "updated_at": 2.0,
        "current_step": "Payment",
        "error": "CardError: declined",
    }
    return RunRowView(**{**known, **fields})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "order",
        "ORDER",
        "3f2",
        "fail",
        "pay",
        "declined",
        "order declined",
        "!refund",
        "status:failed",
        "s:fail",
        "s:completed,failed",
        "!s:completed",
        "w:process",
        "workflow:order !id:9",
        "id:3f",
        "s:",
        "!",
        "carderror:",
    ],
)
def test_terms_that_match(text):
    """Every term must match; an unfinished one does not stand in the way."""
    assert compile_filter(text).matches(row())


@pytest.mark.parametrize(
    "text",
    ["refund", "!order", "order refund", "s:completed", "!s:failed", "w:payment", "id:f2", "x:y", "w:=order"],
)
def test_terms_that_do_not_match(text):
    """One term that does not match hides the run."""
    assert not compile_filter(text).matches(row())


def test_a_run_without_step_and_error_is_matched_by_its_other_columns():
    """Absent columns match nothing."""
    bare = row(current_step=None, error=None)
    assert compile_filter("order").matches(bare)
    assert not compile_filter("declined").matches(bare)


def test_an_empty_filter_is_false():
    """So that a caller can tell whether anything is filtered."""
    assert not compile_filter(" ! ")
    assert compile_filter("x")


def test_the_store_is_asked_for_what_it_can_decide():
    """Statuses and one text go to the store; the base query is kept otherwise."""
    base = RunQuery(workflow="order-process", limit=10)
    query = compile_filter("s:fail gateway w:order !refund").query(base)
    assert query == RunQuery(workflow="order-process", statuses=(RunStatus.FAILED,), text="gateway", limit=10)


def test_interrupted_runs_are_running_ones_in_the_store():
    """The store does not know the word."""
    assert compile_filter("s:interrupted").query().statuses == (RunStatus.RUNNING,)


def test_a_text_that_may_be_a_status_is_not_sent_to_the_store():
    """The store does not look for texts among statuses, so such a run would be lost."""
    assert compile_filter("fail").query() == RunQuery()


def test_the_store_is_asked_for_the_other_statuses_when_one_is_unwanted():
    """Several terms about the status leave what fits all of them."""
    kept = set(RunStatus) - {RunStatus.FAILED}
    assert set(compile_filter("!s:failed").query().statuses) == kept
    assert compile_filter("s:failed,completed !s:fail").query().statuses == (RunStatus.COMPLETED,)


NOW = datetime(2026, 11, 23, 12, 0).astimezone().timestamp()


@pytest.mark.parametrize(
    ("text", "started", "matches"),
    [
        ("since:10m", NOW - 600, True),
        ("since:10m", NOW - 601, False),
        ("after:10m", NOW - 60, True),
        ("before:2h", NOW - 7201, True),
        ("before:2h", NOW - 7200, False),
        ("!since:1d", NOW - 90_000, True),
        ("since:today", datetime(2026, 11, 23).astimezone().timestamp(), True),
        ("since:yesterday before:today", datetime(2026, 11, 22, 23, 59).astimezone().timestamp(), True),
        ("since:yesterday before:today", NOW, False),
        ("since:2026-11-01", datetime(2026, 11, 1).astimezone().timestamp(), True),
        ("before:2026-11-01", datetime(2026, 11, 1).astimezone().timestamp(), False),
        ("since:9:30", datetime(2026, 11, 23, 9, 30).astimezone().timestamp(), True),
        ("since:2026-11-01T14:30", datetime(2026, 11, 1, 14, 29).astimezone().timestamp(), False),
    ],
)
def test_runs_are_filtered_by_when_they_began(text, started, matches):
    """From then on, or before; the store is asked for just these."""
    chosen = compile_filter(text, NOW)
    assert not chosen.problem
    assert chosen.matches(row(started_at=started * 1000)) is matches
    query = chosen.query()
    assert ((query.since or 0) <= started < (query.until or NOW * 2)) is matches


@pytest.mark.parametrize(
    ("text", "duration", "matches"),
    [
        ("took:>5s", 5001.0, True),
        ("took:>5s", 5000.0, False),
        ("took:<300ms", 299.0, True),
        ("took:>5s", None, False),
    ],
)
def test_runs_are_filtered_by_how_long_they_took(text, duration, matches):
    """A run that goes on has taken no time yet."""
    assert compile_filter(text).matches(row(duration=duration)) is matches


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("since:10x", "since:10x — expected 10m, 2h, today, 14:30 or 2026-11-01"),
        ("order before:2026-13-01", "before:2026-13-01 — expected"),
        ("took:5", "took:5 — expected >5s"),
        ("status:fialed", "status:fialed — expected pending"),
    ],
)
def test_a_term_that_makes_no_sense_is_told_and_hides_nothing(text, said):
    """What to type instead is told with it."""
    chosen = compile_filter(text)
    assert chosen.problem.startswith(said)
    assert chosen.matches(row())
    assert chosen.query().since is None
    assert not compile_filter("since: took: status: !").problem


def test_one_workflow_and_no_other():
    """Its name as it is, in quotes when it has spaces; the store has an index for it."""
    for name in ("order", "Big order"):
        chosen = compile_filter(f"x {exact_term('workflow', name)}")
        assert chosen.terms[1].matches(row(workflow=name))
        assert not chosen.terms[1].matches(row(workflow=f"{name}-process"))
        assert (chosen.query().workflow, chosen.query().text) == (name, "x")


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("st", "status:"),
        ("order !st", "order !status:"),
        ("status:", "status:failed"),
        ("s:completed,fa", "s:completed,failed"),
        ("workflow:ord", "workflow:order-process"),
        ("since:t", "since:today"),
        ("since:today", None),
        ("", None),
        ("zzz", None),
        ("x ", None),
    ],
)
def test_the_last_word_is_completed(typed, whole):
    """Names of fields, statuses, workflows and times suggest themselves."""
    assert continued(typed, ["letter", "order-process"]) == whole


@given(st.text(max_size=30))
def test_every_text_is_a_filter(text):
    """Typing never breaks anything."""
    chosen = compile_filter(text)
    chosen.matches(row())
    chosen.query()
