"""Messages of Kafka as runs, over the real protocol."""

import asyncio
import subprocess
import sys

import pytest
from broker_flows import (
    FailingStorage,
    envelope,
    eventually,
    failing_flow,
    order,
    waiting_flow,
)
from kafka_mock import MESSAGE_TOO_LARGE, PRODUCE
from kafka_topic import Topic

from flux_engine import FluxEngine, FluxSilentLogger
from flux_engine.integrations.kafka import KafkaWorker
from flux_engine.integrations.messages import Job

UNKNOWN_ERROR = -1


async def test_every_message_of_a_topic_is_run_and_committed(cluster, producer, engine, shop):
    """The body is the input of the workflow that the topic is bound to; all partitions are read."""
    topic = Topic(cluster, producer).create(partitions=3)
    for number in range(30):
        await topic.send(order(number), partition=number % 3)
    async with topic.worker(engine, {topic.name: shop.flow()}, topics=None) as worker:
        await eventually(lambda: worker.stats.acknowledged == 30)
    assert shop.shipped == {str(number): 1 for number in range(30)}
    assert [await topic.committed(partition) for partition in range(3)] == [10, 10, 10]
    assert (worker.stats.received, worker.stats.dead_lettered, worker.stats.retried) == (30, 0, 0)


async def test_messages_that_no_run_can_come_of_are_put_aside_with_the_reason(topic, engine, shop):
    """As they are, with key, headers and where they were; the messages around them are run."""
    poison = {
        b"{": "malformed",
        None: "malformed",
        b"\xff\xfe": "malformed",
        b"[1]": "malformed",
        b'{"workflow": "order", "inptu": {}}': "malformed",
        b"[" * 50_000: "malformed",
        b'{"workflow": 7}': "malformed",
        b'{"workflow": "order", "idempotency_key": ""}': "malformed",
        b'{"workflow": "order", "idempotency_key": "\\u0000"}': "malformed",
        b'{"workflow": "refund"}': "unknown-workflow",
        b'{"workflow": "order", "input": {"items": "many"}}': "invalid-input",
        envelope("order", "x" * 200_000): "too-large",
    }
    await topic.send(envelope("order", 1))
    await topic.send(*poison, key=b"key", headers=[("trace", b"1"), ("flux-reason", b"an earlier one")])
    await topic.send(envelope("order", 2))
    async with topic.worker(engine, [shop.flow()], max_bytes=100_000, concurrency=1) as worker:
        letters = await topic.dead_letters(len(poison))
        await eventually(lambda: worker.stats.acknowledged == 2)
    assert {letter.value: dict(letter.headers)["flux-reason"].decode() for letter in letters} == poison
    assert shop.shipped == {"1": 1, "2": 1}
    assert await topic.committed() == len(poison) + 2
    headers = dict(letters[0].headers)
    assert (letters[0].key, headers["trace"]) == (b"key", b"1")
    assert (headers["flux-topic"].decode(), headers["flux-offset"]) == (topic.name, b"1")
    assert b"JSON" in headers["flux-detail"]
    assert [name for name, _ in letters[0].headers].count("flux-reason") == 1


async def test_the_same_key_twice_is_one_run(topic, engine, shop):
    """A producer that sends again, or another topic with the same event, starts nothing twice."""
    await topic.send(*[envelope("order", 1, idempotency_key="A-1")] * 3)
    async with topic.worker(engine, shop.flow()) as worker:
        await eventually(lambda: worker.stats.acknowledged == 3)
    assert shop.begun == {"1": 1}


async def test_a_message_in_another_form_is_read_by_a_function(topic, engine, shop):
    """It sees the headers; what it raises makes the message a dead letter."""

    async def route(message):
        return Job(workflow="order", input={"id": message.headers["number"].decode()}, idempotency_key="k")

    await topic.send(b"any bytes", headers=[("number", b"7")])
    await topic.send(b"any bytes")
    async with topic.worker(engine, shop.flow(), route=route):
        (letter,) = await topic.dead_letters(1)
    assert shop.shipped == {"7": 1}
    assert b"KeyError" in dict(letter.headers)["flux-detail"]


