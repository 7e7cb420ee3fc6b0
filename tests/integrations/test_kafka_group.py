"""Workers in a consumer group: how far they commit, how they start, share and end."""

import asyncio
import contextlib
import signal

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError
from broker_flows import (
    Order,
    envelope,
    eventually,
    failing_flow,
    leaving,
    order,
)
from kafka_mock import GROUP_AUTHORIZATION_FAILED, HEARTBEAT, OFFSET_COMMIT, mock_cluster
from kafka_topic import QUICK, Topic
from worker_process import WorkerProcess

from flux_engine import FluxEngine, FluxSilentLogger, MemoryStorage, create_workflow
from flux_engine.integrations.kafka import KafkaWorker

UNKNOWN_ERROR = -1


async def test_nothing_is_committed_past_a_message_that_is_not_done(topic, engine, shop):
    """Those behind it are run meanwhile; the commit waits for the one in front."""
    shop.hold(0)
    await topic.send(*map(order, range(4)))
    async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 3)
        assert await topic.committed() is None
        shop.let_through()
        await eventually(lambda: worker.stats.acknowledged == 4)
    assert await topic.committed() == 4


async def test_a_commit_that_is_refused_is_made_again(cluster, topic, engine, shop):
    """Done is done; only the broker has to be told again."""
    await topic.send(order(1))
    cluster.refuse(OFFSET_COMMIT, UNKNOWN_ERROR, UNKNOWN_ERROR)
    async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 1)
        async with asyncio.timeout(20):
            while await topic.committed() != 1:
                await asyncio.sleep(0.01)
    assert shop.shipped == {"1": 1}


async def test_what_was_done_and_not_committed_is_found_again(cluster, topic, engine, shop):
    """The messages come a second time, find their runs, and nothing is run."""
    await topic.send(*map(order, range(5)))
    cluster.refuse(OFFSET_COMMIT, *[UNKNOWN_ERROR] * 1000)
    async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 5)
    cluster.refuse_no_more(OFFSET_COMMIT)
    assert await topic.committed() is None
    async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 5)
    assert await topic.committed() == 5
    assert shop.begun == shop.shipped == {str(number): 1 for number in range(5)}


async def test_no_more_is_taken_than_can_be_run_at_once(topic, engine, shop):
    """The partitions are paused while all hands are full, and resumed when one is free."""
    shop.hold(*range(20))
    await topic.send(*map(order, range(20)))
    async with topic.worker(engine, {topic.name: shop.flow()}, concurrency=3) as worker:
        await eventually(lambda: shop.at_once == 3 and worker._consumer.paused())
        assert worker.stats.received == 3
        shop.let_through()
        await eventually(lambda: worker.stats.acknowledged == 20)
    assert shop.most_at_once == 3


async def test_a_run_in_other_hands_is_waited_for(topic, shop):
    """The message is not acknowledged before its run has ended, whoever runs it."""
    storage = MemoryStorage()
    shop.hold(1)
    other = FluxEngine(storage=storage)
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        run = asyncio.create_task(other.execute(shop.flow(), {"id": "1"}, idempotency_key="A-1"))
        await eventually(lambda: shop.begun["1"] == 1)
        await topic.send(envelope("order", 1, idempotency_key="A-1"))
        async with topic.worker(engine, shop.flow()) as worker:
            await eventually(lambda: worker.stats.retried > 2)
            assert worker.stats.acknowledged == 0
            shop.let_through()
            await run
            await eventually(lambda: worker.stats.acknowledged == 1)
    assert shop.begun == shop.shipped == {"1": 1}


async def test_a_stop_lets_runs_come_to_a_step_boundary(topic, engine, shop):
    """The step under way ends and is stored, the next is not begun; another worker goes on with it."""
    shop.hold(1)
    await topic.send(order(0), order(1))
    worker = topic.worker(engine, {topic.name: shop.flow()})
    running = asyncio.create_task(worker.run())
    await eventually(lambda: shop.shipped["0"] == 1 and shop.begun["1"] == 1)
    worker.stop()
    await eventually(lambda: leaving(worker))
    shop.let_through()
    await running
    assert (shop.reserved["1"], shop.shipped["1"]) == (1, 0)
    assert await topic.committed() == 1
    async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 1)
    assert shop.begun == shop.shipped == {"0": 1, "1": 1}


async def test_what_ends_while_the_worker_stops_is_committed(topic, engine, shop):
    """The last step of a run comes to its end within the grace, and its message is done."""
    shop.hold(1)
    await topic.send(order(1))
    flow = create_workflow("one-step").input(Order).step("reserve", shop.reserve)
    worker = topic.worker(engine, {topic.name: flow})
    running = asyncio.create_task(worker.run())
    await eventually(lambda: shop.begun["1"] == 1)
    worker.stop()
    await eventually(lambda: leaving(worker))
    shop.let_through()
    await running
    assert (await topic.committed(), worker.stats.acknowledged) == (1, 1)


