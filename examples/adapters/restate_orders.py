"""Orders on a Restate server: the same definition as on one machine, served over HTTP/2.

Wants a Restate server; two terminals and two commands::

    npx @restatedev/restate-server                       # 8080 takes calls, 9070 is for looking
    pip install 'flux-tui[restate]' && python examples/adapters/restate_orders.py

The program registers itself, sends one order and goes on serving until ctrl+c. More orders::

    curl localhost:8080/cluster-orders/order-2/run/send --json '{"order_id": "A-2", "quantity": 3}'
    curl localhost:8080/cluster-orders/order-2/signal --json '{"name": "approval", "payload": true}'

Kill the program in the middle of an order, start it again, and the order goes on after its last completed
step. ``flux dev --restate http://127.0.0.1:9070`` shows the runs as they move.
"""

import asyncio
import os
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config
from pydantic import BaseModel

from flux_engine import JsonFileTraceSink, create_workflow, wait
from flux_engine.integrations.restate import RestateClient, RestateError, restate_app

ADMIN = os.environ.get("RESTATE_ADMIN", "http://127.0.0.1:9070")
PORT = int(os.environ.get("PORT", "9080"))


class Order(BaseModel):
    """The input: what is posted to ``run``."""

    order_id: str = "A-1"
    quantity: int = 1


async def reserve(ctx):
    """Take the articles from the shelf."""
    await asyncio.sleep(0.2)
    ctx.data.reserved = ctx.input.quantity


def put_back(ctx):
    """Put them back, when the order comes to nothing."""
    ctx.data.reserved = 0


def approve(_):
    """Wait for somebody to approve large orders."""
    return wait("approval", timeout=3600)


async def ship(ctx):
    """Hand the parcel over; the key is the same however often this is called for the order."""
    print(f"shipping {ctx.data.reserved} of {ctx.input.order_id} ({ctx.idempotency_key})", flush=True)


cluster_orders = (
    create_workflow("cluster-orders")
    .input(Order)
    .step("reserve", reserve, compensate=put_back)
    .step("approve", approve, when=lambda ctx: ctx.input.quantity > 2)
    .commit("ship", ship)
)

app = restate_app([cluster_orders], trace=JsonFileTraceSink(".flux/trace.ndjson"))


async def try_it(client):
    """Register this program, send an order, and tell how it ended."""
    while True:
        try:
            print("registered:", *await client.register(f"http://127.0.0.1:{PORT}"), flush=True)
            break
        except RestateError as error:
            print(error, file=sys.stderr)
            await asyncio.sleep(1)
    run_id = await client.start("cluster-orders", {"order_id": "A-1"})
    await asyncio.sleep(1)
    print(f"run {run_id} is {(await client.run(run_id)).record.status}", flush=True)


async def main():
    """Serve until ctrl+c."""
    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, config))
        tasks.create_task(try_it(RestateClient(ADMIN)))


if __name__ == "__main__":
    asyncio.run(main())
