"""A worker process: ``postgres_worker.py DSN SCHEMA WORD``, told what to do by the word.

It prints a line for each step that it has done, and reads a line before it begins.
"""

import asyncio
import json
import sys

from flux_engine import FluxEngine, FluxSilentLogger, create_workflow
from flux_engine.errors import OwnershipLostError
from flux_engine.storage.contract_parts import a_run, a_write, an_entry
from flux_engine.storage.postgres import PostgresStorage

DSN, SCHEMA, WORD = sys.argv[1:]


def say(**what):
    print(json.dumps({"worker": WORD, **what}), flush=True)


async def step(ctx):
    say(run=ctx.id, step=ctx.current_step)
    if WORD == "hangs" and ctx.current_step == "s2":
        await asyncio.Event().wait()
    await asyncio.sleep(0.001)


async def pay(ctx):
    await ctx.tx.execute("INSERT INTO receipts (run, worker) VALUES (?, ?)", (ctx.id, WORD))
    say(run=ctx.id, step="pay")


flow = create_workflow("orders")
for n in range(4):
    flow = flow.step(f"s{n}", step)
flow = flow.commit("pay", pay)


async def opens(storage):
    await storage.open()
    await storage.close()


async def writes(storage):
    await storage.open()
    for n in range(40):
        await storage.create(a_run(f"{WORD}-{n:02}"))
        await storage.save(a_write(f"{WORD}-{n:02}", entries=(an_entry(1), an_entry(2))))
    await storage.close()


async def claims(storage):
    await storage.open()
    won = 0
    for n in range(40):
        try:
            await storage.claim(f"run-{n:02}", fence=0, owner=WORD)
            won += 1
        except OwnershipLostError:
            pass
    say(won=won)
    await storage.close()


async def works(storage):
    """Begin runs of one's own and finish those of others, until told to end."""
    async with FluxEngine(storage=storage, logger=FluxSilentLogger(), default_retries=0) as engine:
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        ids = [f"{WORD}-{n}" for n in range(10)]
        begun = [asyncio.create_task(engine.execute(flow, run_id=run_id)) for run_id in ids]
        while not told.done():
            await engine.recover([flow])
            await asyncio.sleep(0.05)
        await asyncio.gather(*begun)


TASKS = {"o": opens, "w": writes, "c": claims}


async def main():
    storage = PostgresStorage(DSN, schema=SCHEMA, writers=1)
    sys.stdin.readline()
    await TASKS.get(WORD[0], works)(storage)


say(ready=True)
asyncio.run(main())
