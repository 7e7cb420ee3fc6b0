"""The workflows that the functions of the tests serve; each step leaves a mark in a file.

``FLUX_TEST_FOLDER`` has the store ``flux.db``, the marks, and the gate that ``slow`` waits for.
"""

import asyncio
import os
from pathlib import Path

from pydantic import BaseModel

from flux_engine import FluxEngine, SQLiteStorage, create_workflow, wait

FOLDER = Path(os.environ["FLUX_TEST_FOLDER"])
MARKS = FOLDER / "marks"
GATE = FOLDER / "gate"


class Order(BaseModel):
    order_id: str
    quantity: int = 1


def make_engine():
    """Make the engine of one process."""
    with (FOLDER / "engines").open("a") as file:
        file.write(f"{os.getpid()}\n")
    return FluxEngine(storage=SQLiteStorage(FOLDER / "flux.db"), default_retries=0)


def mark(ctx):
    """Tell that the step runs, in one write."""
    with MARKS.open("a") as file:
        file.write(
            f"{ctx.name} {ctx.current_step} {ctx.id} {order_of(ctx)} {id(asyncio.get_running_loop())}\n"
        )


def order_of(ctx):
    """Return the order that the run is about."""
    return ctx.input.order_id if isinstance(ctx.input, Order) else "-"


async def fetch(ctx):
    mark(ctx)
    ctx.data.price = 12 * (ctx.input.quantity if isinstance(ctx.input, Order) else 1)


async def charge(ctx):
    mark(ctx)


async def hold_open(ctx):
    mark(ctx)
    while not GATE.exists():
        await asyncio.sleep(0.02)


async def explode(ctx):
    mark(ctx)
    raise ValueError("the card was declined")


async def ask(ctx):
    return wait("approval")


order_flow = create_workflow("order").input(Order).step("fetch", fetch).commit("charge", charge)
slow_flow = create_workflow("slow").step("fetch", fetch).step("hold", hold_open).commit("charge", charge)
broken_flow = create_workflow("broken").step("explode", explode)
claim_flow = create_workflow("claim").step("ask", ask)
WORKFLOWS = [order_flow, slow_flow, broken_flow, claim_flow]


def marks(folder, workflow):
    """Return what ran of a workflow, as ``[step, run, order, loop]``."""
    path = folder / "marks"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [line[1:] for line in lines if line[0] == workflow]
