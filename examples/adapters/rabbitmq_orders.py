"""Orders from a RabbitMQ queue: each message is a run, acknowledged when it is stored as ended or suspended.

Wants a broker on this host, or where RABBITMQ_URL says::

    pip install 'flux-tui[rabbitmq]'
    python examples/adapters/rabbitmq_orders.py send     # three orders, and a message that is none
    python examples/adapters/rabbitmq_orders.py          # ctrl+c lets go at the next step boundary

``flux-tui examples/adapters`` beside it shows the runs as they move. Kill the worker in the middle of an
order, start it again, and the order goes on after its last completed step.
"""

import asyncio
import os
import sys

import aio_pika
from pydantic import BaseModel

from flux_engine import FluxEngine, JsonFileTraceSink, SQLiteStorage, create_workflow
from flux_engine.integrations.rabbitmq import RabbitWorker

URL = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@localhost/")
QUEUE = os.environ.get("RABBITMQ_QUEUE", "orders")


class Order(BaseModel):
    """A message of the queue, as JSON."""

    order_id: str = "A-1"
    quantity: int = 1


async def reserve(ctx):
    """Take the articles from the shelf."""
    await asyncio.sleep(0.5)
    ctx.data.reserved = ctx.input.quantity


async def ship(ctx):
    """Hand the parcel over; the key is the same whenever this order is shipped again."""
    print(f"shipping {ctx.data.reserved} of {ctx.input.order_id} ({ctx.idempotency_key})", flush=True)


rabbitmq_orders = (
    create_workflow("rabbitmq-orders").input(Order).step("reserve", reserve).commit("ship", ship)
)


async def work():
    """Run the messages of the queue until a signal."""
    async with FluxEngine(
        storage=SQLiteStorage(".flux/flux.db"), trace=JsonFileTraceSink(".flux/trace.ndjson")
    ) as engine:
        worker = RabbitWorker(engine, {QUEUE: rabbitmq_orders}, URL, queue=QUEUE)
        await worker.run()
        print(worker.stats)


async def send():
    """Send three orders, and a message that is none."""
    connection = await aio_pika.connect(URL)
    async with connection, connection.channel() as channel:
        await channel.declare_queue(QUEUE, durable=True)
        for number in (1, 2, 3):
            order = Order(order_id=f"A-{number}", quantity=number)
            message = aio_pika.Message(order.model_dump_json().encode(), message_id=order.order_id)
            await channel.default_exchange.publish(message, QUEUE)
        await channel.default_exchange.publish(aio_pika.Message(b"not an order"), QUEUE)


if __name__ == "__main__":
    asyncio.run(send() if "send" in sys.argv else work())
