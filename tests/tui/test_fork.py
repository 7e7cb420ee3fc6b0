"""Forking a run, acting on many, recovering all: what is asked, what is requested."""

from collections.abc import Sequence
from typing import Any

import pytest
from fake_desk import FakeDesk, completed, described, module, started, step_events
from test_app import Opened, said, screen_of, until
from textual.widgets import TextArea

from flux_engine.execution import RepeatedCommit, RetryPlan
from flux_engine.storage.base import RunQuery
from flux_engine.trace.events import TraceEvent
from flux_tui.model.run import RunRowView
from flux_tui.recovering import interrupted, tell_interrupted
from flux_tui.screens.bulk import BulkScreen
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.fork import ForkScreen

SHOP = described("shop", "price", "charge", "thank", commit="charge")


def ended(desk: FakeDesk, run_id: str, *, fails: str = "", ago: float = 10.0) -> TraceEvent:
    """Have a run that has ended."""
    start = started(run_id, SHOP, ago=ago)
    events = step_events(start, ["price", "charge", "thank"], fails=fails)
    desk.trace(start, *events, *(() if fails else (completed(start),)))
    return start


async def test_a_fork_begins_with_the_data_of_its_step() -> None:
    """The dialog names the commits that are done again; what was typed goes over the data."""
    async with Opened() as (desk, pilot):
        desk.load(module("shop.py", SHOP))
        ended(desk, "aaa")
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.press("4", "left")
        await until(lambda: screen.selection.step == "charge", "the step")
        await pilot.press("F")
        await until(lambda: isinstance(pilot.app.screen, ForkScreen), "the dialog")
        await pilot.pause()
        dialog = pilot.app.screen
        assert isinstance(dialog, ForkScreen)
        assert (dialog.runs, dialog.commits) == (("charge", "thank"), ("charge",))
        assert dialog.data == {"price": 0}
        dialog.query_one("#json", TextArea).text = '{"price": 5}'
        await pilot.press("ctrl+s")
        await until(lambda: desk.asked, "the fork")
        assert desk.asked == [("fork", "aaa", "charge", {"price": 5})]
        await until(lambda: screen.selection.followed == "run-new", "the new run to be followed")


async def test_a_fork_tells_where_it_comes_from_and_leads_there() -> None:
    """In its title, and from the palette."""
    async with Opened() as (desk, pilot):
        desk.load(module("shop.py", SHOP))
        ended(desk, "aaaaaaaa", ago=20.0)
        start = started("bbbbbbbb", SHOP)
        meta = {"forkedFrom": "aaaaaaaa", "fromStep": "charge"}
        begun = TraceEvent(
            **{**{name: getattr(start, name) for name in start.__struct_fields__}, "meta": meta}
        )
        desk.open_runs.open("bbbbbbbb", [begun])
        desk.trace(begun)
        screen = screen_of(pilot)
        screen.go_to_run("bbbbbbbb")
        await until(lambda: "forked from aaaaaa at charge" in screen.graph_pane.title.plain, "the title")
        screen.action_do("go-origin")
        assert screen.selection.run == "aaaaaaaa"


async def test_marked_runs_are_retried_each_from_the_step_that_failed() -> None:
    """The question counts commits that would be repeated; what is refused stays marked and is listed."""
    async with Opened() as (desk, pilot):
        desk.load(module("shop.py", SHOP))
        ended(desk, "aaa", fails="price", ago=1.0)
        ended(desk, "bbb", fails="thank", ago=2.0)
        ended(desk, "ccc", ago=3.0)
        again = RepeatedCommit(step="charge", idempotency_key="bbb:charge")
        desk.plan = RetryPlan(
            run_id="", step="", scope="downstream", runs_again=(), kept=(), repeated_commits=(again,)
        )
        desk.refused["bbb"] = "somebody else has it"
        screen = screen_of(pilot)
        await pilot.press("2", "g", "ctrl+a")
        await until(lambda: len(screen.marks) == 3, "the marks")
        await pilot.press("t")
        await until(lambda: isinstance(pilot.app.screen, ConfirmScreen), "the question")
        question = pilot.app.screen
        assert isinstance(question, ConfirmScreen)
        assert "charge (2)" in question.detail
        assert "1 (completed, no step failed)" in question.detail
        await pilot.press("y")
        await until(
            lambda: isinstance(pilot.app.screen, BulkScreen) and pilot.app.screen.ended, "the failures"
        )
        assert desk.asked == [("retry", "aaa", "price", "downstream", None)]
        await pilot.press("enter")
        await until(lambda: pilot.app.screen is screen, "the end of the dialog")
        assert sorted(screen.marks) == ["bbb", "ccc"]
        await pilot.press("M")
        assert not screen.marks


class Left(FakeDesk):
    """A desk whose store has so many runs that are running, every other one interrupted."""

    count = 5

    async def stored(self, query: RunQuery) -> list[RunRowView]:
        rows = [
            RunRowView(
                id=str(number),
                workflow="shop",
                status="running" if number % 2 else "interrupted",
                started_at=number * 1000.0,
                updated_at=number * 1000.0,
            )
            for number in reversed(range(1, self.count + 1))
        ]
        before = query.before
        later: Sequence[RunRowView] = (
            rows if before is None else [row for row in rows if row.started_at / 1000 < before[0]]
        )
        return list(later[: query.limit])


async def test_all_interrupted_runs_are_found_and_told_of_once() -> None:
    """However many pages they are on. Nothing is done to them."""
    desk = Left()
    desk.count = 3000
    assert len(await interrupted(desk)) == 1500
    notices: list[Any] = []
    desk.listen(lambda change: notices.append(change.notice))
    await tell_interrupted(desk)
    desk.count = 1
    await tell_interrupted(desk)
    assert [notice.title for notice in notices] == ["1,500 runs were interrupted"]
    assert "U goes on with all of them" in notices[0].text
    assert desk.asked == []


@pytest.mark.parametrize("interrupted_runs", [0, 2])
async def test_recovering_asks_first_and_says_when_there_is_nothing(
    interrupted_runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts all of the store, not those in the list."""
    async with Opened() as (desk, pilot):
        desk.load(module("shop.py", SHOP))
        rows = [
            RunRowView(id=str(at), workflow="shop", status="interrupted", started_at=1.0, updated_at=1.0)
            for at in range(interrupted_runs)
        ]

        async def stored(_query: RunQuery) -> list[RunRowView]:
            return rows

        monkeypatch.setattr(desk, "stored", stored)
        await pilot.press("U")
        if not rows:
            await until(lambda: "No run is interrupted" in said(pilot), "the answer")
            return
        await until(lambda: isinstance(pilot.app.screen, ConfirmScreen), "the question")
        question = pilot.app.screen
        assert isinstance(question, ConfirmScreen)
        assert "2 interrupted shop: each from its first step that is not done" in question.detail
        await pilot.press("y")
        await until(lambda: len(desk.asked) == 2, "the runs to go on")
        assert sorted(each[1] for each in desk.asked) == ["0", "1"]
