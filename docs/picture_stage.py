"""What a picture is taken of: the program on a stage, and the scenes that were set up for it."""

# ruff: noqa: INP001

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from textual.pilot import Pilot

from flux_tui.app import FluxApp
from flux_tui.screens.main import MainScreen

WIDE = (120, 36)
PATIENCE = 30.0
ENDED = ("completed", "failed", "cancelled", "suspended", "paused")


@dataclass
class Stage:
    """The program while a picture is prepared. ``runs`` are the ids of the runs that there are, by name."""

    app: FluxApp
    pilot: Pilot[int]
    runs: dict[str, str] = field(default_factory=dict)

    @property
    def screen(self) -> MainScreen:
        """The main screen, whatever lies on top of it."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, MainScreen))

    async def until(self, true: Callable[[], object], what: str) -> None:
        """Wait for something."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}")
            await self.pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        """Press keys and let what they do come to rest."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause(0.05)

    async def write(self, text: str) -> None:
        """Write a text where the focus is."""
        await self.pilot.press(*(character if character != " " else "space" for character in text))
        await self.pilot.pause(0.1)

    async def do(self, action: str, dialog: str = "") -> None:
        """Do what an action is about, and wait for the dialog that it opens."""
        self.screen.action_do(action)
        if dialog:
            await self.until(lambda: type(self.app.screen).__name__ == dialog, dialog)
        await self.pilot.pause(0.2)

    async def ended(self, run_id: str) -> None:
        """Wait until a run ended, or waits."""
        runs = self.app.desk.runs
        await self.until(
            lambda: (row := runs.get(run_id)) is not None and row.status in ENDED, f"the end of {run_id}"
        )

    async def show(self, run: str, step: str = "", tab: str = "") -> None:
        """Look at a run, by its name, at one of its steps, and at a tab."""
        screen, run_id = self.screen, self.runs[run]
        await self.until(lambda: self.app.desk.runs.get(run_id), run)
        screen.go_to_run(run_id)
        screen.show()
        screen.focus_pane("runs")
        await self.until(lambda: screen.run_view is not None and screen.run_view.status in ENDED, run)
        if step:
            screen.graph.selected = step
            screen.graph.post_message(screen.graph.Selected(screen.graph, step))
            await self.until(lambda: screen.selection.step == step, step)
        if tab:
            screen.pick_tab(tab)
        await self.pilot.pause(0.1)


@dataclass(frozen=True)
class Scene:
    """A picture: its name, which group of the page it is in, what it shows, and how it comes about."""

    name: str
    group: str
    caption: str
    play: Callable[[Stage], Awaitable[None]]
    size: tuple[int, int] = WIDE
    theme: str = "flux-dark"
    ascii: bool = False
    no_color: bool = False
    empty: bool = False

    @property
    def title(self) -> str:
        """What stands in the place of the picture where there are none."""
        return self.name.replace("-", " ").capitalize()

    @classmethod
    def plain(cls) -> "Scene":
        """Return a scene without a picture, to prepare the others in."""
        return cls("", "", "", _nothing)


async def _nothing(_: Stage) -> None:
    await asyncio.sleep(0)


SCENES: list[Scene] = []


def scene(name: str, group: str, caption: str, **options: Any) -> Callable[..., Any]:
    """Make a picture of what a function sets up; several above each other come out from top to bottom."""

    def add(play: Callable[[Stage], Awaitable[None]]) -> Callable[[Stage], Awaitable[None]]:
        at = next((at for at, other in enumerate(SCENES) if other.play is play), len(SCENES))
        SCENES.insert(at, Scene(name, group, caption, play, **options))
        return play

    return add
