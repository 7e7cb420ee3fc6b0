"""Calm: nothing is drawn while nothing happens, and no more than ten times a second while something runs."""

import asyncio
from typing import Any

import pytest
from fake_desk import NOW, FakeDesk, completed, described, module, started, step_events
from textual.widgets import Input

from flux_tui.app import FluxApp
from flux_tui.screens.main import CLOCK, MainScreen

PARCEL = described("parcel", "pick", "pack", "ship")
TURNS = 300
"""Turns of the loop that are looked at, a millisecond each: three ticks of the clock would fit into them."""


class Drawn:
    """Counts how often an app writes something to the terminal."""

    def __init__(self, app: FluxApp) -> None:
        self.times = 0
        self._display = app._display
        app._display = self.display  # type: ignore[method-assign]

    def display(self, *args: Any, **options: Any) -> None:
        """Count, and write."""
        self.times += 1
        self._display(*args, **options)


async def drawn_in(drawn: Drawn, turns: int) -> int:
    """Return how often something was written while the loop turned so many times."""
    before = drawn.times
    for _ in range(turns):
        await asyncio.sleep(0.001)
    return drawn.times - before


async def settled(drawn: Drawn) -> None:
    """Wait until what was pressed and told has come to rest."""
    for _ in range(50):
        if not await drawn_in(drawn, 60):
            return
    pytest.fail("the screen never came to rest")


@pytest.mark.parametrize("keys", [("4",), ("3", "D")], ids="-".join)
async def test_nothing_is_drawn_while_nothing_happens(keys: tuple[str, ...]) -> None:
    """Wherever the focus is, an idle screen writes nothing at all, and the clock stands."""
    desk = FakeDesk()
    app = FluxApp(desk)
    drawn = Drawn(app)
    async with app.run_test(size=(120, 36)) as pilot:
        desk.load(module("parcel.py", PARCEL))
        start = started("parcel-1", PARCEL)
        desk.trace(start, *step_events(start, ["pick", "pack"], fails="pack"))
        await pilot.press(*keys)
        await settled(drawn)
        assert await drawn_in(drawn, TURNS) == 0


async def test_a_run_is_drawn_ten_times_a_second_at_most() -> None:
    """One clock moves all that moves: a tick draws once, and only what is in progress."""
    desk = FakeDesk()
    app = FluxApp(desk)
    drawn = Drawn(app)
    seconds = 0.0
    desk._clock = lambda: NOW + seconds
    async with app.run_test(size=(120, 36)) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)
        assert CLOCK >= 0.1
        desk.load(module("parcel.py", PARCEL))
        start = started("parcel-1", PARCEL, ago=1)
        desk.trace(start, *step_events(start, ["pick", "pack"])[:3])
        await pilot.press("2")
        await pilot.pause()
        assert screen.clock is not None
        screen.clock.pause()
        await settled(drawn)
        before = drawn.times
        for _ in range(10):
            seconds += CLOCK
            screen._tick()
            await pilot.pause()
        assert 1 <= drawn.times - before <= 10 + 1
        desk.trace(completed(start))
        await settled(drawn)
        assert screen.graph.animated is False
        assert await drawn_in(drawn, TURNS) == 0


async def test_the_caret_stands_still_too() -> None:
    """Where something is typed, nothing blinks."""
    async with FluxApp(FakeDesk()).run_test() as pilot:
        await pilot.press("?")
        await pilot.pause()
        assert isinstance(pilot.app.focused, Input)
        assert pilot.app.focused.cursor_blink is False
