"""From a save to the new code being ready to run, in the pool that the dashboard uses."""

import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure
from flux_tui.feed.modules import watch_modules
from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.pool import RunnerPool
from flux_tui.runner.pool_events import PoolEvent, Reloaded

EXAMPLES = Path(__file__).parents[1] / "examples"
MODULE = "order_fulfillment"
BETWEEN_SAVES = 1.5
"""Seconds in which the next warm runner gets ready: people do not save faster."""


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Save an example ``rounds`` times in a copy of the examples; then import it as often by hand."""
    project = folder / "project"
    shutil.copytree(EXAMPLES, project)
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
