"""Runs that are deleted: here, with a way back, and by others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_desk import FakeDesk, completed, described, module, started, step_events
from test_app import Opened, said, screen_of, until

from flux_engine import FluxEngine, JsonFileTraceSink, SQLiteStorage, create_workflow
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui import deletions
from flux_tui.address import StoreAddress
from flux_tui.deletions import AT_ONCE, Deletions
from flux_tui.desk import Desk
from flux_tui.feed.sweep import SWEPT_AT_ONCE, Sweep, missing
from flux_tui.feed.trace import TraceFeed
from flux_tui.model.run import RunRowView
from flux_tui.model.runs import RunsModel
from flux_tui.news import Notice
from flux_tui.runner.messages import Deleted
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.settings import Settings

PARCEL = described("parcel", "pick", "pack")


def row(number: int, status: str = "completed") -> RunRowView:
    """Return a row; higher numbers are newer."""
    at = number * 1000.0
    return RunRowView(id=str(number), workflow="parcel", status=status, started_at=at, updated_at=at)


class Shop:
    """A list of runs, deletions from it, and what was asked of a store that refuses what it is told to."""

    def __init__(self, count: int) -> None:
        self.runs = RunsModel()
        self.runs.merge_store([row(number) for number in range(count)])
        self.asked: list[Sequence[str]] = []
        self.refused: dict[str, str] = {}
        self.notices: list[Notice] = []
        self.deletions = Deletions(self.runs, self.delete, self.forget, lambda _: None, self.notices.append)

    async def delete(self, run_ids: Sequence[str]) -> Deleted:
        self.asked.append(run_ids)
        gone = [run_id for run_id in run_ids if run_id not in self.refused]
        return Deleted(request=1, deleted=gone, refused=self.refused)

    def forget(self, run_ids: Any) -> None:
        for run_id in run_ids:
            self.runs.remove(run_id)

    @property
    def shown(self) -> list[str]:
        return [each.id for each in self.runs.rows(0, len(self.runs))]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry deletions out without a window to undo them."""
    monkeypatch.setattr(deletions, "UNDO_SECONDS", 0.0)


async def test_a_deleted_run_is_hidden_at_once_and_comes_back_when_undone() -> None:
    """Nothing has happened to it; the deletion before is the next to be undone."""
    shop = Shop(4)
    shop.deletions.put_off(["3"])
    shop.deletions.put_off(["1", "0"])
    assert shop.shown == ["2"]
    assert shop.deletions.undo() == ("1", "0")
    assert shop.shown == ["2", "1", "0"]
    assert shop.deletions.undo() == ("3",)
    assert shop.deletions.undo() == ()
    assert shop.shown == ["3", "2", "1", "0"]
    assert shop.asked == []


async def test_closing_carries_out_what_waits() -> None:
    """Whoever has deleted something and leaves has deleted it."""
    shop = Shop(3)
    shop.deletions.put_off(["2"])
    shop.deletions.put_off(["0"])
    await shop.deletions.carry_out_all()
    assert sorted(run_id for ids in shop.asked for run_id in ids) == ["0", "2"]
    assert shop.shown == ["1"]
    assert shop.deletions.last == ()


@pytest.mark.usefixtures("at_once")
async def test_many_runs_are_deleted_with_few_requests() -> None:
    """And what the store refuses is shown again, with the reasons, each once."""
    shop = Shop(1000)
    shop.refused = {"5": "in the hands of process 7", "6": "in the hands of process 7"}
    shop.deletions.put_off([str(number) for number in range(1000)])
    assert shop.shown == []
    await until(lambda: shop.notices, "the end")
    assert shop.shown == ["6", "5"]
    assert len(shop.asked) == 1000 / AT_ONCE
    assert shop.notices[0].title == "2 runs were not deleted"
    assert shop.notices[0].text == "in the hands of process 7"


def test_what_is_not_in_a_page_of_the_store_was_deleted() -> None:
    """Only within the time that the page covers, and only runs that the store has told of."""
    runs = RunsModel()
    runs.merge_store([row(number) for number in range(10)])
    runs.merge_trace([row(11)])
    page = [row(9), row(7), row(6)]
    assert missing(runs, page, before=None, is_last=False) == ["8"]
    assert missing(runs, [row(4)], before=row(6), is_last=False) == ["5"]
    assert missing(runs, [row(4)], before=row(6), is_last=True) == ["0", "1", "2", "3", "5"]
    assert missing(runs, [], before=None, is_last=True) == [str(number) for number in range(10)]


class Pages:
    """A store with a page for each question."""

    problem: str | None = None
    exists = True

    def __init__(self, rows: list[RunRowView]) -> None:
        self.rows = rows

    async def page(self, _query: object, *, before: RunRowView | None, limit: int) -> list[RunRowView]:
        rows = [each for each in self.rows if before is None or each.started_at < before.started_at]
        return rows[:limit]


async def test_a_sweep_goes_through_all_that_is_known_a_page_at_a_time() -> None:
    """It finds what was deleted far down, and ends; a store that cannot be read says nothing."""
    count = SWEPT_AT_ONCE * 2 + 50
    runs = RunsModel()
    runs.merge_store([row(number) for number in range(count)])
    store: Any = Pages([row(number) for number in reversed(range(count)) if number not in (3, count - 5)])
    sweep = Sweep(runs)
    assert not sweep.is_due
    sweep.begin()
    gone: list[str] = []
    while sweep.is_due:
        gone += (await sweep.look(store))[1]
    assert gone == [str(count - 5), "3"]
    store.problem = "locked"
    sweep.begin()
    assert await sweep.look(store) == ([], [])
    assert not sweep.is_due