async def test_a_run_that_failed_or_waits_is_acknowledged(topic, engine):
    """It is stored as such; the store is where it is retried or signalled."""
    await topic.send(envelope("failing", 1), envelope("waiting", 2))
    async with topic.worker(engine, [failing_flow, waiting_flow]) as worker:
        await eventually(lambda: worker.stats.acknowledged == 2)
    assert await topic.committed() == 2
    assert {run.name: run.status for run in await engine.list()} == {
        "failing": "failed",
        "waiting": "suspended",
    }


async def test_failed_runs_are_put_aside_when_that_is_asked_for(topic, engine):
    """The dead letter names the run and what went wrong."""
    await topic.send(envelope("failing", 1))
    async with topic.worker(engine, [failing_flow], on_failure="dead-letter"):
        (letter,) = await topic.dead_letters(1)
    (run,) = await engine.list()
    headers = dict(letter.headers)
    assert (headers["flux-reason"], headers["flux-run"].decode()) == (b"failed", run.id)
    assert b"out of stock" in headers["flux-detail"]


async def test_while_the_store_fails_messages_are_kept_and_nothing_new_is_begun(topic, shop):
    """Nothing is committed nor put aside; when the store is well again, every message is run once."""
    storage = FailingStorage()
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        storage.broken = True
        await topic.send(order(0))
        async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
            await eventually(lambda: worker.stats.retried > 1 and worker._consumer.paused())
            await topic.send(*map(order, range(1, 10)))
            tried = worker.stats.retried
            await eventually(lambda: worker.stats.retried > tried + 3)
            assert (worker.stats.received, sum(shop.begun.values())) == (1, 0)
            assert await topic.committed() is None
            storage.broken = False
            await eventually(lambda: worker.stats.acknowledged == 10)
        assert shop.shipped == {str(number): 1 for number in range(10)}
        assert (await topic.committed(), worker.stats.dead_lettered) == (10, 0)


async def test_a_store_that_fails_in_the_middle_of_a_run_loses_no_step(topic, shop):
    """The run goes on after the last step that was stored."""
    storage = FailingStorage()
    shop.hold(1)
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        await topic.send(order(1))
        async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
            await eventually(lambda: shop.begun["1"] == 1)
            storage.broken = True
            shop.let_through()
            await eventually(lambda: worker.stats.retried > 1)
            storage.broken = False
            await eventually(lambda: worker.stats.acknowledged == 1)
        assert shop.shipped == {"1": 1}
        assert await topic.committed() == 1


async def test_a_dead_letter_is_committed_only_when_its_topic_has_it(cluster, topic, engine):
    """A topic that cannot be written keeps the message where it is."""
    await topic.send(b"{")
    cluster.refuse(PRODUCE, *[UNKNOWN_ERROR] * 3)
    async with topic.worker(engine, [failing_flow]) as worker:
        await topic.dead_letters(1)
        await eventually(lambda: worker.stats.dead_lettered == 1)
    assert worker.stats.retried == 3
    assert await topic.committed() == 1


async def test_what_is_too_large_for_the_dead_letter_topic_leaves_its_body_behind(cluster, topic, engine):
    """The dead letter says where the body is."""
    await topic.send(b"{" * 5000)
    cluster.refuse(PRODUCE, MESSAGE_TOO_LARGE)
    async with topic.worker(engine, [failing_flow], max_bytes=1000):
        (letter,) = await topic.dead_letters(1)
    headers = dict(letter.headers)
    assert letter.value == b""
    assert b"left behind" in headers["flux-body"]
    assert (headers["flux-topic"].decode(), headers["flux-offset"]) == (topic.name, b"0")


def test_a_worker_says_what_it_needs():
    """Wrong options are told when it is made."""

    async def make(**options):
        return KafkaWorker(FluxEngine(), [failing_flow], **{"group": "g", "topics": ["t"]} | options)

    for wrong in ({"topics": None}, {"concurrency": 0}, {"on_failure": "x"}, {"grace": -1}, {"max_bytes": 0}):
        with pytest.raises(ValueError):
            asyncio.run(make(**wrong))
    with pytest.raises(TypeError, match="max_byte"):
        asyncio.run(make(max_byte=1))


def test_without_its_library_it_says_how_to_install_it():
    """The import names the command."""
    code = "import sys; sys.modules['aiokafka'] = None; import flux_engine.integrations.kafka"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert "pip install 'flux-tui[kafka]'" in told
