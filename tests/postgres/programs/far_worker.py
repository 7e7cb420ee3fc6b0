"""A worker with a host name of its own: ``far_worker.py DSN ROLE``, by role ``begins`` or ``helps``.

One that begins waits in its second step for a line. It prints a line for each thing that happens.
"""

import asyncio
import json
import sys

from flux_engine import FluxEngine, FluxError, FluxSilentLogger, PostgresStorage, create_workflow

DSN, ROLE = sys.argv[1:]
LEASE = 1.5


def say(**what):
    print(json.dumps({"role": ROLE, **what}), flush=True)


async def first(ctx):
    say(step="first")


async def second(ctx):
    say(step="second")
    if ROLE == "begins":
        await asyncio.to_thread(sys.stdin.readline)
    ctx.data.by = ROLE


async def pay(ctx):
    await ctx.tx.execute("INSERT INTO receipts (worker) VALUES (?)", (ROLE,))
    say(step="pay")


flow = create_workflow("orders").step("first", first).step("second", second).commit("pay", pay)


async def main():
    storage = PostgresStorage(DSN, connect_timeout=2)
    async with FluxEngine(
        storage=storage, logger=FluxSilentLogger(), default_retries=0, default_timeout=120, lease=LEASE
    ) as engine:
        if ROLE == "begins":
            try:
                await engine.execute(flow, run_id="run-1")
            except FluxError as error:
                say(error=type(error).__name__)
            return
        while not await engine.recover([flow]):
            await asyncio.sleep(0.1)
        say(recovered=True)
        while (await engine.get("run-1")).status != "completed":
            await asyncio.sleep(0.02)
        say(completed=True)


asyncio.run(main())
