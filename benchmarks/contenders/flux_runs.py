"""Flux itself: async workflows whose steps change one small key of ``ctx.data``."""

import asyncio
import itertools
import statistics
import time
from pathlib import Path
from typing import Any, Literal

from benchmarks.contenders import main, quickest
from flux_engine import (
    FluxEngine,
    FluxSilentLogger,
    JsonFileTraceSink,
    MemoryStorage,
    SQLiteStorage,
    create_workflow,
    sleep,
    wait,
)
from flux_engine.storage.base import WorkflowStorage

STEPS = 10
WARM_UP = 20
QUIET = 5.0
"""Percent of a core that a process takes when its runs have come to rest."""

Kept = Literal["memory", "sqlite"]


async def _count(ctx: Any) -> None:
    ctx.data["n"] = ctx.data.get("n", 0) + 1


def _counting(steps: int = STEPS, handler: Any = _count) -> Any:
    builder = create_workflow("counting")
    for index in range(steps):
        builder = builder.step(f"s{index}", handler)
    return builder.build()


def _storage(kept: Kept, folder: str) -> WorkflowStorage:
    return MemoryStorage() if kept == "memory" else SQLiteStorage(Path(folder) / "flux.db")


def memory(folder: str, runs: int, *, traced: bool = False) -> float:
    """Return microseconds a step, in memory; ``traced`` writes the trace to a file on disk."""

    async def measured() -> float:
        trace = JsonFileTraceSink(Path(folder) / "trace.ndjson") if traced else None
        flow = _counting()
        async with FluxEngine(trace=trace) as engine:
            for _ in range(WARM_UP):
                await engine.execute(flow)
            return await quickest(runs, lambda: engine.execute(flow)) / STEPS * 1e6

    return asyncio.run(measured())


def durable(folder: str, runs: int, at_once: int) -> float:
    """Return steps a second in a SQLite file, FULL, with so many runs at once in one process."""

    async def measured() -> float:
        flow = _counting()
        async with FluxEngine(storage=_storage("sqlite", folder)) as engine:
            for _ in range(WARM_UP):
                await engine.execute(flow)

            async def some() -> None:
                await asyncio.gather(*[engine.execute(flow) for _ in range(at_once)])

            return at_once * STEPS / await quickest(runs // at_once, some)

    return asyncio.run(measured())


def long_run(folder: str, steps: int, kept: Kept, runs: int) -> float:
    """Return microseconds a step, from the first handler to the last, of runs with so many steps."""
    moments: list[float] = []

    async def count(ctx: Any) -> None:
        ctx.data["n"] = ctx.data.get("n", 0) + 1
        moments.append(time.perf_counter())

    async def measured() -> float:
        flow = _counting(steps, count)
        taken = []
        async with FluxEngine(storage=_storage(kept, folder)) as engine:
            for number in range(runs + 2):
                moments.clear()
                await engine.execute(flow)
                if number > 1:
                    taken.append((moments[-1] - moments[0]) / (steps - 1) * 1e6)
        return min(taken)

    return asyncio.run(measured())


def large(folder: str, steps: int, what: Literal["milliseconds", "kilobytes"]) -> float:
    """Return what a step costs, or writes, that changes one small key beside 1 MB in ``ctx.data``."""
    moments: list[float] = []
    log = Path(folder) / "flux.db-wal"
    sizes: list[int] = []

    async def fill(ctx: Any) -> None:
        for number in range(16):
            ctx.data[f"part{number}"] = [f"{number}-{index:08}" * 4 for index in range(1486)]

    async def count(ctx: Any) -> None:
        ctx.data["n"] = ctx.data.get("n", 0) + 1
        moments.append(time.perf_counter())
        sizes.append(log.stat().st_size)

    builder = create_workflow("large").step("fill", fill)
    for index in range(steps):
        builder = builder.step(f"s{index}", count)

    async def measured() -> float:
        async with FluxEngine(storage=_storage("sqlite", folder)) as engine:
            await engine.execute(builder.build())
        values = moments if what == "milliseconds" else sizes
        each = [later - earlier for earlier, later in itertools.pairwise(values)]
        if what == "milliseconds":
            return statistics.median(each) * 1000
        # A checkpoint lets the log begin anew.
        return statistics.mean(size for size in each if size > 0) / 1024

    return asyncio.run(measured())


def at_rest(folder: str, runs: int, state: str, what: Literal["megabytes", "percent"]) -> float:
    """Return the memory of a process with so many runs that wait or sleep, or what it takes of a core."""

    async def rest(_: Any) -> Any:
        return sleep(86_400) if state == "sleeping" else wait("approval", timeout=86_400)

    async def measured() -> float:
        flow = create_workflow("resting").step("rest", rest).build()
        async with FluxEngine(storage=_storage("sqlite", folder)) as engine:
            tasks = [asyncio.create_task(engine.execute(flow)) for _ in range(runs)]
            while await _share_of_a_core(0.5) > QUIET:
                pass
            if what == "megabytes":
                return _resident_megabytes()
            share = await _share_of_a_core(15)
            del tasks
            return share

    return asyncio.run(measured())


async def _share_of_a_core(seconds: float) -> float:
    began, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    return (time.process_time() - used) / (time.perf_counter() - began) * 100


def soak(folder: str, runs: int, at_once: int, what: Literal["megabytes", "growth"]) -> float:
    """Return what the memory, or the CPU time of a step in percent, has grown by between two long stretches.

    Runs of ten steps, every tenth of which fails and is retried, in a SQLite file and with a trace.
    """

    async def fail_at_first(ctx: Any) -> None:
        if ctx.attempt == 1 and hash(ctx.id) % 10 == 0:
            raise ValueError("declined")

    builder = create_workflow("soaking")
    for index in range(STEPS):
        builder = builder.step(f"s{index}", fail_at_first if index == STEPS // 2 else _count, retries=0)
    flow = builder.build()

    async def one(engine: FluxEngine) -> None:
        result = await engine.execute(flow)
        if not result.ok and result.error is not None and result.error.step is not None:
            await engine.retry_step(flow, result.id, result.error.step)

    async def stretch(engine: FluxEngine) -> float:
        began = time.process_time()
        for _ in range(runs // at_once):
            await asyncio.gather(*[one(engine) for _ in range(at_once)])
        return time.process_time() - began

    async def measured() -> float:
        trace = JsonFileTraceSink(Path(folder) / "trace.ndjson")
        async with FluxEngine(
            storage=_storage("sqlite", folder), trace=trace, logger=FluxSilentLogger()
        ) as engine:
            await stretch(engine)
            memory, early = _resident_megabytes(), await stretch(engine)
            await stretch(engine)
            late = await stretch(engine)
        return _resident_megabytes() - memory if what == "megabytes" else (late / early - 1) * 100

    return asyncio.run(measured())


def _resident_megabytes() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not tell how much memory a process has")


if __name__ == "__main__":
    main(
        {
            "memory": memory,
            "durable": durable,
            "long_run": long_run,
            "large": large,
            "at_rest": at_rest,
            "soak": soak,
        }
    )