async def test_the_trace_tells_of_deleted_runs(tmp_path: Path) -> None:
    """They are not in the list after a restart; a run that was begun anew under the same id is."""
    flow = create_workflow("parcel").step("pick", lambda ctx: None)
    path = tmp_path / "trace.ndjson"
    async with FluxEngine(
        storage=SQLiteStorage(tmp_path / "flux.db"), trace=JsonFileTraceSink(path)
    ) as engine:
        for run_id in ("a", "b", "c"):
            await engine.execute(flow, run_id=run_id)
        await engine.delete("a")
        await engine.delete("b")
        await engine.execute(flow, run_id="b")
    feed = TraceFeed(path)
    news = await feed.poll()
    assert news.deleted == ["a", "b"]
    assert {each.id for each in news.rows} == {"b", "c"}
    assert await feed.events_of("a") == []
    assert (await feed.events_of("b"))[0].type == EventType.WORKFLOW_START
    feed.close()


async def test_a_run_that_another_process_deletes_leaves_the_list(tmp_path: Path) -> None:
    """Whether it says so in the trace or not."""
    flow = create_workflow("parcel").step("pick", lambda ctx: None)
    settings = Settings(
        project=tmp_path, db=StoreAddress(file=tmp_path / "flux.db"), trace=tmp_path / "trace.ndjson"
    )
    desk = Desk(settings, [], read_only=True)
    store = desk._store
    assert store is not None
    async with FluxEngine(storage=SQLiteStorage(settings.db.file)) as engine:  # without a trace
        for run_id in ("a", "b"):
            await engine.execute(flow, run_id=run_id)
        await desk._read_page(store)
        assert desk.counts["parcel"] == 2
        assert desk.latest("parcel") == "b"
        await engine.delete("b")
        await desk._read_page(store)
    assert desk.runs.get("b") is None
    assert desk.counts["parcel"] == 1
    assert desk.latest("parcel") == "a"
    await store.close()


def ended(desk: FakeDesk, *run_ids: str) -> None:
    """Have runs that have ended, the first one the newest."""
    desk.load(module("post.py", PARCEL))
    for ago, run_id in enumerate(run_ids, start=1):
        start = started(run_id, PARCEL, ago=ago * 10.0)
        desk.trace(start, *step_events(start, ["pick", "pack"]), completed(start))


async def test_deleting_the_selected_run_goes_to_the_next_one_and_back_with_undo() -> None:
    """The footer offers the way back as long as there is one."""
    async with Opened() as (desk, pilot):
        ended(desk, "aaa", "bbb", "ccc")
        screen = screen_of(pilot)
        await pilot.press("2")
        screen.go_to_run("bbb")
        await pilot.pause()
        await pilot.press("X")
        await until(lambda: desk.runs.index_of("bbb") is None, "the run to be hidden")
        await until(lambda: screen.selection.run == "ccc", "the next run")
        assert "ctrl+z" in said(pilot)
        await until(
            lambda: "undo-delete" in {hint.action for hint in screen.footer.hints}, "undo in the footer"
        )
        await pilot.press("ctrl+z")
        await until(lambda: screen.selection.run == "bbb", "the way back")
        assert desk.asked == []


async def test_marked_runs_are_deleted_after_one_question() -> None:
    """The question says which of them are left alone, and why."""
    async with Opened() as (desk, pilot):
        ended(desk, "aaa", "bbb", "ccc")
        desk.trace(started("ddd", PARCEL, ago=1.0))
        screen = screen_of(pilot)
        await pilot.press("2", "g", "ctrl+a")
        await until(lambda: len(screen.marks) == 4, "the marks")
        assert "4 marked" in str(screen.runs_pane.border_subtitle)
        await pilot.press("X")
        await until(lambda: isinstance(pilot.app.screen, ConfirmScreen), "the question")
        question = pilot.app.screen
        assert isinstance(question, ConfirmScreen)
        assert "3 completed parcel" in question.detail
        assert "1 (still running, cancel first)" in question.detail
        await pilot.press("y")
        await until(lambda: len(desk.runs) == 1, "the runs to be hidden")
        assert list(screen.marks) == ["ddd"]
        await desk.deletions.carry_out_all()
        assert {*desk.asked[0]} == {"delete", "aaa", "bbb", "ccc"}


async def test_a_run_that_was_deleted_elsewhere_is_left_with_a_word() -> None:
    """The selection goes to its neighbour; with none left, to the workflow."""
    async with Opened() as (desk, pilot):
        ended(desk, "aaa", "bbb")
        screen = screen_of(pilot)
        await pilot.press("2", "g")
        await until(lambda: screen.selection.run == "aaa", "the selection")
        common: dict[str, Any] = {"timestamp": 1.0, "workflow_name": "parcel"}
        desk.forget(["aaa"])
        await until(lambda: screen.selection.run == "bbb", "the neighbour")
        assert "no longer in the store" in said(pilot)
        desk.open_runs.take(TraceEvent(type=EventType.WORKFLOW_DELETE, workflow_id="bbb", **common))
        desk.forget(["bbb"])
        await until(lambda: screen.selection.run is None, "the workflow")
        assert screen.selection.workflow == "parcel"
