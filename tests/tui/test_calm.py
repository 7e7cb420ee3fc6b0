"""What moves on the screen, and what stays: filter, broken modules, and the tabs beside them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_desk import FakeDesk, completed, described, module, started, step_events
from textual.pilot import Pilot

from flux_tui.app import FluxApp
from flux_tui.desk import Desk
from flux_tui.flows import asking, perform
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import Problem
from flux_tui.screens.main import MainScreen
from flux_tui.screens.trigger import TriggerScreen
from flux_tui.settings import Settings
from flux_tui.widgets.details import TabBar

PARCEL = described("parcel", "pick", "pack")
LETTER = described("letter", "write")


@asynccontextmanager
async def opened(size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[FakeDesk, Pilot[int], MainScreen]]:
    """Open the dashboard on a completed letter and, newer, a parcel that failed."""
    desk = FakeDesk()
    async with FluxApp(desk).run_test(size=size) as pilot:
        desk.load(module("parcel.py", PARCEL), module("post.py", LETTER))
        letter, parcel = started("letter-1", LETTER, ago=20), started("parcel-1", PARCEL)
        desk.trace(letter, *step_events(letter, ["write"]), completed(letter))
        desk.trace(parcel, *step_events(parcel, ["pick", "pack"], fails="pack"))
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        yield desk, pilot, screen


async def test_a_filter_that_hides_the_selected_run_leaves_it_selected() -> None:
    """While it is typed the graph stays; cleared, the cursor is on the run that is shown."""
    async with opened() as (_, pilot, screen):
        await pilot.press("2", "slash", *"letter")
        await pilot.pause()
        assert (screen.selection.run, screen.runs.cursor_key) == ("parcel-1", "letter-1")
        await pilot.press("escape")
        await pilot.pause()
        assert (screen.selection.run, screen.runs.cursor_key) == ("parcel-1", "parcel-1")


async def test_going_to_what_a_filter_found_selects_it() -> None:
    """After enter, the run under the cursor is the one in the graph."""
    async with opened() as (_, pilot, screen):
        await pilot.press("2", "slash", *"letter", "enter")
        await pilot.pause()
        assert (screen.selection.run, screen.runs.cursor_key) == ("letter-1", "letter-1")
        assert screen.graph_pane.title.plain.startswith("letter")


async def test_the_list_of_runs_shows_what_its_cursor_is_on() -> None:
    """Going to the runs from a workflow that never ran selects the run under the cursor."""
    async with opened() as (desk, pilot, screen):
        desk.load(module("a.py", described("new", "one")), module("post.py", LETTER))
        await pilot.press("1", "home", "j", "k", "j")
        await pilot.pause()
        assert (screen.selection.workflow, screen.selection.run) == ("new", None)
        await pilot.press("4", "escape")
        assert screen.focused is screen.workflows
        await pilot.press("2")
        await pilot.pause()
        assert screen.selection.run == screen.runs.cursor_key == "parcel-1"


async def test_the_error_tab_has_the_problem_of_a_broken_module_until_it_loads() -> None:
    """No tab opens by itself; the Error tab is marked, and shows file and line above anything else."""
    async with opened() as (desk, pilot, screen):
        await pilot.press("2", "D")
        broken = Problem(kind="SyntaxError", message="invalid syntax", file="/shop/parcel.py", line=3)
        desk.load(module("parcel.py", problem=broken), module("post.py", LETTER))
        await pilot.pause()
        assert screen.selection.tab == "data"
        assert screen.query_one(TabBar).marked == {"error"}
        await pilot.press("E")
        await pilot.pause()
        shown = " ".join(row.content.plain for row in screen.details.views["error"].rows)
        assert "invalid syntax" in shown
        desk.load(module("parcel.py", PARCEL), module("post.py", LETTER))
        await pilot.pause()
        shown = " ".join(row.content.plain for row in screen.details.views["error"].rows)
        assert "the box is too small" in shown


async def test_runs_read_at_the_start_are_not_new() -> None:
    """However trace and store come in, the list begins at its newest run and counts nothing as new."""
    desk = FakeDesk()
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        desk._unread.add("store")
        for first, ago in (("old", 9000.0), ("new", 900.0)):
            for number in range(60):
                desk.trace(started(f"{first}-{number}", LETTER, ago=ago - number))
            await pilot.pause()
        assert screen.runs.row_key(screen.runs.scroll_offset.y) == "new-59"
        assert "↑" not in screen.runs.render_line(0).text
        desk._unread.clear()
        desk.trace(started("last", LETTER, ago=800))
        await pilot.pause()
        desk.trace(started("later", LETTER, ago=700))
        await pilot.pause()
        assert screen.runs.row_key(screen.runs.scroll_offset.y) == "last"
        assert "↑ 1 new" in screen.runs.render_line(0).text


async def test_a_request_that_takes_its_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays silent: the name of the workflow and what is waited for are on the screen."""
    monkeypatch.setattr(asking, "PATIENCE", 0.01)
    async with opened() as (desk, pilot, _):
        go_on = asyncio.Event()

        async def run(workflow: str, value: Any) -> str:
            await go_on.wait()
            return f"{workflow}-{value}"

        monkeypatch.setattr(desk, "run", run)
        await pilot.press("R")
        await until(lambda: [toast.title for toast in pilot.app._notifications] == ["parcel"], "the message")
        go_on.set()


async def test_a_terminal_without_room_for_the_error_says_how_to_see_it() -> None:
    """The graph names the key while the details are hidden; where they are shown, there is no need to."""
    async with opened((60, 16)) as (_, pilot, screen):
        screen.go_to_run("parcel-1")
        await pilot.pause()
        assert "E shows the error" in str(screen.graph_pane.border_subtitle)
    async with opened() as (_, pilot, screen):
        screen.go_to_run("parcel-1")
        await pilot.pause()
        assert "E shows" not in str(screen.graph_pane.border_subtitle)


async def test_the_details_say_whose_they_are() -> None:
    """The step always; the run while they fill the screen and nothing else tells."""
    async with opened() as (_, pilot, screen):
        screen.go_to_run("parcel-1")
        await pilot.pause()
        assert str(screen.details.border_title) == "pack"
        await pilot.press("3", "z")
        await pilot.pause()
        assert "pack[not bold]  of parcel parcel" in str(screen.details.border_title)


async def test_running_again_what_was_never_run_asks_for_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is when the selection has gone on, however fast, since the key was pressed."""
    async with opened() as (desk, pilot, screen):
        monkeypatch.setattr(desk, "inputs", lambda _: [])
        perform(screen, "run-again")
        await until(lambda: isinstance(pilot.app.screen, TriggerScreen), "the form")


async def test_the_input_of_a_run_that_could_not_start_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed can be sent again, unless it was itself the reason."""
    desk = Desk(Settings(project=Path("/shop")).anchored(), [])
    refusals = [
        RunnerRefused("StorageLockedError", "locked"),
        RunnerRefused("InvalidInputError", "no", [("n", "?")]),
    ]

    async def refuse(*_: Any) -> str:
        raise refusals.pop(0)

    monkeypatch.setattr(desk._pool, "run", refuse)
    for value in ({"n": 1}, {"n": "x"}):
        with pytest.raises(RunnerRefused):
            await desk.run("parcel", value)
    assert desk.inputs("parcel") == [{"n": 1}]


async def until(true: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        await asyncio.sleep(0.01)
