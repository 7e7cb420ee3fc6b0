"""Finding in the dashboard: filter of the runs, next failure, palette, and ``/`` by what has the focus."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_desk import NOW, FakeDesk, completed, described, module, started, step_events
from textual import events
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery, RunRecord
from flux_engine.storage.sqlite import SQLiteStorage
from flux_tui.app import FluxApp
from flux_tui.feed.store import StoreFeed
from flux_tui.model.filter import compile_filter
from flux_tui.model.run import RunRowView
from flux_tui.model.runs import RunsModel
from flux_tui.paging import Failures, Paging, beginning_with
from flux_tui.screens.main import MainScreen
from flux_tui.widgets.filter_line import FilterLine

PARCEL = described("parcel", "pick", "pack", "ship")
LETTER = described("letter", "write")


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[FakeDesk, Pilot[int], MainScreen]]:
    """Open the dashboard on six runs, of which the second and the fourth failed, newest first."""
    desk = FakeDesk()
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        desk.load(module("parcel.py", PARCEL), module("post.py", LETTER))
        for number in range(6):
            flow = LETTER if number == 5 else PARCEL
            start = started(f"{number}abc-{number}", flow, ago=10.0 * (number + 1))
            steps = [step["name"] for step in flow["steps"]]
            fails = "pack" if number in (1, 3) else ""
            events = step_events(start, steps, fails=fails)
            desk.trace(start, *events, *(() if fails else (completed(start),)))
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        yield desk, pilot, screen


async def until(condition: Callable[[], bool], pilot: Pilot[int]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await pilot.pause()


def notices(pilot: Pilot[int]) -> list[str]:
    return [notice.message for notice in pilot.app._notifications]


async def test_f_goes_from_failure_to_failure() -> None:
    """To the failed step of the run, then down the list, then from its top again; that is told."""
    async with opened() as (desk, pilot, screen):
        await pilot.press("2", "g", "D", "f")
        await until(lambda: screen.selection.run == "1abc-1", pilot)
        assert (screen.selection.step, screen.selection.tab) == ("pack", "error")
        assert screen.runs.cursor_key == "1abc-1"
        await pilot.press("4", "left", "f")
        assert (screen.selection.run, screen.selection.step) == ("1abc-1", "pack")
        await pilot.press("f")
        await until(lambda: screen.selection.run == "3abc-3", pilot)
        await pilot.press("f")
        await until(lambda: screen.selection.run == "1abc-1", pilot)
        assert notices(pilot)[-1] == "From the newest run again."
        desk.filter(compile_filter("letter"))
        await pilot.press("f")
        await until(lambda: "no other failed run that matches the filter" in notices(pilot)[-1], pilot)


async def test_the_filter_says_at_once_what_is_wrong_and_completes() -> None:
    """A term that makes no sense hides nothing; right takes what is suggested, up an earlier filter."""
    async with opened() as (desk, pilot, screen):
        await pilot.press("2", "slash", *"since:10x")
        line = screen.query_one(FilterLine)
        assert "expected 10m, 2h" in str(line.problem.visual)
        assert line.has_class("-wrong")
        assert len(desk.runs) == 6
        line.input.value = ""
        await pilot.press(*"status:fa")
        await until(lambda: line.input._suggestion == "status:failed", pilot)
        await pilot.press("right", "enter")
        assert [row.id for row in desk.runs.rows(0, 9)] == ["1abc-1", "3abc-3"]
        assert str(screen.runs_pane.border_subtitle).startswith("2 of 6")
        await pilot.press("escape", "slash", "up")
        assert line.input.value == "status:failed"
        await pilot.press("escape")
        screen.action_do("only-workflow")
        await pilot.pause()
        assert line.input.value == "workflow:=parcel"
        assert len(desk.runs) == 5


async def test_slash_does_what_fits_the_focus_and_the_footer_says_which() -> None:
    """Lists are filtered, views and the graph are searched; a search stays with its view."""
    async with opened() as (_, pilot, screen):

        def said() -> str:
            return next(hint.label for hint in screen.footer.hints if hint.action == "filter")

        await pilot.press("2")
        assert said() == "filter"
        await pilot.press("4")
        assert said() == "search"
        await pilot.press("slash", *"shi", "enter")
        assert screen.selection.step == "ship"
        await pilot.press("escape", "D", "3", "slash", *"pick", "enter")
        assert screen.details.search is not None
        assert screen.details.has_class("-searching")
        await pilot.press("L")
        assert not screen.details.has_class("-searching")
        await pilot.press("D")
        assert screen.details.search_line.text.value == "pick"
        await pilot.press("escape")
        assert not screen.details.has_class("-searching")
        for key in ("slash", *"rcx"):
            pilot.app.post_message(events.Key(key, "/" if key == "slash" else key))
        await until(lambda: screen.details.search_line.text.value == "rcx", pilot)
        await pilot.press("escape")
        assert screen.focused in screen.details.query("*")


@pytest.mark.parametrize("ends", ["enter", "escape"])
async def test_a_search_typed_in_haste_has_its_end_behind_its_text(ends: str) -> None:
    """The line that slash opens is not there yet when the key is pressed that ends it."""
    characters = {"slash": "/", "enter": "\r", "escape": None}
    async with opened() as (_, pilot, screen):
        await pilot.press("3", "D")
        for key in ("slash", *"pick", ends):
            pilot.app.post_message(events.Key(key, characters.get(key, key)))
        line = screen.details.search_line
        await until(lambda: bool(line.children) and line.text.value == "pick", pilot)
        await until(lambda: screen.focused is not line.text, pilot)
        kept = screen.details.search
        assert ("" if kept is None else kept.text) == ("pick" if ends == "enter" else "")


async def test_the_palette_jumps_to_runs_workflows_and_steps() -> None:
    """A run by the beginning of its id; of an id that no run has it says so."""
    async with opened() as (_, pilot, screen):

        async def offer(text: str, wanted: str) -> None:
            """Type until the first line is the wanted one."""
            await pilot.press("ctrl+p")
            palette = pilot.app.screen
            assert isinstance(palette, CommandPalette)
            palette.query_one(Input).value = text
            options = palette.query_one(CommandList)
            await until(
                lambda: options.option_count > 0 and options.get_option_at_index(0).hit.text == wanted, pilot
            )

        await offer("3abc", "✖ Run 3abc-3  parcel")
        await pilot.press("enter")
        await until(lambda: screen.selection.run == "3abc-3", pilot)
        await offer("letter", "Workflow letter")
        await pilot.press("enter")
        await until(lambda: screen.selection.workflow == "letter", pilot)
        await offer("write", "Step write")
        await pilot.press("escape", "escape")
        await offer("99ff", "No run has an id that begins with '99ff'")


def record(number: int, status: RunStatus = RunStatus.COMPLETED) -> RunRecord:
    """Return a run of the store, the newer the greater its number."""
    return RunRecord(
        id=f"{number:05x}",
        workflow="order",
        status=status,
        input="{}",
        graph="{}",
        created_at=NOW - 100_000 + number,
        updated_at=NOW,
        completed_at=NOW,
    )


async def test_failures_that_were_not_read_yet_are_found_in_the_store(tmp_path: Path) -> None:
    """The nearest one below, whether the list was read down to it or not; paging goes on without a gap."""
    store, runs = SQLiteStorage(tmp_path / "flux.db"), RunsModel()
    async with asyncio.timeout(60):
        await store.open()
        for number in range(1000):
            failed = number in (10, 300)
            await store.create(record(number, RunStatus.FAILED if failed else RunStatus.COMPLETED))
        await store.close()
    feed = StoreFeed(tmp_path / "flux.db")

    def take(rows: list[RunRowView]) -> None:
        runs.merge_store(rows)

    top = await feed.page()
    runs.merge_store(top)
    runs.merge_store(await feed.page(RunQuery(id_prefix=f"{10:05x}")))
    paging, failures = Paging(runs), Failures(runs, feed, take)
    paging.top(top)
    first = await failures.after(top[0].id)
    assert first is not None
    assert (first.run, first.wrapped) == (f"{300:05x}", False)
    second = await failures.after(first.run)
    assert second is not None
    assert second.run == f"{10:05x}"
    third = await failures.after(second.run)
    assert third is not None
    assert (third.run, third.wrapped) == (first.run, True)

    while paging.older:
        await paging.read(feed, take)
    assert runs.total == 1000
    assert [row.id for row in await beginning_with(runs, feed, "0012c", 5)] == ["0012c"]
    runs.set_filter(compile_filter("took:>1ms !w:order"))
    paging.begin()
    paging.top(await feed.page(runs.filter))
    await paging.read(feed, take)
    assert not paging.older
    assert (len(runs), paging.looked_at) == (0, 1000)
    await feed.close()
