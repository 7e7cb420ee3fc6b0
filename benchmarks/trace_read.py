"""How long the dashboard takes to read a trace of a million events, and the memory it has then."""

import asyncio
import re
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.large_project import EVENTS, RUNS, WORKFLOW, Files, large_project, run_id
from benchmarks.terminal import DASHBOARD, Terminal

ROUNDS = 3
TITLE = f"trace of {EVENTS:,} events"


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Open the trace alone, and wait until its end is on screen and until all of it is known."""
    files = await large_project(EVENTS, RUNS)
    (folder / "orders.py").write_text(WORKFLOW, encoding="utf-8")
    samples = [await asyncio.to_thread(_read, folder, files) for _ in range(min(rounds, ROUNDS))]
    end, whole, memory = zip(*samples, strict=True)
    return [
        Figure(name="trace", title=f"{TITLE}: process start → its end on screen", target=1000, samples=end),
        Figure(name="trace", title=f"{TITLE}: → all indexed", target=6000, samples=whole),
        Figure(name="trace", title=f"{TITLE}: memory", unit="MB", target=350, samples=memory),
    ]


def _read(folder: Path, files: Files) -> tuple[float, float, float]:
    newest = run_id(files.traced - 1)[:6]
    all_runs = re.compile(rf"(?<!\d){files.traced:,}(?![\d+])")
    with Terminal(folder, *DASHBOARD, "--trace", str(files.trace)) as terminal:
        end = terminal.sees(newest)
        whole = terminal.until(lambda lines: any(map(all_runs.search, lines)), "all runs")
        return (end - terminal.began) * 1000, (whole - terminal.began) * 1000, terminal.megabytes()
