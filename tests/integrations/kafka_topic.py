"""A topic of a test, seen from outside of the worker."""

import asyncio
import uuid

from aiokafka import AIOKafkaConsumer, TopicPartition

from flux_engine.integrations.kafka import KafkaWorker
from flux_engine.retry import fixed

QUICK = {"session_timeout_ms": 2000, "heartbeat_interval_ms": 50, "fetch_max_wait_ms": 50}


class Topic:
    """A topic, a group that reads it, and what is known of both."""

    def __init__(self, cluster, producer):
        self.name = f"orders-{uuid.uuid4().hex[:8]}"
        self.cluster = cluster
        self.servers = cluster.bootstrap_servers
        self._producer = producer

    @property
    def dead(self):
        """The name of its dead-letter topic."""
        return f"{self.name}.dead-letter"

    def create(self, partitions=1):
        """Have the topic."""
        self.cluster.create_topic(self.name, partitions)
        self.cluster.create_topic(self.dead, 1)
        return self

    async def send(self, *bodies, **options):
        """Send messages, one after the other."""
        for body in bodies:
            await self._producer.send_and_wait(self.name, body, **options)

    def worker(self, engine, workflows=None, **options):
        """Return a worker for the topic."""
        chosen = {"topics": [self.name], "group": self.name, "backoff": fixed(0.02), "consumer": QUICK}
        return KafkaWorker(
            engine,
            workflows,
            bootstrap_servers=self.servers,
            **chosen | options,
        )

    async def committed(self, partition=0):
        """Return the offset that the group has committed."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.servers, group_id=self.name, enable_auto_commit=False
        )
        where = TopicPartition(self.name, partition)
        consumer.assign([where])
        await consumer.start()
        try:
            return await consumer.committed(where)
        finally:
            await consumer.stop()

    async def dead_letters(self, count):
        """Return so many messages of the dead-letter topic."""
        consumer = AIOKafkaConsumer(
            self.dead, bootstrap_servers=self.servers, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        await consumer.start()
        try:
            async with asyncio.timeout(20):
                return [await consumer.getone() for _ in range(count)]
        finally:
            await consumer.stop()
