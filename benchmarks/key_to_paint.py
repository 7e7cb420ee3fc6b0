"""From a key to its effect on screen in a list of 10,000 runs, while 2,000 events a second arrive."""

import asyncio
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.large_project import EVENTS_OF_A_RUN, WORKFLOW, large_project
from benchmarks.terminal import DASHBOARD, Terminal

RUNS = 10_000
RATE = 2_000
KEYS = 40
BETWEEN_KEYS = 0.2
SETTLE = 2.0
BAR = "│▌"


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Walk down the list of runs, forty keys a round, and look how long each took; and at the processor."""
    files = await large_project(RUNS * EVENTS_OF_A_RUN, RUNS)
    (folder / "orders.py").write_text(WORKFLOW, encoding="utf-8")
    trace, store = folder / "trace.ndjson", folder / "flux.db"
    shutil.copyfile(files.trace, trace)
    shutil.copyfile(files.store, store)
    keys, share = await asyncio.to_thread(_walked, folder, trace, store, rounds)
    title = f"key → paint, {RUNS:,} runs, {RATE:,} events/s"
    return [
        Figure(name="key", title=title, target=50, slow_count=True, samples=keys),
        Figure(name="key", title="the dashboard meanwhile, of a core", unit="%", target=40, samples=share),
    ]


def _walked(
    folder: Path, trace: Path, store: Path, rounds: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    with Terminal(folder, *DASHBOARD, ".", "--db", str(store), "--trace", str(trace)) as terminal:
        terminal.sees(f"{RUNS:,}", "● ready")
        terminal.press("2")
        terminal.press("\x06\x06")
        seconds = SETTLE + rounds * KEYS * BETWEEN_KEYS * 1.2
        command = (sys.executable, "-m", "benchmarks.live_trace", str(trace), str(RATE), str(seconds))
        with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as writer:  # noqa: S603 - ours
            time.sleep(SETTLE)
            keys: list[float] = []
            share = []
            for _ in range(rounds):
                began, used = time.perf_counter(), terminal.own_seconds()
                keys += [_pressed(terminal) for _ in range(KEYS)]
                share.append((terminal.own_seconds() - used) / (time.perf_counter() - began) * 100)
            writer.terminate()
        return tuple(keys), tuple(share)


def _pressed(terminal: Terminal) -> float:
    """Go one run down; return after how many milliseconds the cursor was seen there."""
    time.sleep(BETWEEN_KEYS * random.uniform(0.8, 1.2))
    here = _run_under_cursor(terminal.lines())
    pressed = terminal.press("j")
    seen = terminal.until(
        lambda lines: _run_under_cursor(lines) not in ("", here), "the cursor on another run"
    )
    return (seen - pressed) * 1000


def _run_under_cursor(lines: Sequence[str]) -> str:
    begin = next((row for row, line in enumerate(lines) if "─ Runs" in line), len(lines))
    row = next((line for line in lines[begin:] if line.startswith(BAR)), "")
    return row[:36].split(" orders ")[-1].split()[0] if " orders " in row[:36] else ""
