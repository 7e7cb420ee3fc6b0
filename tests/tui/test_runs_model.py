"""The list of runs, merged from the trace and the store."""

import time

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from flux_tui.model.filter import compile_filter
from flux_tui.model.run import RunRowView
from flux_tui.model.runs import RunsModel
from flux_tui.widgets.runs import told


def row(run_id: str, started: float = 0.0, status: str = "running", updated: float | None = None, **fields):
    """A row of a run that started then."""
    return RunRowView(
        id=run_id,
        workflow=fields.pop("workflow", "order"),
        status=status,
        started_at=started,
        updated_at=started if updated is None else updated,
        **fields,
    )


def ids(model: RunsModel) -> list[str]:
    """The ids as listed."""
    return [each.id for each in model.rows(0, len(model))]


def test_runs_are_listed_newest_first_and_once():
    """Pages of the store and events of the trace may tell of the same runs in any order."""
    model = RunsModel()
    model.merge_store([row("b", 2), row("a", 1)])
    model.merge_trace([row("c", 3), row("b", 2)])
    model.merge_store([row("c", 3), row("b", 2)])
    assert ids(model) == ["c", "b", "a"]
    assert [model.index_of(each) for each in "cba"] == [0, 1, 2]
    assert model.index_of("nobody") is None


def test_a_run_keeps_its_place():
    """Trace and store may differ by a moment in when it started: the row does not jump."""
    model = RunsModel()
    model.merge_trace([row("a", 10.0), row("b", 10.5)])
    model.merge_store([row("a", 11.0, updated=5000)])
    assert ids(model) == ["b", "a"]


def test_later_news_wins():
    """Whichever of trace and store is behind does not take a status back."""
    model = RunsModel()
    model.merge_trace([row("a", 1, "completed", updated=900)])
    model.merge_store([row("a", 1, "running", updated=500)])
    assert model.row(0).status == "completed"
    model.merge_store([row("a", 1, "failed", updated=9000)])
    assert model.row(0).status == "failed"
    model.merge_trace([row("a", 1, "running", updated=9500)])
    assert model.row(0).status == "running"


def test_only_the_store_knows_that_a_run_was_interrupted():
    """It overrules a trace that ends in the middle, until the trace goes on."""
    model = RunsModel()
    model.merge_trace([row("a", 1, updated=1000)])
    model.merge_store([row("a", 1, "interrupted", updated=999)])
    assert model.row(0).status == "interrupted"
    model.merge_trace([row("a", 1, updated=60_000)])
    assert model.row(0).status == "running"


def test_runs_are_counted_by_status():
    """Of all runs, filtered out or not, as they change."""
    model = RunsModel()
    model.set_filter(compile_filter("nothing"))
    model.merge_trace([row("a", 1), row("b", 2), row("c", 3, "failed")])
    assert (model.running, model.failed, model.total, len(model)) == (2, 1, 3, 0)
    model.merge_trace([row("a", 1, "failed", updated=5)])
    model.remove("c")
    assert (model.running, model.failed, model.total) == (1, 1, 2)


def test_the_filter_follows_the_runs():
    """A run enters and leaves the list as its status changes."""
    model = RunsModel()
    model.merge_trace([row("a", 1), row("b", 2, "failed"), row("c", 3)])
    model.set_filter(compile_filter("s:failed"))
    assert ids(model) == ["b"]
    model.merge_trace([row("a", 1, "failed", updated=9), row("d", 0.5, "failed")])
    assert ids(model) == ["b", "a", "d"]
    model.merge_trace([row("b", 2, updated=9)])
    assert ids(model) == ["a", "d"]
    assert model.index_of("b") is None
    model.set_filter(compile_filter(""))
    assert ids(model) == ["c", "b", "a", "d"]


def test_news_without_change_is_no_change():
    """The version stands still, so that nothing is drawn again."""
    model = RunsModel()
    assert model.merge_store([row("a", 1)])
    version = model.version
    assert not model.merge_store([row("a", 1)])
    assert not model.merge_trace([row("a", 1)])
    assert model.version == version


def test_a_trace_that_is_begun_anew_leaves_the_runs_of_the_store():
    """Runs known from the trace alone go with it."""
    model = RunsModel()
    model.merge_store([row("a", 1, "running")])
    model.merge_trace([row("a", 1, "completed", updated=9), row("b", 2)])
    model.forget_trace()
    assert [(each.id, each.status) for each in model.rows(0, 9)] == [("a", "running")]
    assert model.total == 1
    model.merge_trace([row("b", 2)])
    model.forget_store()
    assert ids(model) == ["b"]


def test_a_hundred_thousand_runs_take_one_more_at_once():
    """Adding and finding a run costs no pass over all of them: a tenth more costs no ten times as much."""
    model = RunsModel()
    first = time.perf_counter()
    model.merge_store(row(f"r{n}", n, "completed") for n in range(100_000))
    begun = time.perf_counter()
    model.merge_trace(row(f"n{n}", n * 10 + 0.5) for n in range(10_000))
    places = [model.index_of(f"r{n}") for n in range(10_000)]
    assert time.perf_counter() - begun < 10 * (begun - first)
    assert model.total == 110_000
    assert len(set(places)) == 10_000


news = st.tuples(
    st.sampled_from(["trace", "store", "remove", "filter"]),
    st.sampled_from("abcd"),
    st.integers(0, 3),
    st.sampled_from(["running", "failed", "interrupted", "completed"]),
    st.integers(0, 1000),
)


@given(st.lists(news, max_size=30))
def test_whatever_the_order_of_news_the_list_is_whole(told):
    """Sorted, without doubles, filtered, and counted as it is."""
    model = RunsModel()
    for source, run_id, started, status, updated in told:
        if source == "remove":
            model.remove(run_id)
        elif source == "filter":
            model.set_filter(compile_filter(f"s:{status}" if updated % 2 else ""))
        else:
            merge = model.merge_trace if source == "trace" else model.merge_store
            merge([row(run_id, started, status, updated)])
        shown = model.rows(0, len(model))
        known = [each for each in map(model.get, "abcd") if each is not None]
        assert {each.id for each in shown} == {each.id for each in known if model.filter.matches(each)}
        assert [model.index_of(each.id) for each in shown] == list(range(len(shown)))
        assert model.failed == sum(each.status == "failed" for each in known)
        assert model.total == len(known)


def test_a_wide_row_says_how_a_run_stands_and_no_more_of_its_error_than_the_type():
    """A message may hold a secret, and the list masks nothing."""
    failed = row("a", status="failed", current_step="pay", error="ValueError: key s3cret", duration=614.0)
    text = Content.assemble(*told(failed, 80)).plain
    assert text.split() == ["order", "failed", "at", "pay:", "ValueError", "614", "ms"]
    assert len(text) == 80
