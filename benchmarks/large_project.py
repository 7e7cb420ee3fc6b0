"""A project as it looks after much work: a trace of a million events, a store of a hundred thousand runs.

Both are made once and kept in a folder below the system's temporary one.
"""

import heapq
import itertools
import json
import os
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec import Struct

from flux_engine import FluxEngine, SQLiteStorage
from flux_engine.trace.events import TraceEvent, encode_event

EVENTS = 1_000_000
RUNS = 100_000
STEPS = ("validate", "reserve", "charge", "pack", "ship")
EVENTS_OF_A_RUN = 32
SPACING = 6.4
"""Milliseconds between the starts of two runs: some fifty are on their way at once."""

FAILING = 30
"""One run in so many fails, at its last step."""

LAST = 1_767_225_600_000.0
"""When the latest event happened, in milliseconds since the epoch."""

WORKFLOW = '''
"""The workflow that the runs of the store and of the trace were made with."""

from flux_engine import create_workflow

def nothing(ctx):
    """Do nothing."""

orders = create_workflow("orders")
for name in ("validate", "reserve", "charge", "pack", "ship"):
    orders = orders.step(name, nothing)
'''


class Files(Struct, frozen=True, kw_only=True):
    """Where a trace and a store are, and how many runs the trace has."""

    trace: Path
    store: Path
    traced: int


async def large_project(events: int = EVENTS, runs: int = RUNS) -> Files:
    """Return a trace with so many events and a store with so many runs, the latest of them those traced."""
    folder = Path(tempfile.gettempdir()) / f"flux-benchmarks-{os.getuid()}" / f"{events}-{runs}-1"
    traced = events // EVENTS_OF_A_RUN
    files = Files(trace=folder / "trace.ndjson", store=folder / "flux.db", traced=traced)
    if not files.store.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with files.trace.open("wb") as file:
            file.writelines(line for _, line in trace_lines(range(traced)))
        making = folder / "making.db"
        making.unlink(missing_ok=True)
        async with FluxEngine(storage=SQLiteStorage(making)):
            pass
        _fill(making, runs, traced)
        making.rename(files.store)
    return files


def trace_lines(
    numbers: range, *, began: float | None = None, spacing: float = SPACING
) -> Iterator[tuple[float, bytes]]:
    """Yield the lines of runs that ran so many at once, each with its time, in the order of the times."""
    first = LAST - len(numbers) * spacing if began is None else began
    chance = random.Random(1)
    pending: list[tuple[float, int, Iterator[tuple[float, bytes]], bytes]] = []
    for place, number in enumerate(numbers):
        start = first + place * spacing
        while pending and pending[0][0] <= start:
            yield _next_of(pending)
        own = iter(_lines_of(number, start, chance))
        at, line = next(own)
        heapq.heappush(pending, (at, number, own, line))
    while pending:
        yield _next_of(pending)


def run_id(number: int) -> str:
    """Return the id of a run by its number, the oldest being 0."""
    return str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128))


def _next_of(pending: list[tuple[float, int, Iterator[tuple[float, bytes]], bytes]]) -> tuple[float, bytes]:
    at, number, own, line = pending[0]
    following = next(own, None)
    if following is None:
        heapq.heappop(pending)
    else:
        heapq.heapreplace(pending, (following[0], number, own, following[1]))
    return at, line


def _lines_of(number: int, start: float, chance: random.Random) -> Iterator[tuple[float, bytes]]:
    fails = number % FAILING == FAILING - 1
    at = start

    def line(kind: str, **fields: Any) -> tuple[float, bytes]:
        nonlocal at
        at += chance.random() * 20
        event = TraceEvent(
            type=kind, timestamp=at, workflow_id=run_id(number), workflow_name="orders", **fields
        )
        return at, encode_event(event)

    yield line("workflow:start", status="running", input={"order": number}, graph=_GRAPH)
    for index, name in enumerate(STEPS):
        step = {"step_name": name, "step_index": index, "attempt": 1}
        yield line("step:start", **step, commit=False, retries=0, max_retries=0, status="running")
        for what in ("checking", "found", "working", "done"):
            meta = {"stream": "stdout", "text": f"{what} {number}"}
            yield line("step:log", **step, meta=meta)
        if fails and index == len(STEPS) - 1:
            error = f"ValueError: order {number} was declined"
            exception = {"type": "ValueError", "message": f"order {number} was declined", "step": name}
            yield line(
                "step:error",
                **step,
                error=error,
                duration=9.5,
                status="failed",
                meta={"exception": exception},
            )
            yield line(
                "workflow:error",
                error=error,
                duration=at - start,
                status="failed",
                meta={"exception": exception},
            )
            return
        changes = {"set": {name: number}, "deleted": []}
        yield line(
            "step:complete",
            **step,
            commit=False,
            retries=0,
            duration=9.5,
            status="completed",
            changes=changes,
        )
    yield line(
        "workflow:complete", duration=at - start, status="completed", data=dict.fromkeys(STEPS, number)
    )


_GRAPH = {
    "name": "orders",
    "steps": [
        {
            "name": name,
            "index": index,
            "commit": False,
            "conditional": False,
            "after": list(STEPS[index - 1 : index]) if index else [],
            "fingerprint": f"{index:016x}",
            "source": {"file": "/home/ada/shop/orders.py", "line": 7, "end_line": 9, "function": "nothing"},
        }
        for index, name in enumerate(STEPS)
    ],
    "edges": list(itertools.pairwise(STEPS)),
}


def _fill(path: Path, runs: int, traced: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany(
            "INSERT INTO runs (id, workflow, status, created_at, updated_at, fence, error_summary)"
            " VALUES (?, ?, ?, ?, ?, 1, ?)",
            _rows(runs, traced),
        )
        connection.execute("INSERT INTO definitions SELECT id, 'null', ? FROM runs", (json.dumps(_GRAPH),))
    connection.close()


def _rows(runs: int, traced: int) -> Iterator[tuple[str | None, ...]]:
    for number in range(traced - runs, traced):
        at = _text_of(LAST - (traced - number) * SPACING)
        failed = number % FAILING == FAILING - 1
        error = f"ValueError: order {number} was declined" if failed else None
        yield run_id(number), "orders", "failed" if failed else "completed", at, at, error


def _text_of(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
