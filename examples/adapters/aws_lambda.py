"""A workflow as a function of AWS Lambda: direct invocations, HTTP requests and batches from SQS.

Deploy it with the handler ``aws_lambda.handler``. Here it is called as Lambda would call it::

    python examples/adapters/aws_lambda.py
"""

import json
import os
import tempfile
import time
from pathlib import Path

from pydantic import BaseModel

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.integrations.aws_lambda import lambda_handler


class Order(BaseModel):
    """What is ordered."""

    order_id: str
    quantity: int = 1


def price(ctx):
    """Find the price."""
    ctx.data.price = 12 * ctx.input.quantity


async def charge(ctx):
    """Charge it, once for each key."""
    print(f"charging {ctx.data.price} for {ctx.input.order_id} with key {ctx.idempotency_key[:20]}…")


order_flow = create_workflow("order").input(Order).step("price", price).commit("charge", charge, retries=2)


def make_engine():
    """Make the engine, with a store that outlives the function: only for a try is it a file in /tmp."""
    path = os.environ.get("FLUX_DB", str(Path(tempfile.gettempdir()) / "flux-lambda.db"))
    return FluxEngine(storage=SQLiteStorage(path), default_retries=1)


handler = lambda_handler(make_engine, [order_flow])


class Context:
    """What Lambda tells of an invocation."""

    def __init__(self, seconds=10.0):
        self.aws_request_id = f"request-{time.time_ns()}"
        self._until = time.monotonic() + seconds

    def get_remaining_time_in_millis(self):
        """Return the milliseconds that are left."""
        return int((self._until - time.monotonic()) * 1000)


def main():
    """Send the function one event of each kind."""
    print(handler({"workflow": "order", "input": {"order_id": "A-1"}}, Context()))
    request = {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST"}},
        "headers": {"idempotency-key": "A-2"},
        "body": json.dumps({"workflow": "order", "input": {"order_id": "A-2", "quantity": 3}}),
    }
    print(handler(request, Context()))
    print(handler(request, Context()))  # the same run, and no second charge
    message = {"messageId": "m-1", "eventSource": "aws:sqs", "body": '{"workflow": "oder"}'}
    print(handler({"Records": [message]}, Context()))


if __name__ == "__main__":
    main()
