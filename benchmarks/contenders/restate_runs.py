"""Workflows of ten steps on a Restate server: served by Flux, and written by hand with Restate's library."""

import asyncio
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from benchmarks.contenders import main, quickest
from flux_engine import Context, JsonFileTraceSink, create_workflow
from flux_engine.integrations.restate import RestateClient, restate_app
from flux_engine.integrations.restate.http_api import HttpApi, RestateError

STEPS = 10

by_hand = restate.Workflow("counting")


def _count(data: dict[str, int]) -> dict[str, int]:
    return {"n": data.get("n", 0) + 1}


@by_hand.main()
async def run(ctx: restate.WorkflowContext, data: dict[str, int]) -> dict[str, int]:
    """Take the steps, each a durable action, and keep what has come of them where it can be looked at."""

    async def count(before: dict[str, int]) -> dict[str, int]:
        return _count(before)

    for number in range(STEPS):
        data = await ctx.run_typed(f"step {number}", count, before=data)
        ctx.set("data", data)
    return data


async def step(ctx: Context[Any, Any]) -> None:
    """Change one small value."""
    ctx.data.update(_count(ctx.data))


def flux(folder: str, runs: int, at_once: int, *, trace: bool = False) -> float:
    """Return milliseconds a run, served by Flux."""
    flow = create_workflow("counting")
    for number in range(STEPS):
        flow.step(f"step {number}", step)
    sink = JsonFileTraceSink(Path(folder) / "trace.ndjson") if trace else None
    return asyncio.run(_milliseconds(restate_app([flow], trace=sink), Path(folder), runs, at_once))


def hand(folder: str, runs: int, at_once: int) -> float:
    """Return milliseconds a run, written by hand."""
    return asyncio.run(_milliseconds(restate.app([by_hand]), Path(folder), runs, at_once))


async def _milliseconds(app: Any, folder: Path, runs: int, at_once: int) -> float:
    numbers = itertools.count()
    async with _server(folder) as ports, _served(app) as url:
        client = RestateClient(f"http://127.0.0.1:{ports['ADMIN']}")
        ingress = HttpApi(f"http://127.0.0.1:{ports['INGRESS']}", what="ingress")
        await _patiently(lambda: client.register(url))

        async def some() -> None:
            calls = [ingress.ask("POST", f"/counting/{next(numbers)}/run", {}) for _ in range(at_once)]
            await asyncio.gather(*calls)

        for _ in range(max(2, 20 // at_once)):
            await some()
        return 1000 * await quickest(runs // at_once, some) / at_once


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[dict[str, int]]:
    program = os.environ.get("FLUX_TEST_RESTATE_SERVER") or shutil.which("restate-server")
    if program is None:
        raise ModuleNotFoundError("restate-server")
    ports = {name: _free_port() for name in ("ADMIN", "INGRESS", "NODE")}
    settings = {
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{ports['ADMIN']}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ports['INGRESS']}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{ports['NODE']}",
        "RESTATE_BASE_DIR": str(folder / "restate"),
        "RESTATE_LOG_FILTER": "error",
        "RESTATE_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once; the program the user named
        [program], env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield ports
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[str]:
    config = Config()
    config.bind = [f"127.0.0.1:{_free_port()}"]
    config.loglevel = "CRITICAL"
    config.graceful_timeout = 0.2
    stop = asyncio.Event()
    serving = asyncio.ensure_future(serve(app, config, shutdown_trigger=stop.wait))
    try:
        yield f"http://{config.bind[0]}"
    finally:
        stop.set()
        await asyncio.wait([serving], timeout=2)
        serving.cancel()


async def _patiently(attempt: Any) -> None:
    for _ in range(300):
        try:
            await attempt()
        except RestateError:
            await asyncio.sleep(0.1)
        else:
            return
    raise TimeoutError("Restate did not start")


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


if __name__ == "__main__":
    main({"flux": flux, "hand": hand})
