"""Every view and dialog, full of data that wants to get at the terminal or at the layout."""

from typing import Any, Final

import pytest
from hostile import HostileDesk, fill
from rich.cells import cell_len
from textual.pilot import Pilot

from flux_tui.app import FluxApp
from flux_tui.model.text import UNPRINTABLE

LISTS: Final = "1 end 2 home slash P enter escape"
TABS: Final = "4 v l v l v 3 E enter end D home enter j enter slash P enter n escape I L enter a G V enter S"
SCRUB: Final = "comma less_than_sign escape f w b"
DIALOGS: Final = (
    "2 home r tab ctrl+r escape equals_sign j enter p j escape escape escape P j enter escape s escape "
    "4 end t escape e escape F escape W escape c escape "
    "2 space j space t escape X escape question_mark h escape escape ctrl+p P escape"
)


async def walk(pilot: Pilot[Any], keys: str) -> None:
    """Press keys; after each the screen holds nothing but what can be drawn, each row as wide as it is."""
    for key in keys.split():
        await pilot.press(key)
        look_at(pilot, key)


def lines(pilot: Pilot[Any]) -> list[str]:
    """Return the text of every line that would be written."""
    return [strip.text for strip in pilot.app.screen._compositor.render_strips()]


def look_at(pilot: Pilot[Any], key: str) -> None:
    """Look at every line that would be written."""
    app = pilot.app
    where = f"{type(app.screen).__name__} after {key}"
    for number, text in enumerate(lines(pilot)):
        assert UNPRINTABLE.search(text) is None, f"{where}, line {number}: {text!a}"
        assert cell_len(text) == app.size.width, f"{where}, line {number}: {text!a}"


@pytest.mark.parametrize(
    ("size", "keys"),
    [((120, 36), f"{LISTS} {TABS} {SCRUB}"), ((60, 16), DIALOGS)],
    ids=["views, wide", "dialogs, low"],
)
async def test_nothing_hostile_is_ever_drawn(size: tuple[int, int], keys: str) -> None:
    """Names, data, logs, errors, reasons and schemas break neither the terminal, nor the layout, nor us."""
    desk = HostileDesk(settings={"theme": "flux-dark"})
    app = FluxApp(desk)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        fill(desk)
        await pilot.pause()
        await walk(pilot, keys)
