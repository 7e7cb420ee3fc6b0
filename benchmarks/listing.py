"""The first page of a listing, of 100,000 runs and of a million, with and without filters."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from flux_engine import FluxEngine, SQLiteStorage

SIZES = {100_000: 20.0, 1_000_000: 50.0}
"""Milliseconds that the first page may take, by the number of runs."""

STATUSES = ("completed", "completed", "completed", "failed", "completed", "paused", "completed", "suspended")

FILTERS: dict[str, dict[str, Any]] = {
    "": {},
    ", by status": {"status": "failed"},
    ", by workflow and two statuses": {"workflow": "flow 3", "status": ("failed", "suspended")},
}


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Fill a store, then ask for its first page."""
    figures = []
    for size, target in SIZES.items():
        path = folder / f"{size}.db"
        async with FluxEngine(storage=SQLiteStorage(path)):
            pass
        _fill(path, size)
        async with FluxEngine(storage=SQLiteStorage(path)) as engine:
            for what, query in FILTERS.items():
                samples = []
                for _ in range(max(rounds, 5)):
                    began = time.perf_counter()
                    rows = await engine.list(**query)
                    samples.append((time.perf_counter() - began) * 1000)
                if len(rows) != 50:  # noqa: PLR2004 - the length of a page
                    raise AssertionError(f"a page of {len(rows)} runs")
                title = f"first page of {size:,} runs{what}"
                figures.append(
                    Figure(
                        name="listing", title=title, samples=tuple(samples), target=target, slow_count=True
                    )
                )
    return figures


def _fill(path: Path, size: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany(
            "INSERT INTO runs (id, workflow, status, created_at, updated_at, fence, error_summary)"
            " VALUES (?, ?, ?, ?, ?, 1, ?)",
            _rows(size),
        )
    connection.close()


def _rows(size: int) -> Iterator[tuple[str | None, ...]]:
    for number in range(size):
        minutes, seconds = divmod(number, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        at = f"2026-01-{days + 1:02}T{hours:02}:{minutes:02}:{seconds:02}.000000Z"
        status = STATUSES[number % len(STATUSES)]
        error = "ValueError: declined" if status == "failed" else None
        yield f"{number:08}-0000-4000-8000-000000000000", f"flow {number % 5}", status, at, at, error
