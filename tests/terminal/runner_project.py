"""A project folder with a pool of real runners, for tests."""

import asyncio
import json
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.pool import RunnerPool
from flux_tui.runner.pool_events import PoolEvent, Reloaded, RunEnded

DEADLINE = 30.0

FLOW = """
    from pathlib import Path
    import asyncio, os, signal, sys, threading, time
    from flux_engine import create_workflow

    HERE = Path(__file__).parent
    FREE = HERE / "free"

    def mark(name):
        with (HERE / "calls").open("a") as calls:
            calls.write(name + chr(10))

    def until_free():
        while not FREE.exists():
            time.sleep(0.01)
"""


class Project:
    """A project folder, the pool that runs its workflows, and what the pool has told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[PoolEvent] = []
        self.config = RunnerConfig(
            root=str(folder),
            db=str(folder / ".flux" / "flux.db"),
            trace=str(folder / ".flux" / "trace.ndjson"),
            paths=(str(folder),),
            grace=1.0,
        )
        self.pool = RunnerPool(self.config, self.events.append)

    def write(self, name: str, text: str) -> Path:
        """Write a module that begins with the imports of ``FLOW``."""
        path = self.folder / name
        path.write_text(textwrap.dedent(FLOW) + textwrap.dedent(text))
        return path

    def calls(self) -> list[str]:
        """Return what the handlers have marked."""
        path = self.folder / "calls"
        return path.read_text().split() if path.exists() else []

    def free(self) -> None:
        """Let handlers go that wait for it."""
        (self.folder / "free").touch()

    def trace(self) -> list[dict[str, Any]]:
        """Return the events of the trace."""
        path = self.folder / ".flux" / "trace.ndjson"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def log(self) -> list[str]:
        """Return the lines that steps have written."""
        return [event["meta"]["text"] for event in self.trace() if event["type"] == "step:log"]

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def heard(self, kind: type[Any], number: int = 1) -> Any:
        """Wait for an event of a kind, and return it."""
        await until(lambda: len(self.of(kind)) >= number, lambda: f"{kind.__name__} among {self.events}")
        return self.of(kind)[number - 1]

    async def called(self, name: str) -> None:
        """Wait until a handler has marked that it was called."""
        await until(lambda: name in self.calls(), lambda: f"{name} among {self.calls()} {self.events}")

    async def reload(self) -> Reloaded:
        """Load anew, and return what came of it."""
        number = len(self.of(Reloaded)) + 1
        await self.pool.reload()
        return await self.heard(Reloaded, number)

    async def run_to_end(self, workflow: str) -> RunEnded:
        """Run a workflow, and return how it ended."""
        run_id = await self.pool.run(workflow, {})
        await until(lambda: any(e.run_id == run_id for e in self.of(RunEnded)), lambda: str(self.events))
        return next(event for event in self.of(RunEnded) if event.run_id == run_id)


async def until(condition: Callable[[], bool], describe: Callable[[], str]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {describe()}"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Say whether the process is there, and not only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids_of(project: Project) -> list[int]:
    """Return the processes that have runs in hand."""
    return [member.process.pid for member in project.pool._members.values() if member.in_hand]
