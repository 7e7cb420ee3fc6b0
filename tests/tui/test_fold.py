"""A run on screen is the sum of its events."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_engine.execution import Changes
from flux_engine.trace.events import EventType, TraceEvent, decode_event
from flux_tui.model.fold import apply, logs
from flux_tui.model.run import RunView
from flux_tui.model.tally import count, tally

FIXTURES = Path(__file__).parent.parent / "fixtures" / "gravito"
GRAPH = {
    "steps": [{"name": "fetch", "retries": 2}, {"name": "pay", "commit": True}, {"name": "tell"}],
    "edges": [["fetch", "pay"], ["pay", "tell"]],
}


def fold(events: Iterable[TraceEvent], view: RunView | None = None) -> RunView:
    """The run after the events."""
    for event in events:
        view = apply(view, event)
    assert view is not None
    return view


def event(kind: str, at: float = 0.0, step: str | None = None, **fields) -> TraceEvent:
    """An event of the run ``r``."""
    return TraceEvent(type=kind, timestamp=at, workflow_id="r", workflow_name="w", step_name=step, **fields)


def fixture(name: str) -> list[TraceEvent]:
    """The events of a trace of the ancestor."""
    lines = (FIXTURES / f"{name}.ndjson").read_bytes().splitlines()
    return [decode_event(line) for line in lines]


def runs(events: Iterable[TraceEvent]) -> dict[str, list[TraceEvent]]:
    """The events by run."""
    found: dict[str, list[TraceEvent]] = {}
    for each in events:
        found.setdefault(each.workflow_id, []).append(each)
    return found


def statuses(view: RunView) -> dict[str, str]:
    """The status of each step."""
    return {step.name: step.status for step in view.steps}


def test_each_run_of_the_router_takes_its_own_branch():
    """Of four runs each completes with at most one of the three branches taken, the others skipped."""
    views = [fold(events) for events in runs(fixture("branching")).values()]

    assert [view.status for view in views] == ["completed"] * 4
    branches = ["auto-handle", "manual-review", "risk-audit"]
    taken = [[name for name in branches if statuses(view)[name] == "completed"] for view in views]
    assert taken == [["auto-handle"], ["manual-review"], ["risk-audit"], []]
    assert all(statuses(view)[name] in ("completed", "skipped") for view in views for name in branches)
    assert views[0].final_data == {"route": "auto", "result": {"ok": True}}
    assert views[0].duration == 12
    assert views[0].graph.guessed
    assert views[0].graph.edges[0] == ("classify", "auto-handle")
    assert not views[0].knows_data


def test_a_step_that_was_skipped_was_not_attempted():
    """The ancestor announces a start before it skips; that is no attempt."""
    view = fold(next(iter(runs(fixture("branching")).values())))
    skipped = view.step("risk-audit")
    assert skipped is not None
    assert (skipped.attempt, skipped.tries, skipped.started_at) == (0, 0, None)


def test_failures_of_the_ancestor_end_their_runs():
    """A retry succeeds; a step error, a time-out and a failing ``when`` end their runs."""
    flaky, failing, slow, throwing = (fold(events) for events in runs(fixture("failures")).values())

    assert flaky.status == "completed"
    assert (flaky.steps[0].attempt, flaky.steps[0].tries, flaky.steps[0].max_tries) == (2, 2, 2)
    assert flaky.steps[0].error is None

    assert (failing.status, statuses(failing)) == ("failed", {"ok": "completed", "boom": "failed"})
    assert failing.error is not None
    assert (failing.error.step, failing.error.message) == ("boom", "x is undefined\nsecond line")
    assert failing.duration == 1

    assert (slow.status, slow.duration) == ("failed", 21)
    assert str(slow.error) == "Error: Step timeout"

    assert (throwing.status, statuses(throwing)) == ("failed", {"a": "failed"})
    assert throwing.error is not None
    assert throwing.error.message == "when failed"


def test_a_retry_of_the_ancestor_shows_its_error_while_it_waits():
    """Between step:retry and the next attempt the step runs, and the error of the last attempt is known."""
    events = next(iter(runs(fixture("failures")).values()))
    view = fold(events[:3])
    assert (view.status, view.steps[0].status) == ("running", "running")
    assert view.steps[0].error is not None
    assert view.steps[0].error.message == "card declined: 餘額不足 💳"


def test_signals_of_the_ancestor_suspend_and_continue():
    """One run waits for ever, the other is signalled and completes."""
    signalled, waiting, _ = (fold(events) for events in runs(fixture("signals")).values())
    assert (waiting.status, statuses(waiting)["wait-for-approval"]) == ("suspended", "suspended")
    assert waiting.steps[1].reason == "waiting for approval"
    assert signalled.status == "completed"
    assert set(statuses(signalled).values()) == {"completed"}
    assert signalled.steps[1].output == {"approved": True}


def test_a_run_of_the_ancestor_is_retried_and_then_resumed_from_the_start():
    """The retry keeps the step before it; the resume, that no event announces, sends every step back."""
    events = runs(fixture("signals"))["79a2d35e-ec02-4a9b-a3d2-8ebfe29f44ff"]
    failed, retried, resumed = fold(events[:5]), fold(events[:11]), fold(events)

    assert (failed.status, statuses(failed)) == ("failed", {"load": "completed", "charge": "failed"})
    assert retried.status == "completed"
    assert [step.attempt for step in retried.steps] == [1, 2, 1]
    assert resumed.status == "completed"
    assert [step.attempt for step in resumed.steps] == [2, 3, 2]
    assert resumed.final_data == {"loads": 2}

    again = fold(events[:6])
    assert (again.status, again.error) == ("running", None)
    assert statuses(again) == {"load": "completed", "charge": "pending"}
    from_start = fold(events[:12])
    assert statuses(from_start) == {"load": "running", "charge": "pending", "notify": "pending"}


def test_the_graph_is_complete_from_the_start():
    """With a graph in the trace every step is there, pending, before it starts."""
    view = fold([event("workflow:start", 5, graph=GRAPH, input={"n": 1})])
    assert statuses(view) == {"fetch": "pending", "pay": "pending", "tell": "pending"}
    assert view.graph.edges == (("fetch", "pay"), ("pay", "tell"))
    assert view.steps[0].max_tries == 3
    assert view.steps[1].commit
    assert (view.input, view.started_at, view.status) == ({"n": 1}, 5, "running")


def test_a_back_off_says_when_the_next_attempt_starts():
    """step:retry with a delay sets the time; the next attempt clears it."""
    start = [event("workflow:start", graph=GRAPH), event("step:start", 1, "fetch", attempt=1, retries=0)]
    failure = {"type": "OSError", "message": "down", "frames": [{"file": "a.py", "line": 3, "function": "f"}]}
    retry = event(
        "step:retry",
        10,
        "fetch",
        attempt=1,
        retries=1,
        max_retries=2,
        error="OSError: down",
        changes={"set": {"half": 1}},
        meta={"delay": 1000, "exception": failure},
    )
    waiting = fold([*start, retry]).steps[0]
    assert (waiting.status, waiting.waiting_until, waiting.tries, waiting.max_tries) == (
        "running",
        1010,
        2,
        3,
    )
    assert waiting.error is not None
    assert (waiting.error.step, waiting.error.frames[0].line) == ("fetch", 3)
    assert waiting.discarded == Changes(set={"half": 1})

    second = event("step:start", 1010, "fetch", attempt=2, retries=1)
    running = fold([*start, retry, second]).steps[0]
    assert (running.waiting_until, running.attempt, running.tries) == (None, 2, 2)


def test_the_data_at_each_step_is_rebuilt_from_the_changes():
    """Before and after a step; what a failed attempt changed goes no further."""
    view = fold(
        [
            event("workflow:start", graph=GRAPH),
            event("step:complete", 1, "fetch", changes={"set": {"a": 1, "b": 1}, "deleted": []}),
            event("step:complete", 2, "pay", changes={"set": {"a": 2}, "deleted": ["b"]}),
            event("step:error", 3, "tell", changes={"set": {"a": 9}}, error="ValueError: no"),
        ]
    )
    assert view.knows_data
    assert view.data_after("fetch") == {"a": 1, "b": 1}
    assert view.data_before("tell") == view.data_after("tell") == {"a": 2}
    assert view.steps[2].discarded == Changes(set={"a": 9})
    assert view.status == "running"


def test_values_with_types_are_shown_as_what_they_are():
    """Tagged values become values; instances of classes that are not loaded become dicts."""
    tagged = {"when": {"$type": "date", "value": "2026-01-02"}}
    view = fold([event("workflow:start", graph=GRAPH, input=tagged)])
    assert str(view.input["when"]) == "2026-01-02"


def test_a_retry_sends_back_the_steps_that_run_again_and_keeps_their_attempts():
    """Steps in runsAgain are pending with their attempts counted on; the edit is part of the data."""
    before = [
        event("workflow:start", graph=GRAPH),
        event("step:complete", 1, "fetch", attempt=1, changes={"set": {"a": 1}}),
        event("step:start", 2, "pay", attempt=1),
        event("step:error", 3, "pay", attempt=1, error="ValueError: no"),
        event("workflow:error", 4, error="ValueError: no", duration=4.0),
    ]
    failed = fold(before)
    assert (failed.status, failed.duration, failed.ended_at) == ("failed", 4.0, 4)
    assert failed.error is not None
    assert failed.error.step == "pay"

    meta = {"retry": True, "fromStep": "pay", "scope": "downstream", "runsAgain": ["pay", "tell"]}
    edit = {"set": {"a": 5}, "deleted": []}
    again = fold([event("workflow:start", 10, graph=GRAPH, meta={**meta, "edit": edit})], failed)
    assert statuses(again) == {"fetch": "completed", "pay": "pending", "tell": "pending"}
    assert (again.status, again.error, again.ended_at, again.duration) == ("running", None, None, None)
    assert (again.started_at, again.resumed_at) == (0, 10)
    assert again.steps[1].attempt == 1
    assert again.data_before("pay") == {"a": 5}

    more = {**meta, "edit": {"set": {"b": 6}, "deleted": ["a"]}}
    once_more = fold([event("workflow:start", 20, graph=GRAPH, meta=more)], again)
    assert once_more.data_before("pay") == {"b": 6}
    from_top = {"retry": True, "fromStep": "fetch", "runsAgain": ["fetch", "pay", "tell"]}
    afresh = fold([event("workflow:start", 30, graph=GRAPH, meta=from_top)], once_more)
    assert afresh.steps[1].edit is None


def test_a_run_took_all_its_passes_without_the_pauses_between_them():
    """What a retry or a resume did is added to what was done before; a run that goes on has not taken any."""
    failed = fold([event("workflow:start", graph=GRAPH), event("workflow:error", 400, duration=400.0)])
    assert failed.took == 400
    meta = {"retry": True, "fromStep": "pay"}
    again = fold([event("workflow:start", 9_000, graph=GRAPH, meta=meta)], failed)
    assert again.took is None
    paused = fold([event("workflow:pause", 9_100, duration=100.0)], again)
    resumed = fold([event("workflow:start", 20_000, graph=GRAPH, meta={"resume": True})], paused)
    done = fold([event("workflow:complete", 20_001, duration=0.5)], resumed)
    assert (done.duration, done.took) == (0.5, 500.5)


def test_the_row_of_a_run_tells_the_same_time_as_the_run():
    """A list that is made without folding the runs adds up their passes too."""
    story = [
        event("workflow:start", graph=GRAPH),
        event("workflow:suspend", 400, duration=400.0),
        event("signal:received", 9_000, meta={"signal": "go"}),
        event("workflow:start", 9_000, graph=GRAPH, meta={"resume": True}),
        event("workflow:complete", 9_100, duration=100.0),
    ]
    kept = tally(story[0])
    for each in story:
        count(kept, each)
    assert kept.row().duration == fold(story).took == 500


def test_the_time_of_a_pass_whose_process_died_counts_to_its_last_event():
    """Nothing closed it; what its steps took is not forgotten."""
    story = [
        event("workflow:start", graph=GRAPH),
        event("step:complete", 300, "fetch", duration=300.0),
        event("step:start", 300, "pay"),
        event("workflow:start", 90_000, graph=GRAPH, meta={"resume": True, "fromStep": "pay"}),
        event("workflow:complete", 90_050, duration=50.0),
    ]
    kept = tally(story[0])
    for each in story:
        count(kept, each)
    assert kept.row().duration == fold(story).took == 350


def test_a_step_that_is_cancelled_with_its_run_took_its_own_time():
    """The end of the run tells how long the run took."""
    view = fold(
        [
            event("workflow:start", graph=GRAPH),
            event("step:complete", 4_000, "fetch", duration=4_000.0),
            event("step:start", 4_000, "pay"),
            event("workflow:cancel", 5_000, duration=5_000.0),
        ]
    )
    assert view.step("pay").status == "cancelled"
    assert (view.step("pay").duration, view.duration) == (1_000, 5_000)


def test_a_retry_of_one_step_leaves_the_others():
    """Scope "only" without a list of steps sends back that step alone."""
    done = fold(
        [event("workflow:start", graph=GRAPH)]
        + [event("step:complete", 1, name) for name in ("fetch", "pay", "tell")]
        + [event("workflow:complete", 2)]
    )
    again = fold([event("workflow:start", 3, meta={"retry": True, "fromStep": "pay", "scope": "only"})], done)
    assert statuses(again) == {"fetch": "completed", "pay": "pending", "tell": "completed"}


def test_a_run_that_is_let_go_and_resumed_goes_on_where_it_was():
    """The engine says that it lets the run go; a resume sends back what is not done, and nothing else."""
    view = fold(
        [
            event("workflow:start", graph=GRAPH),
            event("step:complete", 1, "fetch", meta={"output": 7}),
            event("step:start", 2, "pay", attempt=1),
            event("step:complete", 3, "tell"),
            event("workflow:pause", 4, status="interrupted", meta={"interrupted": True}),
        ]
    )
    assert (view.status, view.steps[0].output) == ("interrupted", 7)
    assert statuses(view) == {"fetch": "completed", "pay": "interrupted", "tell": "completed"}
    resumed = fold([event("workflow:start", 9, graph=GRAPH, meta={"resume": True, "fromStep": "pay"})], view)
    assert resumed.status == "running"
    assert statuses(resumed) == {"fetch": "completed", "pay": "pending", "tell": "completed"}


def test_a_trace_that_begins_in_the_middle_has_no_start():
    """Steps are put in the order of their index, and started_at stays unknown."""
    view = fold(
        [event("step:complete", 3, "late", step_index=7), event("step:complete", 4, "early", step_index=2)]
    )
    assert [step.name for step in view.steps] == ["early", "late"]
    assert view.graph.edges == (("early", "late"),)
    assert view.started_at is None


def test_an_error_without_a_type_keeps_its_whole_text():
    """Only a class-like word before the colon is a type."""
    typed = fold([event("step:error", 1, "a", error="shop.CardError: card: declined")]).error
    loose = fold([event("step:error", 1, "a", error="gateway: down")]).error
    assert typed is not None
    assert (typed.type, typed.message) == ("shop.CardError", "card: declined")
    assert loose is not None
    assert (loose.type, loose.message) == ("Error", "gateway: down")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("workflow:pause", "paused"), ("workflow:suspend", "suspended"), ("workflow:cancel", "cancelled")],
)
def test_a_run_that_stops_says_how(kind, status):
    """Pause, suspend and cancel give the run their status."""
    assert fold([event("workflow:start", graph=GRAPH), event(kind, 2)]).status == status


def test_unknown_events_and_events_of_other_runs_change_nothing():
    """A reader passes over what it does not know."""
    view = fold([event("workflow:start", graph=GRAPH)])
    other = TraceEvent(type="workflow:error", timestamp=9, workflow_id="other")
    assert apply(view, event("step:teleport", 3, "pay")) is view
    assert apply(view, event("step:log", 3, "pay", meta={"text": "hi"})) is view
    assert apply(view, other) is view
    assert apply(None, event("step:teleport", 3, "pay")) is None


def test_logs_are_lines():
    """A text of several lines is several log lines of its step and attempt."""
    said = event("step:log", 4, "pay", attempt=2, meta={"stream": "warning", "text": "one\ntwo\n"})
    found = logs([said, event("step:log", 5), event("step:start", 6, "pay")])
    assert [(line.text, line.stream, line.step, line.attempt) for line in found] == [
        ("one", "warning", "pay", 2),
        ("two", "warning", "pay", 2),
    ]


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
step_names = st.sampled_from(["a", "b", "fetch", "pay", ""])
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
metas = json_values | st.fixed_dictionaries(
    {},
    optional={
        name: json_values | st.booleans() | step_names | st.lists(step_names, max_size=3)
        for name in (
            "retry",
            "resume",
            "fromStep",
            "runsAgain",
            "scope",
            "edit",
            "delay",
            "exception",
            "reason",
        )
    },
)
graphs = json_values | st.fixed_dictionaries(
    {},
    optional={
        "steps": json_values | st.lists(st.fixed_dictionaries({"name": step_names | scalars}), max_size=4),
        "edges": json_values | st.lists(st.lists(step_names | scalars, max_size=3), max_size=4),
    },
)
events = st.builds(
    TraceEvent,
    type=st.sampled_from([kind.value for kind in EventType]) | st.text(max_size=5),
    timestamp=st.floats(allow_nan=False, allow_infinity=False),
    workflow_id=st.sampled_from(["r", "r", "r", "s"]),
    step_name=st.none() | step_names,
    step_index=st.none() | st.integers(),
    commit=st.none() | st.booleans(),
    attempt=st.none() | st.integers(),
    retries=st.none() | st.integers(),
    max_retries=st.none() | st.integers(),
    duration=st.none() | st.floats(allow_nan=False),
    error=st.none() | st.text(max_size=10),
    input=json_values,
    data=json_values,
    changes=json_values | st.fixed_dictionaries({}, optional={"set": json_values, "deleted": json_values}),
    graph=graphs,
    meta=metas,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(events, max_size=12))
def test_no_trace_breaks_the_fold(trace):
    """Whatever comes in whatever order: a run with distinct steps, the same ones as in its graph."""
    view: RunView | None = None
    for each in trace:
        view = apply(view, each)
        if view is not None:
            names = [step.name for step in view.steps]
            assert names == [node.name for node in view.graph.nodes]
            assert len(set(names)) == len(names)
            assert view.data_before("pay") is not None
    logs(trace)
