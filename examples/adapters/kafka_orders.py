"""Orders from a Kafka topic: each message is a run, committed when the run is stored as ended or suspended.

Wants a broker at localhost:9092, or where KAFKA_SERVERS says::

    pip install 'flux-tui[kafka]'
    python examples/adapters/kafka_orders.py send     # three orders, and a message that is none
    python examples/adapters/kafka_orders.py          # ctrl+c lets go at the next step boundary

``flux-tui examples/adapters`` beside it shows the runs as they move. Kill the worker in the middle of an
order, start it again, and the order goes on after its last completed step.
"""

import asyncio
import os
import sys

from aiokafka import AIOKafkaProducer
from pydantic import BaseModel

from flux_engine import FluxEngine, JsonFileTraceSink, SQLiteStorage, create_workflow
from flux_engine.integrations.kafka import KafkaWorker

SERVERS = os.environ.get("KAFKA_SERVERS", "localhost:9092")


class Order(BaseModel):
    """A message of the topic ``orders``, as JSON."""

    order_id: str = "A-1"
    quantity: int = 1


async def reserve(ctx):
    """Take the articles from the shelf."""
    await asyncio.sleep(0.5)
    ctx.data.reserved = ctx.input.quantity


async def ship(ctx):
    """Hand the parcel over; the key is the same whenever this order is shipped again."""
    print(f"shipping {ctx.data.reserved} of {ctx.input.order_id} ({ctx.idempotency_key})", flush=True)


kafka_orders = create_workflow("kafka-orders").input(Order).step("reserve", reserve).commit("ship", ship)


async def work():
    """Run the messages of the topic until a signal."""
    async with FluxEngine(
        storage=SQLiteStorage(".flux/flux.db"), trace=JsonFileTraceSink(".flux/trace.ndjson")
    ) as engine:
        worker = KafkaWorker(engine, {"orders": kafka_orders}, group="warehouse", bootstrap_servers=SERVERS)
        await worker.run()
        print(worker.stats)


async def send():
    """Send three orders, and a message that is none."""
    async with AIOKafkaProducer(bootstrap_servers=SERVERS) as producer:
        for number in (1, 2, 3):
            order = Order(order_id=f"A-{number}", quantity=number)
            await producer.send_and_wait("orders", order.model_dump_json().encode())
        await producer.send_and_wait("orders", b"not an order")


if __name__ == "__main__":
    asyncio.run(send() if "send" in sys.argv else work())
