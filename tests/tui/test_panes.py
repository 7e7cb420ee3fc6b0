"""Panes: their sizes, moved with keys and with the mouse, and one of them alone on the screen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_desk import FakeDesk, described, module, started, step_events
from textual.pilot import Pilot

from flux_tui.app import FluxApp
from flux_tui.panes import (
    DEEP,
    GRAPH,
    LISTS,
    SPLITS,
    WORKFLOWS,
    Layout,
    Shares,
    cells,
    grown,
    measured,
    share_at,
    shares_from,
)
from flux_tui.remembered import Remembered
from flux_tui.screens.composition import graph_mode
from flux_tui.screens.main import MainScreen

PARCEL = described("parcel", "pick", "pack")
EVERY = [split for splits in (*SPLITS.values(), DEEP) for split in splits]


@pytest.mark.parametrize("split", EVERY, ids=lambda split: f"{split.name}-{split.before}")
@pytest.mark.parametrize("room", [30, 60, 120, 400])
def test_no_part_gets_below_what_it_needs(split: Any, room: int) -> None:
    """Whatever share a file or a hand asks for, both sides stay of use wherever there is room for both."""
    for share in (0.001, 0.3, 0.5, 0.999):
        got = cells(split, share, room)
        assert 0 <= got <= room
        if room >= split.least + split.rest:
            assert split.least <= got <= room - split.rest


@pytest.mark.parametrize("split", EVERY, ids=lambda split: f"{split.name}-{split.before}")
def test_a_seam_goes_where_it_is_dragged(split: Any) -> None:
    """The share that a place makes puts the seam on that place again."""
    start, room, place = 3, 100, 53
    got = cells(split, share_at(split, place, start, room), room)
    assert (start + room - got if split.sized_after else start + got) == place


def test_a_pane_that_grows_takes_from_its_neighbours() -> None:
    """The graph pushes down what is below it and to the left what is beside it; its details push back."""
    lists, _, graph = SPLITS[Layout.WIDE]
    assert grown(lists, "graph-pane", 36, 120, by=1) == pytest.approx(32 / 120)
    assert grown(graph, "graph-pane", 10, 34, by=1) == pytest.approx(12 / 34)
    assert grown(graph, "details", 10, 34, by=1) == pytest.approx(8 / 34)
    assert grown(graph, "runs-pane", 10, 34, by=1) is None
    assert grown(lists, "runs-pane", 72, 120, by=1) is None


def test_proportions_last_when_the_terminal_changes_its_size() -> None:
    """A share is of whatever room there is."""
    shares = Shares().put(Layout.WIDE, LISTS, 0.25)
    sizes = [
        measured(Layout.WIDE, SPLITS[Layout.WIDE], shares, width, 30)["lists"][1] for width in (120, 200, 100)
    ]
    assert sizes == [30, 50, 25]


def test_shares_of_a_file_are_checked() -> None:
    """What is no share is as if it had not been said."""
    said = {"wide": {"lists": 0.3, "graph": "x", "workflows": 7, "other": 0.5}, "low": 3, "deep": {}}
    assert shares_from(said) == Shares().put(Layout.WIDE, LISTS, 0.3)
    assert shares_from(None) == Shares()


@asynccontextmanager
async def opened(
    size: tuple[int, int] = (120, 36), memory: Path | None = None
) -> AsyncIterator[tuple[Pilot[int], MainScreen]]:
    """Open the dashboard on a parcel that failed."""
    desk = FakeDesk()
    desk.remembered = Remembered(memory)
    app = FluxApp(desk)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        desk.load(module("parcel.py", PARCEL))
        parcel = started("parcel-1", PARCEL)
        desk.trace(parcel, *step_events(parcel, ["pick", "pack"], fails="pack"))
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MainScreen)
        yield pilot, screen


def shown(screen: MainScreen) -> set[str]:
    """Return the panes that can be seen."""
    panes = ("workflows-pane", "runs-pane", "graph-pane", "details")
    return {name for name in panes if screen.query_one(f"#{name}").region}


@pytest.mark.parametrize("size", [(120, 36), (60, 16)])
async def test_a_zoomed_pane_has_the_whole_screen(size: tuple[int, int]) -> None:
    """Its title says so, going elsewhere takes the zoom along, and both z and esc lay out all again."""
    async with opened(size) as (pilot, screen):
        before = shown(screen)
        for key, pane in (("2", "runs-pane"), ("4", "graph-pane"), ("3", "details"), ("1", "workflows-pane")):
            await pilot.press(key)
            if screen.body.zoomed is None:
                await pilot.press("z")
            await pilot.pause()
            assert shown(screen) == {pane}
            assert screen.query_one(f"#{pane}").region == screen.body.region
            assert "zoomed" in str(screen.query_one(f"#{pane}").border_title)
        await pilot.press("escape")
        await pilot.pause()
        assert shown(screen) == before
        assert "zoomed" not in str(screen.query_one("#workflows-pane").border_title)


@pytest.mark.parametrize("size", [(120, 36), (60, 16)])
async def test_sizes_made_with_keys_last(size: tuple[int, int], tmp_path: Path) -> None:
    """A pane grows and shrinks with a key, in the next session too, until all are reset."""
    memory = tmp_path / "dashboard.json"
    async with opened(size, memory) as (pilot, screen):
        pane = screen.query_one("#graph-pane")
        designed = pane.region
        await pilot.press("4", "plus", "plus")
        await pilot.pause()
        larger = pane.region
        assert larger.height > designed.height
    async with opened(size, memory) as (pilot, screen):
        pane = screen.query_one("#graph-pane")
        assert pane.region == larger
        await pilot.press("4", "minus")
        await pilot.pause()
        assert pane.region.height < larger.height
        await pilot.press("0")
        await pilot.pause()
        assert pane.region == designed
    assert Remembered(memory).get("panes", dict[str, dict[str, float]]) == {}


async def test_frames_are_dragged_with_the_mouse(tmp_path: Path) -> None:
    """A seam shows under the pointer, follows it, stays where it was let go, and is reset by two clicks."""
    memory = tmp_path / "dashboard.json"
    async with opened(memory=memory) as (pilot, screen):
        lists, graph = screen.query_one("#lists"), screen.query_one("#graph-pane")
        runs, designed = screen.query_one("#runs-pane"), lists.region
        await pilot.hover(None, (designed.right, 10))
        assert runs.has_class("-edge-right")
        assert graph.has_class("-edge-left") or screen.details.has_class("-edge-left")
        await pilot.mouse_down(None, (designed.right, 10))
        await pilot.hover(None, (designed.right + 12, 10))
        await pilot.pause()
        assert lists.region.right == designed.right + 12
        await pilot.mouse_up(None, (designed.right + 12, 10))
        await pilot.hover(None, (designed.right - 6, 10))
        await pilot.pause()
        assert lists.region.right == designed.right + 12
        assert not runs.has_class("-edge-right")
        await pilot.mouse_down(None, (80, graph.region.bottom - 1))
        await pilot.hover(None, (80, 20))
        await pilot.mouse_up(None, (80, 20))
        await pilot.pause()
        assert graph.region.bottom == 21
        assert set(Remembered(memory).get("panes", dict[str, dict[str, float]])["wide"]) == {LISTS, GRAPH}
        await pilot.double_click(None, (lists.region.right, 12))
        await pilot.pause()
        assert lists.region == designed
        assert set(Remembered(memory).get("panes", dict[str, dict[str, float]])["wide"]) == {GRAPH}


async def test_each_layout_has_sizes_of_its_own() -> None:
    """What was chosen for a wide terminal says nothing about a narrow one, and is there again later."""
    async with opened() as (pilot, screen):
        await pilot.press("1", "plus")
        await pilot.pause()
        wide = screen.query_one("#workflows-pane").region
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        lists = screen.query_one("#lists").region
        assert (lists.width, lists.height) == (80, 7)
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert screen.query_one("#workflows-pane").region == wide
        assert set(screen.body.shares.of(Layout.WIDE)) == {LISTS, WORKFLOWS}


async def test_the_graph_is_drawn_as_it_was_last(tmp_path: Path) -> None:
    """The view that was chosen with a key is there in the next session; what nobody knows is as designed."""
    memory = tmp_path / "dashboard.json"
    async with opened(memory=memory) as (pilot, screen):
        assert screen.graph.shown_mode == "boxes"
        await pilot.press("v", "v")
        assert screen.graph.shown_mode == "list"
    async with opened(memory=memory) as (_, screen):
        assert screen.graph.shown_mode == "list"
    Remembered(memory).put("view", {"graph": "cubes"})
    assert graph_mode(Remembered(memory)) == "auto"
