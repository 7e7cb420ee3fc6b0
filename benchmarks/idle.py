"""What the dashboard takes of a core, its runners included, while a finished run is on screen."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.large_project import WORKFLOW
from benchmarks.terminal import DASHBOARD, Terminal

SETTLE = 6.0
SECONDS = 10.0


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Run a workflow, open the dashboard, and look at the processor for ten seconds a round."""
    (folder / "orders.py").write_text(WORKFLOW, encoding="utf-8")
    flux = str(Path(sys.executable).with_name("flux"))
    subprocess.run([flux, "run", "orders"], cwd=folder, check=True, capture_output=True)  # noqa: S603, ASYNC221
    samples = await asyncio.to_thread(_watched, folder, rounds)
    title = "idle, a finished run on screen, of a core"
    return [Figure(name="idle", title=title, unit="%", target=1, samples=tuple(samples))]


def _watched(folder: Path, rounds: int) -> list[float]:
    samples = []
    with Terminal(folder, *DASHBOARD) as terminal:
        terminal.sees("✔ completed", "● ready")
        time.sleep(SETTLE)
        for _ in range(rounds):
            began, used = time.perf_counter(), terminal.seconds()
            time.sleep(SECONDS)
            samples.append((terminal.seconds() - used) / (time.perf_counter() - began) * 100)
    return samples
