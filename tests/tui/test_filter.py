"""What is typed after ``/`` decides which runs are listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_tui.model.filter import compile_filter
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
    ["refund", "!order", "order refund", "s:completed", "!s:failed", "w:payment", "id:f2", "s:ailed", "x:y"],
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
    assert compile_filter("!s:failed").query() == RunQuery()


@given(st.text(max_size=30))
def test_every_text_is_a_filter(text):
    """Typing never breaks anything."""
    chosen = compile_filter(text)
    chosen.matches(row())
    chosen.query()
