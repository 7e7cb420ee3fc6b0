"""From the start of the process to its first frame: the dashboard on a large project, and an empty app."""

import asyncio
import sys
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.large_project import WORKFLOW, large_project
from benchmarks.terminal import DASHBOARD, Terminal

EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    def compose(self):
        yield Static("painted")

Empty().run()
"""

WARM_UP = 1


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Start both in turn."""
    files = await large_project()
    (folder / "orders.py").write_text(WORKFLOW, encoding="utf-8")
    dashboard = (*DASHBOARD, ".", "--db", str(files.store), "--trace", str(files.trace))
    empty = (sys.executable, "-c", EMPTY)
    samples = []
    for _ in range(max(rounds, 5) + WARM_UP):
        own = await asyncio.to_thread(_first_frame, folder, dashboard, b"Workflows")
        bare = await asyncio.to_thread(_first_frame, folder, empty, b"painted")
        samples.append((own, bare))
    return [
        Figure(
            name="frame",
            title="first frame, 100,000 runs and 1,000,000 events",
            samples=tuple(own for own, _ in samples[WARM_UP:]),
            peer_title="an empty Textual app",
            peer=tuple(bare for _, bare in samples[WARM_UP:]),
            advantage=round(1 / 1.5, 3),
        )
    ]


def _first_frame(folder: Path, command: tuple[str, ...], text: bytes) -> float:
    with Terminal(folder, *command) as terminal:
        return (terminal.first_painted(text) - terminal.began) * 1000
