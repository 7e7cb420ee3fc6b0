"""Writes a trace as it happens: ``python -m benchmarks.live_trace FILE EVENTS_A_SECOND SECONDS``."""

import sys
import time
from pathlib import Path

from benchmarks.large_project import EVENTS_OF_A_RUN, trace_lines

BATCH = 0.01
"""Seconds between two writes."""

FIRST = 10_000_000
"""The number of the first run, far from those that other traces have."""


def write(path: Path, rate: float, seconds: float) -> None:
    """Append events at an even rate, each with the time at which it is written."""
    began = time.time()
    runs = range(FIRST, FIRST + round(rate * seconds))
    lines = trace_lines(runs, began=began * 1000, spacing=EVENTS_OF_A_RUN / rate * 1000)
    written = 0
    with path.open("ab", buffering=0) as file:
        while (passed := time.time() - began) < seconds:
            due = round(rate * passed)
            file.write(b"".join(line for _, (_, line) in zip(range(due - written), lines, strict=False)))
            written = due
            time.sleep(BATCH)


if __name__ == "__main__":
    write(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
