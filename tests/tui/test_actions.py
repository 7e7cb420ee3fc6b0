"""Actions: one registry for keys, footer, help and palette."""

from collections import Counter

import pytest
from msgspec.structs import replace

from flux_tui import actions, key_help
from flux_tui.actions import ACTIONS
from flux_tui.flows.registry import FLOWS
from flux_tui.model.run import DefinitionView, GraphSpec, RunView, StepView
from flux_tui.needs import Situation

FLOW = DefinitionView(name="parcel", path="shop.py", variable="parcel", graph=GraphSpec())
FAILED = RunView(id="1", workflow="parcel", status="failed", steps=(StepView(name="pack", status="failed"),))
MASKED = replace(FAILED, graph=GraphSpec(masked=True))


def test_ids_and_keys_are_unique() -> None:
    """No action hides another one."""
    assert max(Counter(action.id for action in ACTIONS).values()) == 1
    assert max(Counter(key for action in ACTIONS for key in action.keys).values()) == 1


def test_every_action_is_done_by_something() -> None:
    """The registry and what is done agree."""
    assert {action.id for action in ACTIONS} == set(FLOWS)


def test_every_action_can_say_what_it_does() -> None:
    """Help and palette have a text for each."""
    assert all(action.title and action.description and action.group for action in ACTIONS)


def test_bindings_carry_the_ids_of_their_actions() -> None:
    """Keys are rebound by id."""
    bound = {binding.id: binding.key for binding in actions.bindings()}
    assert bound["run"] == "r"
    assert bound["help"] == "question_mark,f1"


@pytest.mark.parametrize(
    ("action", "now", "reason"),
    [
        ("run", Situation(trace_only=True, workflow=FLOW), "only a trace"),
        ("run", Situation(runner="starting", workflow=FLOW), "still starting"),
        ("run", Situation(runner="dead", workflow=FLOW), "dead"),
        ("run", Situation(store_problem="locked", workflow=FLOW), "store"),
        ("run", Situation(), "select a workflow"),
        ("run-again", Situation(workflow=FLOW), "press r"),
        ("retry", Situation(), "select a run"),
        ("retry", Situation(run=RunView(id="1", workflow="parcel", status="running")), "still running"),
        *(
            (action, Situation(run=MASKED, definition=FLOW), "--reveal")
            for action in ("retry", "replay", "fork")
        ),
        ("retry", Situation(run=FAILED), "no module loaded here defines 'parcel'"),
        ("retry", Situation(run=FAILED, definition=FLOW, step=StepView(name="ship")), "has not run yet"),
        ("resume", Situation(run=FAILED, definition=FLOW), "only an interrupted or paused run"),
        ("copy", Situation(copyable=False), "nothing to copy"),
    ],
)
def test_what_cannot_be_done_says_why(action: str, now: Situation, reason: str) -> None:
    """Every reason names what is in the way."""
    said = actions.find(action).needs(now)
    assert said is not None
    assert reason in said


def test_what_can_be_done_has_no_reason() -> None:
    """A failed step of a loaded workflow can be retried, and the workflow run."""
    now = Situation(run=FAILED, definition=FLOW, workflow=FLOW, step=FAILED.steps[0], repeatable=True)
    assert [actions.find(each).needs(now) for each in ("run", "run-again", "retry", "edit-retry")] == [
        None
    ] * 4


def test_read_only_takes_away_all_that_writes() -> None:
    """What is left only looks."""
    left = {action.id for action in actions.offered(read_only=True)}
    assert left.isdisjoint(
        {"run", "run-again", "retry", "retry-only", "edit-retry", "resume", "restart-runner"}
    )
    assert {"filter", "copy", "help", "quit"} <= left


def test_a_rebound_key_is_the_one_that_is_shown() -> None:
    """Footer and help follow the keymap."""
    retry = actions.find("retry")
    assert actions.keys_of(retry, {"retry": "ctrl+t, x"}) == ("ctrl+t", "x")
    assert actions.key_text("ctrl+t") == "^t"
    entries = key_help.entries(Situation(), {"retry": "x"}, read_only=False)
    assert next(entry.key for entry in entries if entry.label == retry.label) == "x"


def test_help_has_the_keys_of_each_pane() -> None:
    """Keys that only work in one place are found in the help too."""
    entries = key_help.entries(Situation(), {}, read_only=True)
    assert {"In the graph", "In every list", "In the data"} <= {entry.group for entry in entries}
