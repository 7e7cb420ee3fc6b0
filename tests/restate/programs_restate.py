"""A service in a process of its own, to be killed: ``python programs_restate.py PORT FOLDER NAME``.

Each call of a handler is a line in ``FOLDER/calls``. The step ``work`` of the first process hangs.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

from flux_engine import JsonFileTraceSink, create_workflow, sleep, wait
from flux_engine.integrations.restate import restate_app

PORT, FOLDER, NAME = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
CALLS = FOLDER / "calls"


def called(ctx):
    """Note that a handler was called."""
    with CALLS.open("a") as file:
        file.write(f"{ctx.name} {ctx.current_step} {ctx.attempt} {ctx.idempotency_key} {os.getpid()}\n")


def quick(ctx):
    """Add one to a count."""
    called(ctx)
    ctx.data.n = ctx.data.get("n", 0) + 1


async def work(ctx):
    """Hang as long as the file is there."""
    called(ctx)
    ctx.logger.info("working")
    while (FOLDER / "hang").exists():
        await asyncio.sleep(0.02)
    ctx.data.n += 10


def ask(ctx):
    """Wait for a signal."""
    called(ctx)
    return wait("go")


def nap(ctx):
    """Sleep longer than a handler is left without anything to do."""
    called(ctx)
    return sleep(1.5)


LOAD = 6


def loaded():
    """Return a workflow of steps that take a moment each; half of them are commits."""
    flow = create_workflow(f"{NAME}-load")

    async def moment(ctx):
        with CALLS.open("a") as file:
            file.write(f"{ctx.id} {ctx.current_step} {ctx.attempt}\n")
        await asyncio.sleep(0.05)
        ctx.data.done = [*ctx.data.get("done", []), ctx.current_step]

    for number in range(LOAD):
        flow = (flow.commit if number % 2 else flow.step)(f"s{number}", moment)
    return flow


FLOWS = [
    loaded(),
    create_workflow(f"{NAME}-chain").step("a", quick).commit("work", work).step("b", quick),
    create_workflow(f"{NAME}-hold").step("a", quick).commit("work", work, on_crash="hold").step("b", quick),
    create_workflow(f"{NAME}-beside")
    .step("a", quick)
    .step("left", work, after=("a",))
    .step("right", work, after=("a",))
    .step("b", quick, after=("left",)),
    create_workflow(f"{NAME}-waits").step("a", quick).step("ask", ask).step("nap", nap).step("b", quick),
]


async def main():
    """Serve them."""
    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    app = restate_app(
        FLOWS,
        trace=JsonFileTraceSink(FOLDER / "trace.ndjson"),
        default_retries=0,
        default_timeout=60,
        inactivity_timeout=timedelta(milliseconds=300),
    )
    await serve(app, config)


if __name__ == "__main__":
    asyncio.run(main())
