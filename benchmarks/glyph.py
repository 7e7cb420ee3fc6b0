"""From the start of a handler to its glyph on screen: a real runner, trace, desk and application."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ScreenStackError
from textual.screen import Screen

import flux_tui
from benchmarks.figures import Figure
from flux_tui.app import FluxApp
from flux_tui.desk import Desk
from flux_tui.settings import load_settings

FLOW = '''
import asyncio, time
from pathlib import Path
from flux_engine import create_workflow

HERE = Path(__file__).parent

async def hold(ctx):
    """Say when it began, and wait to be let go."""
    began = time.time()
    (HERE / "began").write_text(repr(began))
    while not (HERE / "free").exists():
        await asyncio.sleep(0.005)

flow = create_workflow("holding").step("before", lambda ctx: None).step("hold", hold)
'''

RUNNING = re.compile(r"[◐◓◑◒] hold")
COMPLETED = re.compile("✔ hold")
DEADLINE = 20.0


class Watched(FluxApp):
    """The dashboard, which notes when something was drawn for the first time."""

    CSS_PATH: ClassVar = [str(Path(flux_tui.__file__).parent / name) for name in FluxApp.CSS_PATH]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.drawn_at: dict[re.Pattern[str], float] = {}

    def _display(self, screen: Screen[object], renderable: object) -> None:
        super()._display(screen, renderable)  # type: ignore[arg-type]
        now = time.time()
        try:
            text = "\n".join(strip.text for strip in self.screen._compositor.render_strips())  # noqa: SLF001
        except ScreenStackError:
            return
        for pattern in (RUNNING, COMPLETED):
            if pattern.search(text):
                self.drawn_at.setdefault(pattern, now)


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Run a workflow ``rounds`` times from the keyboard."""
    (folder / "holding.py").write_text(FLOW, encoding="utf-8")
    began, free = folder / "began", folder / "free"
    app = Watched(Desk(load_settings(folder, {}, {}), [folder]))
    samples = []
    async with app.run_test(size=(120, 36)) as pilot:
        await _until(lambda: app.desk.definitions.modules, "the workflow")
        for number in range(rounds):
            await pilot.pause(0.3)
            free.unlink(missing_ok=True)
            app.drawn_at.clear()
            await pilot.press(*(["R"] if number else ["r", "ctrl+s"]))
            await _until(lambda: RUNNING in app.drawn_at, "the running step")
            samples.append((app.drawn_at[RUNNING] - float(began.read_text())) * 1000)
            app.drawn_at.clear()
            free.touch()
            await _until(lambda: COMPLETED in app.drawn_at, "the completed step")
    title = "handler start → glyph on screen"
    return [Figure(name="glyph", title=title, target=100, slow_count=True, samples=tuple(samples))]


async def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"never came: {what}")
        await asyncio.sleep(0.002)
