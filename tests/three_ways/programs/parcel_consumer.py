"""A consumer on a store that is shared: ``parcel_consumer.py DSN KAFKA TOPIC TRACE``, until SIGTERM."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "three_ways"))

from parcels import parcel_flow

from flux_engine import FluxEngine, JsonFileTraceSink, PostgresStorage
from flux_engine.integrations.kafka import KafkaWorker
from flux_engine.retry import fixed

DSN, SERVERS, TOPIC, TRACE = sys.argv[1:]


async def main():
    """Work until a signal."""
    async with FluxEngine(
        storage=PostgresStorage(DSN), trace=JsonFileTraceSink(TRACE), default_retries=0
    ) as engine:
        worker = KafkaWorker(
            engine,
            {TOPIC: parcel_flow},
            group=TOPIC,
            bootstrap_servers=SERVERS,
            backoff=fixed(0.05),
            consumer={"session_timeout_ms": 1000, "heartbeat_interval_ms": 100},
        )
        await worker.run()


asyncio.run(main())
