"""Debugging with the keyboard: breakpoints, single steps, edited data, retry on save."""

from copy import copy
from pathlib import Path
from typing import Any

from fake_desk import NOW, FakeDesk, completed, described, module, started, step_events
from test_app import Opened, said, screen_of, until
from textual.widgets import Input, TextArea

from flux_engine.execution import RepeatedCommit, RetryPlan
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.address import StoreAddress
from flux_tui.model.breakpoints import Breakpoints
from flux_tui.news import Change
from flux_tui.screens.edit_stop import EditStopScreen
from flux_tui.screens.retry import RetryScreen
from flux_tui.screens.trigger import TriggerScreen
from flux_tui.widgets.footer import placed

CLAIM = described("claim", "photos", "ask", "pay", commit="pay")


def paused(desk: FakeDesk, *before: str) -> None:
    """Have a run that stopped after its first step."""
    desk.load(module("claim.py", CLAIM))
    start = started("aaa", CLAIM)
    pause = TraceEvent(
        type=EventType.WORKFLOW_PAUSE,
        timestamp=NOW * 1000,
        workflow_id="aaa",
        workflow_name="claim",
        meta={"before": list(before)},
    )
    desk.trace(start, *step_events(start, ["photos"]), pause)


def failed(desk: FakeDesk) -> None:
    """Have a run that failed in its second step."""
    desk.load(module("claim.py", CLAIM))
    start = started("aaa", CLAIM)
    desk.trace(start, *step_events(start, ["photos", "ask"], fails="ask"))


def saved(desk: FakeDesk) -> None:
    """Have the workflow loaded anew."""
    desk.loads["claim"] += 1
    desk.tell(Change())


async def test_a_breakpoint_is_set_before_the_workflow_ever_ran() -> None:
    """It is drawn, counted, remembered and taken away with the same key."""
    async with Opened() as (desk, pilot):
        screen = screen_of(pilot)
        await pilot.press("4", "l", "b")
        assert desk.breakpoints.listed() == {"parcel": ["pack"]}
        assert screen.graph.breakpoints == {"pack"}
        assert "● 1 breakpoint" in str(screen.graph_pane.border_subtitle)
        assert desk.remembered.get("breakpoints", dict[str, list[str]]) == {"parcel": ["pack"]}
        await pilot.press("b")
        assert desk.breakpoints.count == 0
        assert "breakpoint" not in str(screen.graph_pane.border_subtitle)
        await pilot.press("b")
        screen.action_do("clear-breakpoints")
        await pilot.pause()
        assert desk.breakpoints.count == 0
        assert "1 breakpoint taken away" in said(pilot)


async def test_a_stopped_run_says_where_and_what_to_press() -> None:
    """In the title, and first of all in the footer, however narrow it is."""
    async with Opened(size=(80, 24)) as (desk, pilot):
        paused(desk, "ask")
        screen = screen_of(pilot)
        screen.follow("aaa", "claim")
        await pilot.pause()
        assert "⏸ paused before ask" in screen.graph_pane.title.plain
        assert screen.selection.step == "ask"
        shown = [hint.key + " " + hint.label for _, hint in placed(screen.footer.hints, 78)]
        assert shown[:4] == ["n next step", "g go on", "r run", "e edit data"]


async def test_n_takes_a_step_and_g_goes_on() -> None:
    """From any part of the screen, with the keys that elsewhere have another meaning."""
    async with Opened() as (desk, pilot):
        paused(desk, "ask")
        screen_of(pilot).go_to_run("aaa")
        await pilot.press("2", "n", "g")
        await until(lambda: len(desk.asked) == 2, "both requests")
        assert desk.asked == [("resume", "aaa", None, True), ("resume", "aaa", None, False)]


async def test_g_and_n_keep_their_meaning_while_nothing_is_stopped() -> None:
    """G goes to the first row, and what is typed is typed."""
    async with Opened() as (desk, pilot):
        screen = screen_of(pilot)
        await pilot.press("j", "j", "g")
        assert screen.workflows.cursor == 0
        await pilot.press("n")
        await pilot.pause()
        assert "Next step is not possible now" in said(pilot)
        paused(desk, "ask")
        screen.go_to_run("aaa")
        await pilot.press("2", "slash", "g", "n")
        await pilot.pause()
        assert isinstance(screen.focused, Input)
        assert screen.focused.value == "gn"
        assert desk.asked == []


async def test_data_is_edited_at_the_stop() -> None:
    """ctrl+n runs the one step with it, ctrl+s goes on; a step further on cannot be edited yet."""
    async with Opened() as (desk, pilot):
        paused(desk, "ask")
        screen = screen_of(pilot)
        screen.follow("aaa", "claim")
        for key in ("ctrl+n", "ctrl+s"):
            await pilot.press("e")
            await until(lambda: isinstance(pilot.app.screen, EditStopScreen), "the dialog")
            await pilot.pause()
            text = pilot.app.screen.query_one("#json", TextArea)
            assert '"photos": 0' in text.text
            text.text = '{"photos": 5}'
            await pilot.press(key)
            await until(lambda: pilot.app.screen is screen, "the end of the dialog")
        await until(lambda: len(desk.asked) == 2, "both requests")
        assert desk.asked == [("resume", "aaa", {"photos": 5}, True), ("resume", "aaa", {"photos": 5}, False)]
        await pilot.press("4", "l", "e")
        await pilot.pause()
        assert "the run has not come to step 'pay': select 'ask'" in said(pilot)


