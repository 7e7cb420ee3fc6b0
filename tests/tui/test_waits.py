"""What is said of steps that wait, are held, or are taken back."""

import pytest

from flux_engine.execution import ErrorInfo
from flux_engine.trace.events import TraceEvent
from flux_tui.model import fold
from flux_tui.model.captions import face, remark, shown_status
from flux_tui.model.run import GraphSpec, NodeSpec, RunView, StepView, WaitView, graph_spec
from flux_tui.model.waits import left_forms, next_change, paused_before, wake_forms
from flux_tui.screens.signal import choices_of

NOW = 1_700_000_000_000.0
MINUTE = 60_000.0


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (-1, "due now"),
        (42_500, "42 s left"),
        (58 * MINUTE + 5, "58 min left"),
        (65 * MINUTE, "1 h 05 m left"),
        (51 * 60 * MINUTE, "2 d 03 h left"),
    ],
)
def test_what_is_left_is_told_to_the_minute_and_at_last_to_the_second(left, text):
    """Larger units first, never more than two."""
    assert left_forms(NOW + left, NOW)[0] == text


def test_words_change_with_the_minute_and_at_last_with_the_second():
    """The next change is when the text differs, and none is due after the end."""
    for left in (130.5 * 1000, 59 * MINUTE + 1, 40_200):
        pause = next_change(NOW + left, NOW)
        before, at = left_forms(NOW + left, NOW), left_forms(NOW + left, NOW + pause)
        assert left_forms(NOW + left, NOW + pause - 2) == before
        assert at != before
    assert next_change(NOW + 10 * MINUTE + 1, NOW) == pytest.approx(2)
    assert next_change(NOW, NOW) is None


def test_a_sleeping_step_says_when_it_wakes():
    """The time alone today, the day as well on another day."""
    assert wake_forms(NOW + 1000, NOW)[0].startswith("wakes ")
    assert ":" in wake_forms(NOW + 1000, NOW)[0]
    assert len(wake_forms(NOW + 1000, NOW)[0]) == len("wakes 14:02")
    assert len(wake_forms(NOW + 3 * 24 * 60 * MINUTE, NOW)[0]) == len("wakes 24 Nov 14:02")


def suspended(**wait):
    """Return a step that waits."""
    return StepView(name="s", status="suspended", waits_for=WaitView(**wait))


@pytest.mark.parametrize(
    ("step", "cells", "caption", "note"),
    [
        (suspended(signal="approval", until=NOW + 58 * MINUTE), 40, "waits for approval · 58 min left", ""),
        (suspended(signal="approval", until=NOW + 58 * MINUTE), 11, "approval", "58 min left"),
        (suspended(signal="approval", until=NOW + 58 * MINUTE), 9, "approval", "58 m left"),
        (suspended(signal="approval"), 18, "waits for approval", ""),
        (suspended(signal="x", in_doubt=True), 13, "in doubt", "was it done?"),
        (StepView(name="s", status="skipped", reason="when false"), 11, "skipped", "when false"),
        (StepView(name="s", status="skipped", reason="when false"), 30, "skipped · when false", ""),
        (StepView(name="s", status="completed", compensation="running"), 12, "compensating", ""),
        (StepView(name="s", status="completed", compensation="failed"), 11, "undo failed", ""),
        (StepView(name="s", status="compensated"), 11, "compensated", ""),
    ],
)
def test_a_box_says_what_a_step_waits_for_and_until_when(step, cells, caption, note):
    """On one line where there is room, else the rest in the lower edge."""
    said = face(step, NodeSpec(name="s"), cells, NOW)
    assert (said.caption, said.note) == (caption, note)


def test_a_signal_is_asked_for_with_what_its_step_says_of_itself():
    """Which payload is expected stands in the docstring of the step, if anywhere."""
    graph = GraphSpec(nodes=(NodeSpec(name="s", description='Wait for {"ok": true}.'),))
    assert [choice.about for choice in choices_of([suspended(signal="go")], graph)] == [
        'Wait for {"ok": true}.'
    ]
    assert [choice.about for choice in choices_of([suspended(signal="go")])] == [""]


def test_a_list_says_why_a_step_was_not_taken_back():
    """The error of a compensation goes before the step's own."""
    error = ErrorInfo(type="OSError", message="gone")
    step = StepView(name="s", status="completed", compensation="failed", compensation_error=error)
    assert remark(step, NOW) == "not compensated: OSError: gone"
    waits = suspended(signal="approval", until=NOW + 58 * MINUTE)
    assert remark(waits, NOW) == "waits for approval · 58 min left"


def compensating(status, **more):
    """Return the news that a step is being taken back."""
    return TraceEvent(
        type="step:compensate",
        timestamp=NOW,
        workflow_id="r",
        workflow_name="w",
        step_name="book",
        status=status,
        **more,
    )


def test_compensation_is_followed_from_its_start_to_its_end():
    """While it runs the step says so; failed, it stays completed with the reason; else it is compensated."""
    book = StepView(name="book", status="completed")
    view = RunView(id="r", workflow="w", status="running", steps=(book,), graph=GraphSpec())
    running = fold.apply(view, compensating("running"))
    assert shown_status(running.step("book")) == "compensating"
    failed = fold.apply(running, compensating("failed", error="OSError: gone")).step("book")
    assert (shown_status(failed), str(failed.compensation_error)) == ("completed", "OSError: gone")
    done = fold.apply(running, compensating("compensated")).step("book")
    assert (shown_status(done), done.compensation) == ("compensated", None)


def test_a_compensation_that_nobody_has_in_hand_any_more_stands_still():
    """When the runner dies the step is what the store knows: completed."""
    view = RunView(id="r", workflow="w", status="running", steps=(StepView(name="book", status="completed"),))
    left = TraceEvent(
        type="workflow:pause", timestamp=NOW, workflow_id="r", workflow_name="w", meta={"interrupted": True}
    )
    lost = fold.apply(fold.apply(view, compensating("running")), left)
    assert shown_status(lost.step("book")) == "completed"


def test_a_description_says_which_steps_can_be_taken_back():
    """The mark in the graph comes from the definition."""
    graph = graph_spec({"steps": [{"name": "a", "compensated": True}, {"name": "b"}], "edges": []})
    assert [node.compensates for node in graph.nodes] == [True, False]


def test_a_paused_run_stands_before_the_step_that_it_goes_on_with():
    """The first step whose predecessors are done; nothing while the run is not paused."""
    names = ("a", "b", "c")
    graph = GraphSpec(nodes=tuple(NodeSpec(name=name) for name in names), edges=(("a", "b"), ("b", "c")))
    steps = tuple(
        StepView(name=name, index=index, status="pending" if index else "completed")
        for index, name in enumerate(names)
    )
    view = RunView(id="r", workflow="w", status="paused", graph=graph, steps=steps)
    assert paused_before(view) == {"b"}
    assert paused_before(None) == frozenset()
