"""An hour of work in a minute, in front of an open dashboard: whether memory or processor time grow.

A run a second, of 32 events, makes 3,600 runs in an hour; they are written sixty times as fast.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.large_project import EVENTS_OF_A_RUN
from benchmarks.terminal import DASHBOARD, Terminal

HOUR = 3600
SECONDS = 60.0
QUARTER = SECONDS / 4
KEPT = 10.0
"""Megabytes that three quarters of an hour may add: 2,700 rows, and where the events of each are."""


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Compare the last quarter with the first; one round, as it is long."""
    del rounds
    grown, early, late = await asyncio.to_thread(_worked, folder / "trace.ndjson")
    return [
        Figure(
            name="work",
            title="dashboard, an hour of work: memory added",
            unit="MB",
            target=KEPT,
            samples=(grown,),
        ),
        Figure(
            name="work",
            title="dashboard, an hour of work: of a core, last quarter",
            unit="%",
            samples=(late,),
            peer_title="first quarter",
            peer=(early,),
            advantage=round(1 / 1.2, 3),
        ),
    ]


def _worked(trace: Path) -> tuple[float, float, float]:
    trace.touch()
    rate = HOUR * EVENTS_OF_A_RUN / SECONDS
    with Terminal(trace.parent, *DASHBOARD, "--trace", str(trace)) as terminal:
        terminal.sees("Workflows")
        command = (sys.executable, "-m", "benchmarks.live_trace", str(trace), str(rate), str(SECONDS + 10))
        with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as writer:  # noqa: S603 - ours
            memory, shares = [], []
            for _ in range(4):
                began, used = time.perf_counter(), terminal.own_seconds()
                time.sleep(QUARTER)
                shares.append((terminal.own_seconds() - used) / (time.perf_counter() - began) * 100)
                memory.append(terminal.megabytes())
            writer.terminate()
    return memory[-1] - memory[0], shares[0], shares[-1]
