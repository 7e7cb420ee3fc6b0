"""Consumers of one topic that share a store on PostgreSQL, each in a process of its own.

They work one after the other: the mock of Kafka refuses some of those that join at the same moment.
"""

import asyncio
import contextlib
import json
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from parcels import parcel_flow
from places import until

from flux_engine import FluxEngine, FluxSilentLogger, PostgresStorage

PROGRAM = Path(__file__).parent / "programs" / "parcel_consumer.py"
PARCELS = 40


@pytest.fixture(scope="module")
def cluster():
    """A Kafka cluster."""
    sys.path.append(str(Path(__file__).parents[1] / "integrations"))
    from kafka_mock import mock_cluster  # noqa: PLC0415 - where its folder is on the path

    with mock_cluster(1) as running:
        yield running


@contextlib.asynccontextmanager
async def consumer(*arguments):
    """Run a consumer, and kill it when it is no longer needed."""
    process = await asyncio.create_subprocess_exec(sys.executable, PROGRAM, *arguments)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_consumers_on_one_postgres_finish_what_a_killed_one_left(cluster, postgres_dsn, tmp_path):
    """Each message is one run, every run ends, and no step begins again once it was done."""
    topic = f"parcels-{uuid.uuid4().hex[:8]}"
    cluster.create_topic(topic, 2)
    arguments = (postgres_dsn, cluster.bootstrap_servers, topic)
    traces = [tmp_path / "a.ndjson", tmp_path / "b.ndjson"]
    async with (
        FluxEngine(storage=PostgresStorage(postgres_dsn), logger=FluxSilentLogger()) as engine,
        AIOKafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer,
    ):

        async def completed(count):
            return len(await engine.list(status="completed", limit=100)) >= count

        for number in range(PARCELS):
            body = json.dumps({"parcel_id": f"P-{number}"}).encode()
            await producer.send_and_wait(topic, body, partition=number % 2)
        async with consumer(*arguments, traces[0]):
            await until(lambda: completed(PARCELS // 6), "some runs to end")
        async with consumer(*arguments, traces[1]):
            await until(lambda: completed(PARCELS), "all runs to end")
        summaries = await engine.list(limit=200)
        runs = [await engine.get(summary.id) for summary in summaries]
    assert len(runs) == PARCELS
    assert {run.name for run in runs} == {parcel_flow.name}
    for run in runs:
        for step in run.history:
            assert step.status in ("completed", "skipped")
            assert "completed" not in [attempt.status for attempt in step.attempt_log[:-1]]
    attempts = [attempt for run in runs for step in run.history for attempt in step.attempt_log]
    assert "Interrupted" in {attempt.error.type for attempt in attempts if attempt.error}
    lines = [
        json.loads(line) for trace in traces if trace.exists() for line in trace.read_text().splitlines()
    ]
    done = Counter((e["workflowId"], e["stepName"]) for e in lines if e["type"] == "step:complete")
    assert max(done.values()) == 1
