"""Flux on PostgreSQL: async workflows of ten steps, by one process or by several on one store."""

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.contenders import main, quickest
from flux_engine import FluxEngine, create_workflow
from flux_engine.storage.postgres import PostgresStorage

STEPS = 10
WARM_UP = 20


async def _count(ctx: Any) -> None:
    ctx.data["n"] = ctx.data.get("n", 0) + 1


def _counting() -> Any:
    builder = create_workflow("counting")
    for index in range(STEPS):
        builder = builder.step(f"s{index}", _count)
    return builder.build()


def durable(folder: str, dsn: str, runs: int, at_once: int) -> float:  # noqa: ARG001 - a server keeps it
    """Return steps a second with so many runs at once in one process."""

    async def measured() -> float:
        flow = _counting()
        async with FluxEngine(storage=PostgresStorage(dsn)) as engine:
            for _ in range(WARM_UP):
                await engine.execute(flow)

            async def some() -> None:
                await asyncio.gather(*[engine.execute(flow) for _ in range(at_once)])

            return at_once * STEPS / await quickest(runs // at_once, some)

    return asyncio.run(measured())


def workers(folder: str, dsn: str, processes: int, seconds: float, at_once: int) -> float:
    """Return the steps a second of several processes together, each with so many runs at once."""
    parameters = {"folder": folder, "dsn": dsn, "seconds": seconds, "at_once": at_once}
    command = [sys.executable, "-m", __spec__.name, "worker", json.dumps(parameters)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        process.stdout.readline()
    return sum(float(process.communicate()[0].split()[-1]) for process in _told(started))


def _told(processes: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for process in processes:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def worker(folder: str, dsn: str, seconds: float, at_once: int) -> float:  # noqa: ARG001 - as above
    """Be one of them: say that it is ready, wait for a line, and return its steps a second."""

    async def measured() -> float:
        flow = _counting()
        async with FluxEngine(storage=PostgresStorage(dsn)) as engine:
            await asyncio.gather(*[engine.execute(flow) for _ in range(at_once)])
            print("ready", flush=True)
            sys.stdin.readline()
            began, done = time.perf_counter(), 0

            async def some() -> None:
                nonlocal done
                while time.perf_counter() - began < seconds:
                    await engine.execute(flow)
                    done += STEPS

            await asyncio.gather(*[some() for _ in range(at_once)])
            return done / (time.perf_counter() - began)

    return asyncio.run(measured())


if __name__ == "__main__":
    main({"durable": durable, "workers": workers, "worker": worker})
