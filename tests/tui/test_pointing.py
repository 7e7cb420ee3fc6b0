"""The mouse: what a click, a double click and the wheel do, and that each has a key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fake_desk import FakeDesk, completed, described, module, started, step_events
from textual.events import MouseScrollDown
from textual.pilot import Pilot

from flux_tui.app import FluxApp
from flux_tui.runner.messages import Problem
from flux_tui.screens.main import MainScreen

PARCEL = described("parcel", "pick", "pack", "ship")
BROKEN = Problem(kind="SyntaxError", message="invalid syntax", file="/shop/post.py", line=12)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Pilot[int], MainScreen]]:
    """Open the dashboard on many runs, of which one failed and one is in progress."""
    desk = FakeDesk()
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        desk.load(module("parcel.py", PARCEL), module("post.py", problem=BROKEN))
        for number in range(60):
            start = started(f"old-{number:02}", PARCEL, ago=1000 - number)
            desk.trace(start, *step_events(start, ["pick", "pack", "ship"]), completed(start))
        failed = started("failed-1", PARCEL, ago=500)
        desk.trace(failed, *step_events(failed, ["pick", "pack"], fails="pack"))
        running = started("running-1", PARCEL, ago=400)
        desk.trace(running, *step_events(running, ["pick", "pack"])[:3])
        await pilot.press("2", "home")
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        yield pilot, screen


def column_of(screen: MainScreen, text: str) -> int:
    """Return a column of the header in which a text stands."""
    return "".join(segment.text for segment in screen.header.render_line(0)).index(text) + 2


async def test_a_click_on_the_header_goes_to_what_it_tells_of() -> None:
    """To the module that does not load, to a run in progress, to a failure."""
    async with opened() as (pilot, screen):
        await pilot.click(screen.header, offset=(column_of(screen, "post.py"), 0))
        await pilot.pause()
        assert screen.selection.module == "/shop/post.py"
        assert screen.focused is screen.workflows
        assert screen.has_class("-problem")
        await pilot.click(screen.header, offset=(column_of(screen, "1 running"), 0))
        await pilot.pause()
        assert screen.selection.run == "running-1"
        await pilot.click(screen.header, offset=(column_of(screen, "1 failed"), 0))
        await pilot.pause()
        assert screen.selection.run == "failed-1"


async def test_the_wheel_scrolls_what_is_under_it_and_selects_nothing() -> None:
    """Neither cursor nor focus move; a click selects, a double click opens."""
    async with opened() as (pilot, screen):
        await pilot.press("1")
        before = (screen.selection, screen.runs.cursor_key, screen.focused)
        await pilot._post_mouse_events([MouseScrollDown], screen.runs, offset=(5, 5))
        await pilot.pause()
        assert screen.runs.scroll_offset.y > 0
        assert (screen.selection, screen.runs.cursor_key, screen.focused) == before
        await pilot.click(screen.runs, offset=(5, 3))
        await pilot.pause()
        row = str(screen.runs.row_key(screen.runs.scroll_offset.y + 3))
        assert screen.selection.run == row
        await pilot.double_click(screen.runs, offset=(5, 3))
        await pilot.pause()
        assert screen.selection.run == row
        assert screen.focused is screen.graph
