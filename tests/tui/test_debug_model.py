"""Breakpoints, stops, changed code and retry on save as pure decisions."""

import itertools
from typing import Any

import pytest
from fake_desk import NOW, described, module, started, step_events

from flux_engine.execution import Changes
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui import selection
from flux_tui.model.breakpoints import (
    Breakpoints,
    breakpoints_of,
    breakpoints_text,
    changed_text,
    code_changed,
    stops_of,
)
from flux_tui.model.definitions import Definitions
from flux_tui.model.fold import apply, newer
from flux_tui.model.run import NodeSpec, RunView, StepView
from flux_tui.model.saves import Turn, Watch, reloaded_workflows, turn, waits_for, watch_forms
from flux_tui.runner.messages import Problem
from flux_tui.selection import Selection, with_news
from flux_tui.widgets.header import Headline, header_content

CLAIM = described("claim", "photos", "ask", "pay")
MOMENTS = itertools.count(1)


def event(kind: EventType, **fields: Any) -> TraceEvent:
    """Return the next event of the run ``aaa``."""
    at = NOW * 1000 + next(MOMENTS)
    return TraceEvent(type=kind, timestamp=at, workflow_id="aaa", workflow_name="claim", **fields)


def folded(*events: TraceEvent) -> RunView:
    """Return the run that these events make."""
    view = None
    for each in events:
        view = apply(view, each)
    assert view is not None
    return view


def printed(workflow: dict[str, Any], **prints: str) -> dict[str, Any]:
    """Return a description with fingerprints."""
    return workflow | {
        "steps": [step | {"fingerprint": prints.get(step["name"], "x")} for step in workflow["steps"]]
    }


def loaded(*modules: Any, before: Definitions | None = None) -> Definitions:
    """Return definitions after a load."""
    return (before or Definitions()).loaded(list(modules))


# Breakpoints


def test_breakpoints_are_toggled_and_remembered() -> None:
    """What cannot be read is as if it had never been set."""
    stops = Breakpoints().toggled("claim", "pay").toggled("claim", "ask").toggled("other", "x")
    assert (stops.of("claim"), stops.of("none"), stops.count) == ({"pay", "ask"}, frozenset(), 3)
    assert breakpoints_of(stops.listed()) == stops
    assert stops.toggled("other", "x").listed() == {"claim": ["ask", "pay"]}
    assert breakpoints_of(None) == breakpoints_of({"claim": []}) == Breakpoints()


def test_breakpoints_on_steps_that_are_gone_are_told_apart() -> None:
    """They do no harm, and count again when the step is back."""
    definition = loaded(module("claim.py", CLAIM)).find("claim")
    assert breakpoints_text(frozenset(), definition) == ""
    assert breakpoints_text(frozenset({"pay", "ask"}), definition) == "● 2 breakpoints"
    text = breakpoints_text(frozenset({"pay", "old"}), definition, plain=True)
    assert text == "* 1 breakpoint · o on steps that are gone: old"


# Where a run stopped


def paused_run(**meta: Any) -> RunView:
    """Return a run that was paused after its first step."""
    start = started("aaa", CLAIM)
    pause = event(EventType.WORKFLOW_PAUSE, status="paused", meta=meta or None)
    return folded(start, *step_events(start, ["photos"]), pause)


def test_a_run_stands_before_the_steps_of_its_breakpoints() -> None:
    """One that was paused by hand stands before its next step; one that goes on before none."""
    assert stops_of(paused_run(before=["pay", "ask"])) == ("ask", "pay")
    assert stops_of(paused_run()) == ("ask",)
    view = apply(paused_run(before=["ask"]), event(EventType.WORKFLOW_START, meta={"resume": True}))
    assert stops_of(view) == ()
    assert stops_of(None) == ()


def test_the_store_does_not_hide_which_breakpoints_it_was() -> None:
    """Only the trace knows them."""
    traced = paused_run(before=["pay"])
    stored = RunView(
        id="aaa", workflow="claim", status="paused", steps=traced.steps, updated_at=traced.updated_at * 2
    )
    chosen = newer(traced, stored)
    assert chosen is not None
    assert (chosen.updated_at, stops_of(chosen)) == (stored.updated_at, ("pay",))


def test_the_selection_goes_to_the_stop_of_a_run_that_is_followed() -> None:
    """And stays where it is otherwise."""
    view = paused_run(before=["ask"])
    followed = Selection(workflow="claim", run="aaa", step="photos", followed="aaa")
    assert with_news(followed, view).step == "ask"
    assert with_news(selection.at_step(followed, "photos"), view).step == "photos"


def test_data_edited_at_the_stop_is_what_the_step_is_shown_to_find() -> None:
    """The trace tells the edit with the start."""
    edit = {"set": {"amount": 3}, "deleted": []}
    meta = {"resume": True, "fromStep": "ask", "edit": edit}
    view = apply(paused_run(before=["ask"]), event(EventType.WORKFLOW_START, meta=meta))
    assert view is not None
    assert view.step("ask").edit == Changes(set={"amount": 3})
    assert view.data_before("ask") == {"photos": 0, "amount": 3}


# Code that has changed since