async def test_a_step_that_outlasts_the_grace_is_interrupted(topic, engine, shop):
    """It is run again when the message comes back, with the same idempotency key."""
    shop.hold(1)
    await topic.send(order(1))
    async with topic.worker(engine, {topic.name: shop.flow()}, grace=0.1):
        await eventually(lambda: shop.begun["1"] == 1)
    assert shop.reserved["1"] == 0
    assert await topic.committed() is None
    (run,) = await engine.list()
    assert run.interrupted


async def test_a_partition_that_moves_takes_its_messages_along(cluster, producer, shop):
    """A second worker joins: runs in hand come to a step boundary, and every step is run once in all."""
    topic = Topic(cluster, producer).create(partitions=2)
    storage = MemoryStorage()
    shop.hold(0, 1)
    async with FluxEngine(storage=storage) as first, FluxEngine(storage=storage) as second:
        for number in range(10):
            await topic.send(order(number), partition=number % 2)
        bound = {topic.name: shop.flow()}
        # The mock loses a follower that syncs after its leader, and has the first of these names lead.
        follower, leader = (QUICK | {"group_instance_id": name} for name in ("b", "a"))
        async with topic.worker(first, bound, topics=None, consumer=follower) as staying:
            await eventually(lambda: staying.stats.acknowledged == 8)
            async with contextlib.AsyncExitStack() as stack:
                worker = topic.worker(second, bound, topics=None, consumer=leader)
                start = asyncio.create_task(stack.enter_async_context(worker))
                await eventually(lambda: leaving(staying))
                shop.let_through()
                joining = await start
                await eventually(lambda: len(shop.shipped) == 10)
                for number in range(10, 20):
                    await topic.send(order(number), partition=number % 2)
                await eventually(lambda: len(shop.shipped) == 20)
                assert len(staying._consumer.assignment()) == len(joining._consumer.assignment()) == 1
                assert joining.stats.acknowledged >= 5
    assert shop.begun == shop.shipped == {str(number): 1 for number in range(20)}
    assert [await topic.committed(partition) for partition in range(2)] == [10, 10]


async def test_a_worker_that_is_killed_in_a_step_goes_on_with_it_elsewhere(topic, tmp_path):
    """The message is delivered again and finds its run: what was done before the kill is not done again."""
    await topic.send(b'"an order"')
    process = WorkerProcess("kafka", topic.servers, topic.name, tmp_path)
    async with process.running():
        await process.until("first", "second begun")
        await process.end(signal.SIGKILL)
    process.go()
    async with process.running():
        await process.until("first", "second begun", "second begun", "second done", "third")
        code, told = await process.end()
    assert (code, "acknowledged=1" in told) == (0, True)
    assert await topic.committed() == 1


async def test_a_worker_ends_well_when_it_is_told_to(topic, tmp_path):
    """At SIGTERM the step under way comes to its end, nothing further is begun, the exit code is 0."""
    await topic.send(b'"an order"')
    process = WorkerProcess("kafka", topic.servers, topic.name, tmp_path)
    async with process.running():
        await process.until("first", "second begun")
        ending = asyncio.create_task(process.end(signal.SIGTERM))
        await asyncio.sleep(0.2)
        process.go()
        code, told = await ending
    assert (code, "acknowledged=0" in told) == (0, True)
    assert process.log == ["first", "second begun", "second done"]


async def test_a_cluster_that_goes_down_is_waited_for(engine, shop):
    """Runs in hand go on; when the brokers are back, everything is committed and nothing was run twice."""
    shop.hold(1)
    with mock_cluster(brokers=1) as cluster:
        async with AIOKafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
            topic = Topic(cluster, producer).create()
            await topic.send(order(0), order(1))
            async with topic.worker(engine, {topic.name: shop.flow()}) as worker:
                await eventually(lambda: shop.begun["1"] == 1)
                cluster.go_down()
                shop.let_through()
                await eventually(lambda: worker.stats.acknowledged == 2)
                cluster.come_up()
                await topic.send(order(2))
                await eventually(lambda: len(shop.shipped) == 3)
            assert await topic.committed() == 3
    assert shop.begun == shop.shipped == {"0": 1, "1": 1, "2": 1}


async def test_an_error_that_trying_again_does_not_heal_ends_the_worker(cluster, topic, engine, shop):
    """It is raised when the runs in hand have come to a step boundary."""
    shop.hold(1)
    await topic.send(order(1))
    worker = topic.worker(engine, {topic.name: shop.flow()})
    running = asyncio.create_task(worker.run())
    await eventually(lambda: shop.begun["1"] == 1)
    cluster.refuse(HEARTBEAT, GROUP_AUTHORIZATION_FAILED)
    await eventually(lambda: leaving(worker))
    shop.let_through()
    with pytest.raises(GroupAuthorizationFailedError):
        await running
    assert (shop.reserved["1"], shop.shipped["1"]) == (1, 0)


async def test_a_broker_that_is_not_there_is_told_at_the_start(engine):
    """Nothing is left open."""
    worker = KafkaWorker(engine, {"orders": failing_flow}, group="g", bootstrap_servers="127.0.0.1:1")
    with pytest.raises(KafkaConnectionError):
        await worker.run()
