"""Reaching into runs from the dashboard: signal, cancel, pause."""

from typing import Any

import pytest
from fake_desk import NOW, FakeDesk, completed, described, module, started, step_events
from test_app import Opened, said, screen_of, until
from textual import events
from textual.widgets import OptionList, Static, TextArea

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import fold
from flux_tui.model.captions import caption, remark
from flux_tui.model.fold import apply
from flux_tui.model.run import NodeSpec, RunView, StepView, WaitView
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.signal import SignalScreen
from flux_tui.widgets.footer import placed

CLAIM = described("claim", "photos", "ask", "pay", commit="pay")


def suspended(start: TraceEvent, step: str, signal: str, *, index: int = 1) -> list[TraceEvent]:
    """Return the events of a step that suspends its run."""
    common: dict[str, Any] = {"workflow_id": start.workflow_id, "workflow_name": start.workflow_name}
    of_step = common | {"step_name": step, "step_index": index, "attempt": 1}
    at = start.timestamp + 1000
    meta = {"signal": signal, "until": (NOW + 3600) * 1000}
    return [
        TraceEvent(type=EventType.STEP_START, timestamp=at, **of_step),
        TraceEvent(type=EventType.STEP_SUSPEND, timestamp=at + 1, status="suspended", meta=meta, **of_step),
        TraceEvent(type=EventType.WORKFLOW_SUSPEND, timestamp=at + 2, status="suspended", **common),
    ]


def waiting_run(desk: FakeDesk) -> None:
    """Have a run that waits for its approval."""
    desk.load(module("claim.py", CLAIM))
    start = started("aaa", CLAIM)
    desk.trace(start, *step_events(start, ["photos"]), *suspended(start, "ask", "approval"))


def running_run(desk: FakeDesk) -> None:
    """Have a run in the middle of its second step."""
    desk.load(module("claim.py", CLAIM))
    start = started("aaa", CLAIM)
    desk.trace(start, *step_events(start, ["photos", "ask"])[:-1])


async def test_a_signal_is_sent_with_the_payload_that_was_typed() -> None:
    """The dialog names signal and step, and checks the payload as it is typed."""
    async with Opened() as (desk, pilot):
        waiting_run(desk)
        screen_of(pilot).go_to_run("aaa")
        await pilot.press("s")
        await until(lambda: isinstance(pilot.app.screen, SignalScreen), "the dialog")
        await pilot.pause()
        dialog = pilot.app.screen
        assert "approval  step ask waits for it until" in str(dialog.query_one("#which", Static).render())
        await pilot.press(*"{", "ctrl+s")
        assert "✖" in str(dialog.query_one("#state", Static).render())
        assert pilot.app.screen is dialog
        dialog.query_one("#json", TextArea).text = '{"ok": true}'
        await pilot.press("ctrl+s")
        await until(lambda: desk.asked, "the signal")
        assert desk.asked == [("signal", "aaa", "approval", {"ok": True})]


async def test_a_signal_for_a_workflow_that_has_changed_is_sent_when_the_user_says_so() -> None:
    """The question says what has changed, and nothing of arguments; the payload is not asked for again."""
    async with Opened() as (desk, pilot):
        waiting_run(desk)
        desk.changed.add("aaa")
        screen_of(pilot).go_to_run("aaa")
        await pilot.press("s")
        await until(lambda: isinstance(pilot.app.screen, SignalScreen), "the dialog")
        pilot.app.screen.query_one("#json", TextArea).text = "7"
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(pilot.app.screen, ConfirmScreen), "the question")
        await pilot.pause()
        told = " ".join(str(each.render()) for each in pilot.app.screen.query(Static))
        assert "added: check" in told
        assert "allow_changed" not in told
        assert desk.asked == []
        await pilot.press("y")
        await until(lambda: desk.asked, "the signal")
        assert desk.asked == [("signal", "aaa", "approval", 7)]