def test_a_step_has_the_code_of_its_latest_pass() -> None:
    """A retry runs the new code; what is kept has the old one, and is what has changed since."""
    old, new = printed(CLAIM, photos="1", ask="1"), printed(CLAIM, photos="2", ask="2")
    start = started("aaa", old)
    view = folded(start, *step_events(start, ["photos", "ask"], fails="ask"))
    definition = loaded(module("claim.py", new)).find("claim")
    assert changed_text(view, definition) == "~ code changed since: photos, ask"
    retry = {"retry": True, "fromStep": "ask", "scope": "downstream", "runsAgain": ["ask", "pay"]}
    graph = {"steps": new["steps"], "edges": new["edges"]}
    again = apply(view, event(EventType.WORKFLOW_START, meta=retry, graph=graph))
    assert changed_text(again, definition) == "~ code changed since: photos"
    assert changed_text(again, None) == changed_text(None, definition) == ""


def test_code_that_is_not_known_has_not_changed() -> None:
    """A trace without fingerprints says nothing about the code."""
    assert not code_changed(StepView(name="a"), NodeSpec(name="a", fingerprint="1"))
    assert not code_changed(StepView(name="a", fingerprint="1"), NodeSpec(name="a"))
    assert not code_changed(StepView(name="a", fingerprint="1"), None)


# Retry on save

WATCH = Watch(run_id="aaa", workflow="claim", seen=3)


def run(status: str) -> RunView:
    """Return a run of this status, at its second step."""
    step = StepView(name="ask", status=status if status in ("failed", "running") else "pending")
    return RunView(id="aaa", workflow="claim", status=status, steps=(StepView(name="photos"), step))


@pytest.mark.parametrize(
    ("status", "loads", "sent", "expected"),
    [
        ("failed", 3, 0, Turn.WAIT),  # nothing was saved since
        ("failed", 4, 3, Turn.RETRY),
        ("failed", 9, 3, Turn.RETRY),  # of several saves, the latest
        ("interrupted", 4, 0, Turn.RETRY),
        ("failed", 4, 4, Turn.WAIT),  # tried with this code already, by hand for instance
        ("running", 4, 3, Turn.WAIT),
        ("paused", 4, 3, Turn.WAIT),
        ("suspended", 4, 3, Turn.WAIT),
        ("completed", 4, 3, Turn.END),
        ("cancelled", 3, 3, Turn.END),
    ],
)
def test_each_load_is_tried_once(status: str, loads: int, sent: int, expected: Turn) -> None:
    """One that comes while the run moves is tried when the run has failed."""
    assert turn(WATCH, run(status), loaded=loads, sent=sent) is expected


def test_a_run_that_is_gone_is_no_longer_watched() -> None:
    """One that is only being read is."""
    assert turn(WATCH, None, loaded=4, sent=0, gone=True) is Turn.END
    assert turn(WATCH, None, loaded=4, sent=0) is Turn.WAIT


def test_a_load_concerns_the_workflows_whose_code_was_saved() -> None:
    """A file that is no module may be imported by any; a module that does not load concerns nobody."""
    other = described("other", "x")
    before = loaded(module("claim.py", CLAIM), module("other.py", other))

    def concerned(after: Definitions, *saved: str) -> list[str]:
        return [flow.name for flow in reloaded_workflows(before, after, saved)]

    same = loaded(module("claim.py", CLAIM), module("other.py", other), before=before)
    assert concerned(same, "/shop/claim.py") == ["claim"]
    assert concerned(same, "/shop/prices.py") == ["claim", "other"]
    assert concerned(same) == []
    imports_it = loaded(module("claim.py", CLAIM), module("other.py", printed(other)), before=before)
    assert concerned(imports_it, "/shop/claim.py") == ["claim", "other"]
    problem = Problem(kind="SyntaxError", message="no")
    broken = loaded(module("claim.py", problem=problem), module("other.py", other), before=before)
    assert concerned(broken, "/shop/claim.py") == []
    mended = reloaded_workflows(broken, same, ["/shop/claim.py"])
    assert [flow.name for flow in mended] == ["claim"]


def test_the_header_says_what_is_watched_and_what_it_waits_for() -> None:
    """In as many words as there is room for."""
    definitions = loaded(module("claim.py", CLAIM))
    definition = definitions.find("claim")
    assert watch_forms(run("failed"), definition)[:2] == (
        "↻ retry on save: ask, waits for a save",
        "↻ retry on save: ask",
    )
    assert watch_forms(run("failed"), definition, asking=True)[0].endswith("ask, waits for your answer")
    assert waits_for(run("running"), definition) == "the run moves"
    assert waits_for(run("paused"), definition) == "the run is paused"
    problem = Problem(kind="SyntaxError", message="no")
    stale = loaded(module("claim.py", problem=problem), before=definitions).find("claim")
    assert waits_for(run("failed"), stale) == waits_for(run("failed"), None) == "waits for code that loads"
    headline = Headline(
        project="~/shop", store=".flux/flux.db", failed=1, watch=watch_forms(run("failed"), definition)
    )
    wide, narrow = header_content(headline, 120).plain, header_content(headline, 60).plain
    assert "ask, waits for a save   1 failed" in wide
    assert "↻ retry on save" in narrow
    assert len(narrow) <= 60
