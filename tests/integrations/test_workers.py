"""Workers that are told to stop before they have begun."""

import asyncio
import signal

import pytest
from broker_flows import eventually, failing_flow

from flux_engine.integrations.kafka import KafkaWorker
from flux_engine.integrations.rabbitmq import RabbitWorker


class SilentBroker:
    """Takes connections and never answers."""

    def __init__(self):
        self.connections = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self.connections:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _accept(self, reader, writer):
        self.connections.append(writer)
        await reader.read()


def make(kind, engine, address):
    if kind == "kafka":
        return KafkaWorker(engine, {"orders": failing_flow}, group="g", bootstrap_servers=address)
    return RabbitWorker(engine, {"orders": failing_flow}, f"amqp://guest:guest@{address}/", queue="orders")


@pytest.mark.parametrize("kind", ["kafka", "rabbitmq"])
async def test_a_worker_that_is_still_connecting_stops_at_a_signal(kind, engine):
    """It does not wait for the broker to answer, and leaves nothing open."""
    former = signal.getsignal(signal.SIGTERM)
    async with SilentBroker() as broker:
        running = asyncio.create_task(make(kind, engine, broker.address).run())
        await eventually(lambda: broker.connections)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(running, 10)
    assert signal.getsignal(signal.SIGTERM) == former


@pytest.mark.parametrize("kind", ["kafka", "rabbitmq"])
async def test_a_worker_whose_task_is_cancelled_leaves_nothing_open(kind, engine):
    """The program that runs it decides when it ends."""
    async with SilentBroker() as broker:
        running = asyncio.create_task(make(kind, engine, broker.address).run())
        await eventually(lambda: broker.connections)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 10)
