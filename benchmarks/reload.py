"""From a save to the new code being ready to run, in the pool that the dashboard uses."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.large_project import WORKFLOW
from flux_tui.feed.modules import watch_modules
from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.pool import RunnerPool
from flux_tui.runner.pool_events import PoolEvent, Reloaded

MODULE = "orders"
PARTS = 10
PART = '''
"""Part {number} of a project."""

import dataclasses
import json
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Item{number}:
    """Something to order."""

    name: str
    price: float = 1.0
    tags: tuple[str, ...] = ()

    def as_json(self) -> str:
        """Return it as text."""
        return json.dumps(dataclasses.asdict(self))


def total(items: list[Item{number}]) -> float:
    """Return what items cost."""
    return sum(item.price for item in items)
'''
"""A module of the project, of which the workflow imports ten."""

BETWEEN_SAVES = 1.5
"""Seconds in which the next warm runner gets ready: people do not save faster."""


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Save a module that imports ten others ``rounds`` times; before that, import it as often by hand."""
    project = folder / "project"
    _write(project)
    peer = tuple([await asyncio.to_thread(_imported, project) for _ in range(rounds)])
    return [
        Figure(
            name="reload",
            title="save → reloaded",
            target=300,
            slow_count=True,
            samples=await _saved(project, rounds),
            peer_title=f"python -c 'import {MODULE}'",
            peer=peer,
        )
    ]


def _write(project: Path) -> None:
    project.mkdir()
    for number in range(PARTS):
        (project / f"part_{number}.py").write_text(PART.format(number=number), encoding="utf-8")
    imports = "".join(f"import part_{number}\n" for number in range(PARTS))
    (project / f"{MODULE}.py").write_text(imports + WORKFLOW, encoding="utf-8")


async def _saved(project: Path, rounds: int) -> tuple[float, ...]:
    reloads: asyncio.Queue[Reloaded] = asyncio.Queue()
    files: set[Path] = set()

    def told(event: PoolEvent) -> None:
        if isinstance(event, Reloaded):
            files.update(map(Path, event.files))
            reloads.put_nowait(event)

    config = RunnerConfig(
        root=str(project),
        db=str(project / ".flux/flux.db"),
        trace=str(project / ".flux/trace.ndjson"),
        paths=(str(project),),
    )
    pool = RunnerPool(config, told)

    async def follow() -> None:
        async for _ in watch_modules([project], lambda: files):
            await pool.reload()

    await pool.start()
    await reloads.get()
    following = asyncio.create_task(follow())
    samples = []
    try:
        for number in range(rounds):
            await asyncio.sleep(BETWEEN_SAVES)
            path = project / f"{MODULE}.py"
            text = path.read_text(encoding="utf-8") + f"\n# save {number}\n"
            while not reloads.empty():
                reloads.get_nowait()
            saved = time.perf_counter()
            path.write_text(text, encoding="utf-8")
            await reloads.get()
            samples.append((time.perf_counter() - saved) * 1000)
    finally:
        following.cancel()
        await pool.stop()
    return tuple(samples)


def _imported(project: Path) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {MODULE}"], cwd=project, check=True)  # noqa: S603 - ours
    return (time.perf_counter() - began) * 1000
