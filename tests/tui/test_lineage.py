"""Where a run comes from, and what a fork begins with."""

from typing import Any

from flux_engine.execution import Changes
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model.lineage import from_here_on, origin_of, unfinished_before, with_copied
from flux_tui.model.run import GraphSpec, NodeSpec, RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.open_runs import MOST, OpenRuns

NAMES = ("a", "left", "right", "join", "aside")
GRAPH = GraphSpec(
    nodes=tuple(NodeSpec(name=name, index=at) for at, name in enumerate(NAMES)),
    edges=(("a", "left"), ("a", "right"), ("left", "join"), ("right", "join"), ("a", "aside")),
)


def run_of(**statuses: str) -> RunView:
    """Return a run whose steps have these statuses, the others being pending."""
    steps = tuple(
        StepView(name=name, index=at, status=statuses.get(name, "pending")) for at, name in enumerate(NAMES)
    )
    return RunView(id="new", workflow="shop", graph=GRAPH, steps=steps)


def test_a_fork_knows_its_origin_from_its_first_event() -> None:
    """A run that was only retried has none."""
    start: dict[str, Any] = {"type": EventType.WORKFLOW_START, "timestamp": 1.0, "workflow_id": "new"}
    forked = TraceEvent(**start, meta={"forkedFrom": "old", "fromStep": "join"})
    found = origin_of([forked, TraceEvent(**start, meta={"retry": True, "fromStep": "a"})])
    assert found is not None
    assert (found.run, found.step) == ("old", "join")
    assert origin_of([TraceEvent(**start, meta={"retry": True, "fromStep": "a"}), forked]) is None
    assert origin_of([]) is None


def test_a_fork_runs_its_step_and_what_depends_on_it() -> None:
    """A branch beside it is not run again."""
    assert from_here_on(GRAPH, "left") == ("left", "join")
    assert from_here_on(GRAPH, "a") == NAMES


def test_a_fork_needs_the_results_of_the_steps_before_it() -> None:
    """A branch beside them does not count."""
    run = run_of(a="completed", left="completed", right="failed")
    assert unfinished_before(run, "join") == "right"
    assert unfinished_before(run, "right") is None
    assert unfinished_before(run, "aside") is None


def test_copied_steps_of_a_fork_come_from_the_store() -> None:
    """Its trace has nothing of them. What it runs itself is told by the trace."""
    start = TraceEvent(
        type=EventType.WORKFLOW_START, timestamp=1.0, meta={"forkedFrom": "old", "fromStep": "left"}
    )
    traced = run_of(left="running")
    stored = run_of(a="completed", right="skipped", left="failed", join="completed")
    edited = tuple(
        StepView(name=step.name, index=step.index, status=step.status, edit=Changes(set={"x": 1}, deleted=()))
        if step.name == "left"
        else step
        for step in stored.steps
    )
    seen = with_copied(
        traced,
        RunView(id="new", workflow="shop", graph=GRAPH, steps=edited),
        origin_of([start]),
    )
    assert [step.status for step in seen.steps] == ["completed", "running", "skipped", "pending", "pending"]
    assert seen.data_before("left") == {"x": 1}
    assert with_copied(traced, stored, None) is traced


def test_the_run_that_is_looked_at_stays_open_however_many_others_begin() -> None:
    """As when a long trace is read while it is shown."""
    open_runs = OpenRuns(Secrets())

    def begin(run_id: str) -> None:
        graph = {"steps": [{"name": "a"}], "edges": []}
        event = TraceEvent(
            type=EventType.WORKFLOW_START,
            timestamp=1.0,
            workflow_id=run_id,
            workflow_name="shop",
            graph=graph,
        )
        open_runs.take(event)

    begin("looked at")
    open_runs.kept = "looked at"
    for number in range(MOST + 5):
        begin(str(number))
    assert open_runs.view("looked at") is not None
    assert open_runs.view("0") is None