async def test_a_commit_in_doubt_is_answered_without_typing() -> None:
    """Each verdict is a choice of its own, beside other signals that are waited for."""
    async with Opened() as (desk, pilot):
        desk.load(module("claim.py", CLAIM))
        wait = StepView(name="ask", index=1, status="suspended", waits_for=WaitView(signal="approval"))
        doubt = StepView(
            name="pay", index=2, status="suspended", waits_for=WaitView(signal="pay", in_doubt=True)
        )
        desk.open_runs.put_stored(
            "aaa", RunView(id="aaa", workflow="claim", status="suspended", steps=(wait, doubt))
        )
        screen = screen_of(pilot)
        screen.follow("aaa", "claim")
        await pilot.press("s")
        await until(lambda: isinstance(pilot.app.screen, SignalScreen), "the dialog")
        await pilot.pause()
        choices = pilot.app.screen.query_one("#choices", OptionList)
        assert choices.option_count == 3
        assert "again  run it again" in str(choices.get_option_at_index(2).prompt)
        choices.highlighted = 2
        await pilot.press("enter")
        await until(lambda: desk.asked, "the verdict")
        assert desk.asked == [("signal", "aaa", "pay", "again")]


async def test_cancelling_asks_first() -> None:
    """No is the answer that the focus is on."""
    async with Opened() as (desk, pilot):
        waiting_run(desk)
        screen_of(pilot).go_to_run("aaa")
        await pilot.press("c")
        await until(lambda: isinstance(pilot.app.screen, ConfirmScreen), "the question")
        await pilot.press("enter")
        assert not desk.asked
        await until(lambda: pilot.app.screen is screen_of(pilot), "the end of the question")
        await pilot.press("c")
        await until(lambda: isinstance(pilot.app.screen, ConfirmScreen), "the question")
        await pilot.press("y")
        await until(lambda: desk.asked, "the request")
        assert desk.asked == [("cancel", "aaa")]


async def test_a_key_acts_on_the_run_that_the_cursor_went_to() -> None:
    """Who types fast is not a message behind: the run above is never meant."""
    async with Opened() as (desk, pilot):
        running_run(desk)
        screen = screen_of(pilot)
        other = started("zzz", described("parcel", "pick", "pack"), ago=50.0)
        desk.trace(other)
        await pilot.press("2")
        screen.go_to_run("aaa")
        screen.show()
        await pilot.pause()
        screen.runs.move_to(screen.runs.cursor + 1)
        screen.action_do("pause")
        await until(lambda: desk.asked, "the request")
        assert desk.asked == [("pause", "zzz")]


async def test_a_key_typed_right_behind_that_of_a_pane_is_for_that_pane() -> None:
    """Also when both come in one go."""
    async with Opened() as (desk, pilot):
        for number, run in enumerate(("aaa", "bbb", "ccc")):
            desk.trace(started(run, described("parcel", "pick", "pack"), ago=float(number)))
        screen = screen_of(pilot)
        await pilot.press("2", "home", "1")
        await pilot.pause()
        before = screen.workflows.cursor_key
        for key in ("2", "j", "3", "2", "j"):
            pilot.app.post_message(events.Key(key, key))
        await until(lambda: screen.runs.cursor == 2, "both moves in the list of runs")
        assert screen.workflows.cursor_key == before


@pytest.mark.parametrize("key", ["j", "k", "enter"])
async def test_who_comes_back_to_the_only_workflow_goes_to_it(key: str) -> None:
    """From a run of one that is not here: by a move that leads nowhere else, and by enter."""
    async with Opened() as (desk, pilot):
        desk.load(module("parcel.py", described("parcel", "pick", "pack")))
        desk.trace(started("far", described("elsewhere", "load"), ago=1.0))
        screen = screen_of(pilot)
        screen.workflows.move_to(1)
        await pilot.press("2", "g")
        await until(lambda: screen.selection.run == "far", "the run of another host")
        await pilot.press("1", key)
        await until(lambda: screen.selection.workflow == "parcel", "the workflow")


