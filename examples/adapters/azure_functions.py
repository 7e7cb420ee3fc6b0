"""A workflow as functions of Azure: over HTTP, and for messages of a storage queue.

Deploy it as ``function_app.py``, or start it with ``func start``. Here it is called as Azure would call it::

    python examples/adapters/azure_functions.py
"""

import asyncio
import os

import azure.functions as func
from pydantic import BaseModel

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.integrations.azure_functions import http_function, queue_function


class Order(BaseModel):
    """What is ordered."""

    order_id: str
    quantity: int = 1


def price(ctx):
    """Find the price."""
    ctx.data.price = 12 * ctx.input.quantity


async def charge(ctx):
    """Charge it, once for each key."""
    print(f"charging {ctx.data.price} for {ctx.input.order_id}")


order_flow = create_workflow("order").input(Order).step("price", price).commit("charge", charge, retries=2)


def make_engine():
    """Make the engine in the process that serves, with a store that the instances share."""
    return FluxEngine(storage=SQLiteStorage(os.environ.get("FLUX_DB", ".flux/flux.db")), default_retries=1)


app = func.FunctionApp()
answer = http_function(make_engine, [order_flow], seconds=220, include_data=True)
take = queue_function(make_engine, [order_flow], seconds=280)


@app.route(route="orders", methods=["POST"])
async def orders(req: func.HttpRequest) -> func.HttpResponse:
    """Answer a request."""
    return await answer(req)


@app.queue_trigger(arg_name="msg", queue_name="orders", connection="AzureWebJobsStorage")
async def order_messages(msg: func.QueueMessage) -> None:
    """Take a message."""
    await take(msg)


async def main():
    """Send the app a request, and the same once more."""
    (function, *_) = app.get_functions()
    request = func.HttpRequest(
        method="POST",
        url="/api/orders",
        headers={"Idempotency-Key": "A-1"},
        body=b'{"workflow": "order", "input": {"order_id": "A-1", "quantity": 3}}',
    )
    for _ in range(2):
        response = await function.get_user_function()(request)
        print(response.status_code, response.get_body().decode())


if __name__ == "__main__":
    asyncio.run(main())
