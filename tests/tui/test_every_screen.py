"""Every screen, in four sizes and three themes, at a standing clock.

A changed picture is looked at before it becomes the new truth: ``git diff`` shows the text row by row.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_desk import FakeDesk
from screen_picture import forgo_painting, pictures
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from test_app import until
from test_control_keys import waiting_run
from test_snapshots import play
from textual._compositor import Compositor
from textual.pilot import Pilot

from flux_engine.execution import RepeatedCommit, RetryPlan
from flux_tui.app import FluxApp
from flux_tui.screens.main import MainScreen

Play = Callable[[Pilot[Any]], Awaitable[None]]


class TextFile(SingleFileSnapshotExtension):
    """A picture is a text file of its own."""

    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """What pictures are held against."""
    return snapshot.use_extension(TextFile)


@pytest.fixture(autouse=True)
def _away_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No path and no time on the pictures depends on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/users/ada")
    monkeypatch.setattr(Compositor, "render_update", forgo_painting)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


async def shown(
    *keys: str, dialog: bool = False, setting: Callable[[FakeDesk], None] | None = None, play: Play = play
) -> str:
    """Return the pictures of the busy shop, or of another one, after these keys."""
    desk = FakeDesk()
    app = FluxApp(desk)
    app.animation_level = "none"
    async with app.run_test(size=(120, 36), notifications=False) as pilot:
        if setting is not None:
            setting(desk)
        await play(pilot)
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        if dialog:
            await until(lambda: not isinstance(app.screen, MainScreen), "the dialog")
        return await pictures(pilot)


def repeating(desk: FakeDesk) -> None:
    """Have a retry that would repeat a commit."""
    desk.plan = RetryPlan(
        run_id="3f2a9c",
        step="payment",
        scope="downstream",
        runs_again=("payment", "deduct", "notify"),
        kept=("validate",),
        repeated_commits=(RepeatedCommit(step="payment", idempotency_key="3f2a9c:payment"),),
        changed_code=("payment",),
    )


SCENES: dict[str, tuple[str, ...]] = {
    "error": ("2",),
    "data": ("D",),
    "timeline": ("I",),
    "logs": ("L",),
    "events": ("V",),
    "source": ("S",),
    "live": ("home",),
    "branches": ("G",),
    "compact": ("v",),
    "list": ("v", "v"),
    "scrub": (",", ","),
    "zoom": ("4", "z"),
    "filter": ("/", "w", ":", "o", "r"),
    "search": ("D", "3", "/", "v", "a"),
    "breakpoint": ("4", "l", "b"),
    "marks": ("space", "j", "space"),
    "problem": ("1", "home", "j", "j", "j"),
}
DIALOGS: dict[str, tuple[str, ...]] = {
    "run": ("r",),
    "edit": ("e",),
    "fork": ("F",),
    "retry": ("t",),
    "compare": ("=",),
    "help": ("?",),
    "palette": ("ctrl+p",),
    "export": ("W",),
    "delete": ("space", "j", "space", "X"),
}


@pytest.mark.parametrize("scene", SCENES)
async def test_the_main_screen(picture: SnapshotAssertion, scene: str) -> None:
    """Each tab, each view of the graph, and each mode that the main screen can be in."""
    assert await shown(*SCENES[scene]) == picture


@pytest.mark.parametrize("scene", DIALOGS)
async def test_a_dialog(picture: SnapshotAssertion, scene: str) -> None:
    """What opens above the main screen."""
    assert await shown(*DIALOGS[scene], dialog=True, setting=repeating) == picture


async def nothing(pilot: Pilot[Any]) -> None:
    """Find no workflows."""
    assert isinstance(pilot.app, FluxApp)
    assert isinstance(pilot.app.desk, FakeDesk)
    pilot.app.desk.load()
    await pilot.pause()


async def waiting(pilot: Pilot[Any]) -> None:
    """Look at a run that waits for its approval, of a workflow with concurrent steps."""
    assert isinstance(pilot.app, FluxApp)
    assert isinstance(pilot.app.desk, FakeDesk)
    waiting_run(pilot.app.desk)
    await pilot.pause()
    await pilot.press("2", "home")
    await pilot.pause()


@pytest.mark.parametrize(
    ("play", "keys", "dialog"),
    [(nothing, (), False), (waiting, (), False), (waiting, ("s",), True), (waiting, ("c",), True)],
    ids=["welcome", "waiting", "signal", "question"],
)
async def test_another_project(
    picture: SnapshotAssertion, play: Play, keys: tuple[str, ...], dialog: bool
) -> None:
    """A folder without workflows, and one with a run that waits."""
    assert await shown(*keys, dialog=dialog, play=play) == picture
