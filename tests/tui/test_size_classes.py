"""The classes that the main screen has for its size, before anything on it is styled."""

import pytest
from fake_desk import FakeDesk
from textual.geometry import Size

from flux_tui.app import FluxApp
from flux_tui.screens.composition import size_classes
from flux_tui.screens.main import MainScreen


@pytest.mark.parametrize(
    ("size", "classes"),
    [
        ((120, 36), ["-wide", "-high"]),
        ((100, 20), ["-wide", "-high"]),
        ((99, 19), ["-stacked", "-low"]),
        ((0, 0), ["-stacked", "-low"]),
    ],
    ids=str,
)
async def test_a_size_gives_the_classes_that_the_breakpoints_give(size, classes):
    """They are those that the screen has once it knows its size, so that nothing is styled twice."""
    desk = FakeDesk()
    screen = MainScreen(desk)
    assert size_classes(screen, Size(*size)) == classes
    if 0 not in size:
        app = FluxApp(desk)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            given = {name for name in app.screen.classes if name in {"-wide", "-stacked", "-high", "-low"}}
            assert given == set(classes)
