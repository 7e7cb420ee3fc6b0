"""The graph as a part of the dashboard: its view is named, and its steps lead to their details."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fake_desk import FakeDesk, described, module, started, step_events
from textual.pilot import Pilot

from flux_tui.app import FluxApp
from flux_tui.screens.main import MainScreen
from flux_tui.selection import ERROR, SOURCE

PARCEL = described("parcel", "pick", "pack", "send")


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[FakeDesk, Pilot[int], MainScreen]]:
    """Open the dashboard on a parcel that failed while it was packed, with the focus in the graph."""
    desk = FakeDesk()
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        desk.load(module("parcel.py", PARCEL))
        parcel = started("parcel-1", PARCEL)
        desk.trace(parcel, *step_events(parcel, ["pick", "pack"], fails="pack"))
        await pilot.pause()
        await pilot.press("4")
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        yield desk, pilot, screen


async def test_the_frame_of_the_graph_names_the_view() -> None:
    """``v`` goes on to the next view, and the lower edge says which it is."""
    async with opened() as (_, pilot, screen):
        seen = []
        for _ in range(4):
            await pilot.pause()
            seen.append(str(screen.graph_pane.border_subtitle))
            await pilot.press("v")
        assert seen == ["boxes", "compact", "list", "boxes"]


async def test_enter_goes_to_the_error_of_a_step_that_failed() -> None:
    """Enter leads to the details, to the error if there is one; a double click elsewhere to the code."""
    async with opened() as (_, pilot, screen):
        await pilot.press("D", "4", "enter")
        await pilot.pause()
        assert screen.selection.tab == ERROR
        assert screen.focused is not None
        assert screen.details in screen.focused.ancestors
        await pilot.click(screen.graph, offset=(4, 1), times=2)
        await pilot.pause()
        assert (screen.selection.step, screen.selection.tab) == ("pick", SOURCE)


async def test_moving_the_view_ends_following_a_run() -> None:
    """Who looks elsewhere in the graph is not taken back by the next step of a run."""
    async with opened() as (_, pilot, screen):
        screen.follow("parcel-1", "parcel")
        assert screen.selection.followed == "parcel-1"
        await pilot.resize_terminal(44, 36)
        await pilot.press("shift+right")
        await pilot.pause()
        assert screen.selection.followed is None
