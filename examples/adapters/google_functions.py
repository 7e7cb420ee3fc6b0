"""A workflow as functions of Google Cloud: over HTTP, and for messages of Pub/Sub.

Serve it as Google does, and call it::

    cd examples/adapters
    functions-framework --source google_functions.py --target orders
    curl localhost:8080 -H 'Idempotency-Key: A-1' -d '{"input": {"order_id": "A-1"}}'
"""

import os

import functions_framework
from pydantic import BaseModel

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.integrations.google_functions import http_function, pubsub_function


class Order(BaseModel):
    """What is ordered."""

    order_id: str
    quantity: int = 1


def price(ctx):
    """Find the price."""
    ctx.data.price = 12 * ctx.input.quantity


async def charge(ctx):
    """Charge it, once for each key."""
    print(f"charging {ctx.data.price} for {ctx.input.order_id}", flush=True)


order_flow = create_workflow("order").input(Order).step("price", price).commit("charge", charge, retries=2)


def make_engine():
    """Make the engine in the process that serves, with a store that the instances share."""
    return FluxEngine(storage=SQLiteStorage(os.environ.get("FLUX_DB", ".flux/flux.db")), default_retries=1)


answer = http_function(make_engine, [order_flow], seconds=55, include_data=True)
take = pubsub_function(make_engine, [order_flow], seconds=55)


@functions_framework.http
def orders(request):
    """Answer a request."""
    return answer(request)


@functions_framework.cloud_event
def order_messages(event):
    """Take a message."""
    take(event)
