"""The workflows that are run while the monkey is about, and the diary that their handlers keep.

The diary is outside of the store: each call of a handler is a line, written at once, so a killed process has
told all that it did.
"""

import asyncio
import json
import os
import random
import time
from pathlib import Path

from flux_engine import FatalError, create_workflow, sleep, wait
from flux_engine.retry import fixed

SOON = fixed(0.05)


class Diary:
    """Appends lines to a file that all processes share; a line is one write."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, what: str, **more: object) -> None:
        """Write a line."""
        line = {"at": time.time(), "pid": os.getpid(), "what": what, **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def chaos_flows(diary: Diary, *, transactions: bool):
    """Return the workflows; commits write to a table of receipts where there are ``transactions``."""

    async def moment(ctx):
        diary.note("begins", run=ctx.id, step=ctx.current_step, attempt=ctx.attempt)
        await asyncio.sleep(random.uniform(0.002, 0.04))
        ctx.data[ctx.current_step] = ctx.attempt

    async def check(ctx):
        await moment(ctx)
        if ctx.attempt == 1 and ctx.input["number"] % 5 == 0:
            raise ValueError("not at the first attempt")

    async def pay(ctx):
        await moment(ctx)
        if transactions:
            statement = "INSERT INTO receipts (run, step, attempt) VALUES (?, ?, ?)"
            await ctx.tx.execute(statement, (ctx.id, ctx.current_step, ctx.attempt))
            await asyncio.sleep(0.005)

    async def nap(ctx):
        await moment(ctx)
        return sleep(0.2)

    async def ask(ctx):
        await moment(ctx)
        return wait("go")

    async def doom(ctx):
        await moment(ctx)
        raise FatalError("as it is meant to be")

    def undo(ctx):
        diary.note("undoes", run=ctx.id, step=ctx.current_step)

    orders = (
        create_workflow("orders")
        .step("take", moment)
        .step("check", check, backoff=SOON)
        .step("left", moment, after=("check",))
        .step("right", moment, after=("check",))
        .commit("pay", pay, after=("left", "right"), backoff=SOON)
        .step("nap", nap)
        .commit("ship", moment)
        .step("last", moment)
    )
    asks = (
        create_workflow("asks")
        .step("take", moment)
        .step("ask", ask)
        .commit("pay", pay, backoff=SOON)
        .step("last", moment)
    )
    doomed = (
        create_workflow("doomed")
        .step("take", moment, compensate=undo)
        .commit("pay", pay, compensate=undo, backoff=SOON)
        .step("doom", doom)
        .step("never", moment)
    )
    return {"orders": orders, "asks": asks, "doomed": doomed}


STATUSES = {"orders": "completed", "asks": "completed", "doomed": "failed"}
"""How a run of each ends."""


def kind_of(number: int) -> str:
    """Return which workflow the run of a number is of."""
    return ("doomed", "asks", "orders", "orders", "asks", "orders")[number % 6]
