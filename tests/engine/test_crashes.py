"""Killed with SIGKILL, anywhere: what is stored is whole, and whoever comes next goes on with it."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from flux_engine import FluxEngine, SQLiteStorage

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the program forks")

PROGRAM = Path(__file__).parent / "programs" / "crashing.py"

KILLS = int(os.environ.get("FLUX_TEST_KILLS", "300"))
"""How many random moments are tried; in batches of ``KILLS_IN_A_ROW`` on one store."""

KILLS_IN_A_ROW = 20

EXPECTED = {
    "chain": ("completed", {"count": 4, "big": "x" * 70_000, "tags": {"a", "b"}}),
    "diamond": ("completed", {"count": 2, "left": 1, "right": 1, "sum": 2}),
    "waits": ("completed", {"count": 3, "by": "ada"}),
    "undone": ("failed", {}),
}
SKIPPED = {"never"}


class Note(NamedTuple):
    """A line of the log that handlers write."""

    run: str
    step: str
    attempt: int
    word: str
    key: str


class Program:
    """The program that dies, and the folder that it works in."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, folder: Path, **order: object) -> None:
        """Have a child begin."""
        self._say(json.dumps({"folder": str(folder)} | order))

    def end(self, how: str) -> int:
        """``wait`` for the child to end, or ``kill`` it now; return its exit code."""
        self._say(how)
        return int(self._process.stdout.readline())

    def run(self, folder: Path, **order: object) -> int:
        """Have a child do something to its end; return its exit code."""
        self.begin(folder, **order)
        return self.end("wait")

    def _say(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def program():
    started = Program()
    yield started
    started.close()


class Scene:
    """What is found in a folder after each death, and whether it all fits together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ends_of_trace: set[int] = set()
        self._settled: set[tuple[str, str]] = set()
        self._read = 0

    def look(self) -> None:
        """Look at what a death has left."""
        settled, attempts = self._journal()
        begun = self.log()[self._read :]
        again = {(note.run, note.step) for note in begun if note.word == "begin"} & self._settled
        assert not again, "steps that were completed, taken back or failed for good ran again"
        unknown = {note[:3] for note in begun if note.word == "begin"} - attempts
        assert not unknown, "handlers were called without a stored intent"
        told = self._told("step:complete")
        assert told <= settled, "the trace tells of results that are not stored"
        self._read += len(begun)
        self._settled = settled
        trace = self.folder / "trace.ndjson"
        self.ends_of_trace.add(trace.stat().st_size if trace.exists() else 0)

    def log(self) -> list[Note]:
        """Return what the handlers have written."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [Note(run, step, int(n), word, key) for run, step, n, word, key in map(str.split, lines)]

    def rows(self, sql: str) -> list[tuple]:
        """Query the store as it lies there."""
        if not (self.folder / "flux.db").exists():
            return []
        # Who only reads cannot take back what a death in the middle of making the file has left.
        with closing(sqlite3.connect(f"file:{self.folder}/flux.db?mode=rw", uri=True)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'journal'").fetchone():
                return []
            return database.execute(sql).fetchall()

    def _journal(self):
        """Return the steps that are not to run again, and the attempts that were stored."""
        rows = self.rows(
            "SELECT run_id, step, status, attempt FROM journal WHERE kind = 'attempt' ORDER BY seq"
        )
        last = {(run, step): status for run, step, status, _ in rows}
        settled = {
            (run, step)
            for (run, step), status in last.items()
            if status in {"completed", "skipped"} or (status == "failed" and step == "ship")
        }
        return settled, {(run, step, attempt) for run, step, _, attempt in rows}

    def _told(self, kind):
        return {
            (event["workflowId"], event["stepName"]) for event in self.trace()[0] if event["type"] == kind
        }

    def trace(self) -> tuple[list[dict], list[int]]:
        """Return the events of the trace, and where the bad lines end."""
        path = self.folder / "trace.ndjson"
        events, bad, offset = [], [], 0
        for line in path.read_bytes().split(b"\n") if path.exists() else []:
            offset += len(line)
            if line:
                try:
                    events.append(json.loads(line))
                except ValueError:
                    bad.append(offset)
            offset += 1
        return events, bad

    async def check_end(self) -> None:
        """Everything has ended: compare the store, the log and the trace."""
        assert self.rows("PRAGMA integrity_check") in ([("ok",)], [])
        bad = self.trace()[1]
        assert set(bad) <= self.ends_of_trace, "torn lines that are not where somebody died"
        log = self.log()
        keys = defaultdict(set)
        for note in log:
            keys[note.run, note.step].add(note.key)
        assert all(len(found) == 1 for found in keys.values()), "an idempotency key changed"
        begun = [note[:3] for note in log if note.word == "begin"]
        assert len(begun) == len(set(begun)), "an attempt was made twice under one number"
        ends = {(note.run, note.step, note.attempt) for note in log if note.word == "end"}
        async with FluxEngine(storage=SQLiteStorage(self.folder / "flux.db")) as engine:
            found = await engine.list(limit=10_000)
            assert {note.run for note in log} <= {run.id for run in found}
            for run in found:
                check_run(await engine.get(run.id), ends)
        ended = defaultdict(set)
        for event in self.trace()[0]:
            if event["type"] in {"workflow:complete", "workflow:error"}:
                ended[event["workflowId"]].add(event["status"])
        assert all(len(statuses) == 1 for statuses in ended.values())


def check_run(state, ends) -> None:
    """A run has ended as it would have without any death, and its record is that of the log."""
    status, data = EXPECTED[state.name]
    assert (state.id, state.status, state.data) == (state.id, status, data)
    for step in state.history:
        if step.name in SKIPPED:
            assert (step.status, step.attempts) == ("skipped", 0)
        elif step.name == "ship":
            assert step.status == "failed"
        else:
            assert step.status == ("compensated" if state.name == "undone" else "completed")
            last = step.attempt_log[-1]
            assert last.status == "completed"
            assert (state.id, step.name, last.number) in ends
        numbers = [attempt.number for attempt in step.attempt_log]
        assert numbers == list(range(1, len(numbers) + 1))


PLACES = [
    *(
        place.format(step)
        for step in ("first", "charge", "last")
        for place in (
            "before {} running",
            "after {} running",
            "untold step:start {}",
            "half step:start {}",
            "told step:start {}",
            "in {}",
            "before {} completed",
            "after {} completed",
            "untold step:complete {}",
            "half step:complete {}",
            "told step:complete {}",
        )
    ),
    *("before second failed", "after second failed", "untold step:retry second", "told step:retry second"),
    *("after never skipped", "in left", "in right", "before right completed", "in join"),
    *("before ask suspended", "after ask suspended", "untold workflow:suspend", "told workflow:suspend"),
    *("before ask completed", "untold signal:received ask", "told signal:received ask"),
    *("before nap suspended", "after nap suspended", "after nap completed", "in pay"),
    *("in pack", "before ship failed", "before pack running", "undoing pack", "before pack compensated"),
    *("after pack compensated", "undoing reserve", "before reserve compensated", "after reserve compensated"),
    *("untold workflow:start", "half workflow:start", "untold workflow:complete", "half workflow:complete"),
    "told workflow:error",
]


@pytest.mark.parametrize("place", PLACES)
async def test_a_death_at_a_named_point_costs_nothing_that_was_done(program, tmp_path, place):
    """Every run ends as it would have, no completed step runs twice, store and trace are sound."""
    scene = Scene(tmp_path)
    assert program.run(tmp_path, do=["start"], name="a", die=place) == -signal.SIGKILL
    scene.look()
    assert program.run(tmp_path, do=["recover"]) == 0
    scene.look()
    await scene.check_end()


@pytest.mark.parametrize("place", ["statement", "half a line"])
async def test_a_death_at_any_statement_or_line_costs_nothing_that_was_done(program, tmp_path, place):
    """Before each statement of the database, one after the other, and in the middle of each line."""
    nth, code = 0, -signal.SIGKILL
    step = 2 if place == "statement" else 1
    while code == -signal.SIGKILL:
        folder = tmp_path / str(nth)
        folder.mkdir()
        scene = Scene(folder)
        code = program.run(folder, do=["start"], name="a", workflows=["chain", "undone"], die=place, nth=nth)
        scene.look()
        assert program.run(folder, do=["recover"]) == 0
        scene.look()
        await scene.check_end()
        nth += step
    assert code == 0
    assert nth > 20


@pytest.mark.parametrize("batch", range(-(-KILLS // KILLS_IN_A_ROW)))
async def test_deaths_at_random_moments_cost_nothing_that_was_done(program, tmp_path, batch):
    """Many runs at once, killed again and again: while they run, and while they are recovered."""
    moments = random.Random(batch)  # noqa: S311
    scene = Scene(tmp_path)
    killed = 0
    for n in range(min(KILLS_IN_A_ROW, KILLS - batch * KILLS_IN_A_ROW)):
        program.begin(tmp_path, do=["recover", "start"], name=f"{n}", runs=3)
        await asyncio.sleep(moments.uniform(0, 0.25) * moments.random())
        killed += program.end("kill") == -signal.SIGKILL
        scene.look()
    assert killed > 0
    assert program.run(tmp_path, do=["recover"]) == 0
    scene.look()
    await scene.check_end()