async def test_of_several_steps_the_selected_one_is_edited() -> None:
    """The run goes on with the others as they are."""
    async with Opened() as (desk, pilot):
        paused(desk, "ask", "pay")
        screen = screen_of(pilot)
        screen.follow("aaa", "claim")
        assert "paused before ask, pay" in screen.graph_pane.title.plain
        await pilot.press("4", "l", "e")
        await until(lambda: isinstance(pilot.app.screen, EditStopScreen), "the dialog")
        await pilot.pause()
        pilot.app.screen.query_one("#json", TextArea).text = '{"photos": 5}'
        await pilot.press("ctrl+s")
        await until(lambda: desk.asked, "the request")
        assert desk.asked == [("retry", "aaa", "pay", "downstream", {"photos": 5})]


async def test_each_save_retries_the_failed_step_until_the_run_completes() -> None:
    """Once a load; then it says so and ends."""
    async with Opened() as (desk, pilot):
        failed(desk)
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.press("w")
        assert "↻ retry on save: ask, waits for a save" in screen.header.render().plain
        desk.tell(Change())
        await pilot.pause()
        assert desk.asked == []
        for count in (1, 2):
            saved(desk)
            await until(lambda count=count: len(desk.asked) == count, "the retry")
            await until(lambda: not screen.saves._busy, "the end of the request")
        assert set(desk.asked) == {("retry", "aaa", "ask", "downstream", None)}
        desk.trace(completed(started("aaa", CLAIM)))
        await until(lambda: screen.saves.run_id is None, "the end")
        await pilot.pause()
        assert "Retry on save has ended claim is completed" in said(pilot)
        assert "↻" not in screen.header.render().plain


async def test_w_ends_what_w_began() -> None:
    """What is saved then is not tried."""
    async with Opened() as (desk, pilot):
        failed(desk)
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.press("w")
        label = {hint.action: hint.label for hint in screen.footer.hints}["retry-on-save"]
        assert label == "end retry on save"
        await pilot.press("w")
        saved(desk)
        await pilot.pause()
        assert (screen.saves.run_id, desk.asked) == (None, [])


async def test_a_commit_is_not_repeated_unasked() -> None:
    """The question waits until no other dialog is open; no is for this load only."""
    async with Opened() as (desk, pilot):
        failed(desk)
        desk.plan = RetryPlan(
            run_id="aaa",
            step="ask",
            scope="downstream",
            runs_again=("ask", "pay"),
            kept=("photos",),
            repeated_commits=(RepeatedCommit(step="pay", idempotency_key="aaa:pay"),),
        )
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.press("w", "r")
        await until(lambda: isinstance(pilot.app.screen, TriggerScreen), "the form")
        saved(desk)
        await until(lambda: "your answer" in screen.header.render().plain, "that it waits")
        assert isinstance(pilot.app.screen, TriggerScreen)
        await pilot.press("escape")
        await until(lambda: isinstance(pilot.app.screen, RetryScreen), "the question")
        await pilot.press("escape")
        await until(lambda: "waits for a save" in screen.header.render().plain, "the next save")
        assert desk.asked == []
        saved(desk)
        await until(lambda: isinstance(pilot.app.screen, RetryScreen), "the question again")
        await pilot.press("enter")
        await until(lambda: desk.asked, "the retry")


async def test_a_retry_on_save_moves_no_other_selection() -> None:
    """Who looks at another run goes on looking at it."""
    async with Opened() as (desk, pilot):
        failed(desk)
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.press("w")
        other = started("bbb", CLAIM)
        desk.trace(other, *step_events(other, ["photos"]))
        screen.go_to_run("bbb")
        saved(desk)
        await until(lambda: desk.asked, "the retry")
        await until(lambda: not screen.saves._busy, "the end of the request")
        assert (screen.selection.run, screen.selection.followed) == ("bbb", None)


def test_breakpoints_are_there_again_after_a_restart(tmp_path: Path) -> None:
    """They are the project's; a dashboard that only reads uses and keeps them as they are."""
    here: dict[str, Any] = {"settings": {"db": StoreAddress(file=tmp_path / "flux.db")}}
    FakeDesk(**copy(here)).stop_before(Breakpoints().toggled("claim", "pay"))
    assert FakeDesk(**copy(here), read_only=True).breakpoints.listed() == {"claim": ["pay"]}
    FakeDesk(**copy(here), read_only=True).stop_before(Breakpoints())
    assert FakeDesk(**copy(here)).breakpoints.listed() == {"claim": ["pay"]}