async def test_a_running_run_is_paused_and_a_paused_one_resumed() -> None:
    """Each key says why it does nothing where it does not apply."""
    async with Opened() as (desk, pilot):
        running_run(desk)
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.press("s")
        await pilot.pause()
        assert "the run is running and waits for no signal" in said(pilot)
        await pilot.press("p")
        await until(lambda: desk.asked, "the request")
        assert desk.asked == [("pause", "aaa")]
        desk.trace(
            TraceEvent(
                type=EventType.WORKFLOW_PAUSE, timestamp=NOW * 1000, workflow_id="aaa", workflow_name="claim"
            )
        )
        await pilot.pause()
        reasons = {hint.action: hint.reason for hint in screen.footer.hints}
        assert reasons["resume"] is None
        assert reasons["cancel"] is None
        await pilot.press("p")
        await pilot.pause()
        assert "only a running run is paused" in said(pilot)


async def test_an_ended_run_cannot_be_cancelled() -> None:
    """And says how it ended."""
    async with Opened() as (desk, pilot):
        desk.load(module("claim.py", CLAIM))
        start = started("aaa", CLAIM)
        desk.trace(start, *step_events(start, ["photos", "ask", "pay"]), completed(start))
        screen_of(pilot).go_to_run("aaa")
        await pilot.press("c")
        await pilot.pause()
        assert "the run has ended: it is completed" in said(pilot)


async def test_title_and_graph_say_what_is_waited_for() -> None:
    """The title has the end of the wait too, the box as much as fits."""
    async with Opened() as (desk, pilot):
        waiting_run(desk)
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        screen.show()
        assert "suspended, waits for approval until" in screen.graph_pane.title.plain
        step = desk.view("aaa").step("ask")
        assert caption(step, NodeSpec(name="ask"), 30, 0.0) == "waits for approval"
        assert caption(step, NodeSpec(name="ask"), 8, 0.0) == "approval"
        assert remark(step).startswith("waits for approval until")


def test_a_signal_ends_the_wait_of_its_own_step_only() -> None:
    """A run that goes on keeps its other waits."""
    start = started("aaa", CLAIM)
    view = None
    for event in (start, *suspended(start, "photos", "x", index=0), *suspended(start, "ask", "approval")):
        view = apply(view, event)
    assert view is not None
    assert [step.name for step in view.waits] == ["photos", "ask"]
    common: dict[str, Any] = {"timestamp": NOW * 1000, "workflow_id": "aaa", "workflow_name": "claim"}
    resume = {"resume": True, "fromStep": "ask", "signal": "approval"}
    view = apply(view, TraceEvent(type=EventType.WORKFLOW_START, meta=resume, **common))
    received = {"step_name": "ask", "step_index": 1, "input": {"ok": 1}, "meta": {"signal": "approval"}}
    view = apply(view, TraceEvent(type=EventType.SIGNAL_RECEIVED, **received, **common))
    assert view is not None
    assert [step.name for step in view.waits] == ["photos"]
    view = apply(view, TraceEvent(type=EventType.WORKFLOW_CANCEL, status="cancelled", **common))
    assert view is not None
    assert [step.status for step in view.steps] == ["cancelled", "completed", "pending"]
    assert view.waits == ()


def test_the_store_tells_of_held_commits() -> None:
    """The trace has no word of a commit that is held: of a suspended run the store tells more."""
    traced = RunView(id="1", workflow="claim", status="suspended", started_at=1.0, updated_at=100.0)
    doubt = StepView(name="pay", status="suspended", waits_for=WaitView(signal="pay", in_doubt=True))
    stored = RunView(id="1", workflow="claim", status="suspended", updated_at=100.0, steps=(doubt,))
    assert fold.newer(traced, stored) is stored


async def test_a_narrow_footer_has_the_keys_that_apply() -> None:
    """Where not all hints fit, those that do nothing now give way first; the order stays."""
    async with Opened(size=(80, 24)) as (desk, pilot):
        waiting_run(desk)
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.pause()
        shown = [hint.action for _, hint in placed(screen.footer.hints, 78)]
        assert "signal" in shown
        assert "resume" not in shown
        assert shown == [hint.action for hint in screen.footer.hints if hint.action in shown]
