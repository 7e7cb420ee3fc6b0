"""Messages of RabbitMQ as runs, on a real broker."""

import asyncio
import signal
import subprocess
import sys
import uuid

import aio_pika
import pytest
from broker_flows import (
    FailingStorage,
    envelope,
    eventually,
    failing_flow,
    leaving,
    order,
    waiting_flow,
)
from rabbitmq_cable import URL, Cable
from worker_process import WorkerProcess

from flux_engine import FluxEngine, FluxSilentLogger, MemoryStorage
from flux_engine.integrations.rabbitmq import RabbitWorker
from flux_engine.retry import fixed

needs_rabbitmq = pytest.mark.skipif(
    not URL, reason="no RabbitMQ: FLUX_TEST_RABBITMQ_URL says where one is, and .ci/rabbitmq starts one"
)


class NoIdentity(str):
    """An empty id that the client, which gives one to every message that has none, takes for one."""

    __slots__ = ()

    def __bool__(self):
        return True


class Queue:
    """A queue with its dead letters, seen from outside of the worker."""

    def __init__(self, channel):
        self.name = f"flux-{uuid.uuid4().hex[:8]}"
        self._channel = channel

    @property
    def dead(self):
        """The name of its dead-letter queue."""
        return f"{self.name}.dead-letter"

    async def send(self, *bodies, identity=True, **properties):
        """Send messages, one after the other."""
        for body in bodies:
            message = aio_pika.Message(body, **properties)
            if not identity:
                message.message_id = NoIdentity()
            await self._channel.default_exchange.publish(message, self.name)

    def worker(self, engine, workflows, url=URL, **options):
        """Return a worker for the queue."""
        return RabbitWorker(engine, workflows, url, queue=self.name, **{"backoff": fixed(0.02)} | options)

    async def left(self, name=None):
        """Return how many messages are in the queue; those in hand count once nobody has them."""
        found = await self._channel.declare_queue(name or self.name, passive=True)
        return found.declaration_result.message_count

    async def dead_letters(self, count):
        """Return so many messages of the dead-letter queue."""
        queue = await self._channel.declare_queue(self.dead, passive=True)
        found = []
        async with asyncio.timeout(20):
            while len(found) < count:
                message = await queue.get(no_ack=True, fail=False)
                if message is None:
                    await asyncio.sleep(0.01)
                else:
                    found.append(message)
        return found


@pytest.fixture
async def queue():
    """A new queue, deleted at the end."""
    connection = await aio_pika.connect(URL)
    async with connection, connection.channel() as channel:
        made = Queue(channel)
        for name in (made.name, made.dead):
            await channel.declare_queue(name, durable=True)
        yield made
        for name in (made.name, made.dead):
            await channel.queue_delete(name)


@needs_rabbitmq
async def test_every_message_of_a_queue_is_run_and_acknowledged(queue, engine, shop):
    """The body is the input of the workflow that the queue is bound to; the queue is empty afterwards."""
    for number in range(30):
        await queue.send(order(number), message_id=f"m-{number}")
    async with queue.worker(engine, {queue.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 30)
    assert shop.shipped == {str(number): 1 for number in range(30)}
    assert await queue.left() == 0
    assert (worker.stats.received, worker.stats.dead_lettered, worker.stats.retried) == (30, 0, 0)


@needs_rabbitmq
async def test_a_queue_that_is_not_there_is_made(queue, engine, shop):
    """It and its dead-letter queue are durable."""
    await queue._channel.queue_delete(queue.name)
    async with queue.worker(engine, shop.flow()):
        await queue.send(envelope("order", 1, idempotency_key="k"))
        await eventually(lambda: shop.shipped["1"] == 1)
    again = await queue._channel.declare_queue(queue.name, durable=True)
    assert again.declaration_result.message_count == 0


@needs_rabbitmq
async def test_messages_that_no_run_can_come_of_are_put_aside_with_the_reason(queue, engine, shop):
    """As they are, with their properties and where they were; the messages around them are run."""
    poison = {
        b"{": "malformed",
        b"": "malformed",
        b"\xff\xfe": "malformed",
        b"[" * 50_000: "malformed",
        b'{"workflow": "refund"}': "unknown-workflow",
        b'{"workflow": "order", "input": {"items": "many"}}': "invalid-input",
        envelope("order", "x" * 200_000): "too-large",
    }
    await queue.send(envelope("order", 1), message_id="m-1")
    headers = {"trace": 1, "flux-reason": "an earlier one"}
    await queue.send(*poison, headers=headers, priority=3, type="order.placed", expiration=3600)
    await queue.send(envelope("order", 2), message_id="m-2")
    async with queue.worker(engine, [shop.flow()], max_bytes=100_000) as worker:
        letters = await queue.dead_letters(len(poison))
        await eventually(lambda: worker.stats.acknowledged == 2)
    assert {letter.body: letter.headers["flux-reason"] for letter in letters} == poison
    assert shop.shipped == {"1": 1, "2": 1}
    assert await queue.left() == 0
    letter = letters[0]
    assert (letter.headers["trace"], letter.priority, letter.type) == (1, 3, "order.placed")
    assert (letter.headers["flux-queue"], letter.headers["flux-routing-key"]) == (queue.name, queue.name)
    assert (letter.expiration, letter.delivery_mode) == (None, aio_pika.DeliveryMode.PERSISTENT)


@needs_rabbitmq
async def test_the_same_message_id_twice_is_one_run(queue, engine, shop):
    """A producer that sends again starts nothing twice."""
    await queue.send(*[envelope("order", 1)] * 3, message_id="A-1")
    async with queue.worker(engine, shop.flow()) as worker:
        await eventually(lambda: worker.stats.acknowledged == 3)
    assert shop.begun == {"1": 1}


@needs_rabbitmq
async def test_a_message_without_an_identity_is_given_one_before_it_is_run(queue, engine, shop):
    """So that it finds its run when it is delivered again; equal bodies stay different messages."""
    shop.hold(1)
    await queue.send(order(1), order(2), order(2), identity=False)
    async with queue.worker(engine, {queue.name: shop.flow()}, grace=0.05) as worker:
        await eventually(lambda: shop.begun["1"] == 1 and worker.stats.acknowledged == 2)
    assert await queue.left() == 1
    shop.let_through()
    async with queue.worker(engine, {queue.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 1)
    assert shop.shipped == {"1": 1, "2": 2}
    assert len(await engine.list()) == 3


@needs_rabbitmq
async def test_a_run_that_failed_or_waits_is_acknowledged(queue, engine):
    """It is stored as such; the store is where it is retried or signalled."""
    await queue.send(envelope("failing", 1), message_id="m-1")
    await queue.send(envelope("waiting", 2), message_id="m-2")
    async with queue.worker(engine, [failing_flow, waiting_flow]) as worker:
        await eventually(lambda: worker.stats.acknowledged == 2)
    assert await queue.left() == 0
    assert {str(run.status) for run in await engine.list()} == {"failed", "suspended"}


@needs_rabbitmq
async def test_failed_runs_are_put_aside_when_that_is_asked_for(queue, engine):
    """The dead letter names the run and what went wrong."""
    await queue.send(envelope("failing", 1), message_id="m-1")
    async with queue.worker(engine, [failing_flow], on_failure="dead-letter"):
        (letter,) = await queue.dead_letters(1)
    (run,) = await engine.list()
    assert (letter.headers["flux-reason"], letter.headers["flux-run"]) == ("failed", run.id)
    assert "out of stock" in letter.headers["flux-detail"]


@needs_rabbitmq
async def test_while_the_store_fails_messages_are_kept_and_nothing_new_is_begun(queue, shop):
    """Nothing is acknowledged nor put aside; when the store is well again, every message is run once."""
    storage = FailingStorage()
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        storage.broken = True
        await queue.send(order(0), message_id="m-0")
        async with queue.worker(engine, {queue.name: shop.flow()}) as worker:
            await eventually(lambda: worker.stats.retried > 1)
            for number in range(1, 10):
                await queue.send(order(number), message_id=f"m-{number}")
            await eventually(lambda: worker.stats.received == 10)
            tried = worker.stats.retried
            await eventually(lambda: worker.stats.retried > tried + 3)
            assert storage.asked == {"m-0"}
            storage.broken = False
            await eventually(lambda: worker.stats.acknowledged == 10)
        assert shop.shipped == {str(number): 1 for number in range(10)}
        assert (await queue.left(), worker.stats.dead_lettered) == (0, 0)


@needs_rabbitmq
async def test_a_dead_letter_is_acknowledged_only_when_its_queue_has_it(queue, engine):
    """While there is no such queue, the message is kept."""
    async with queue.worker(engine, [failing_flow]) as worker:
        await queue._channel.queue_delete(queue.dead)
        await queue.send(b"{", message_id="m-1")
        await eventually(lambda: worker.stats.retried > 2)
        await queue._channel.declare_queue(queue.dead, durable=True)
        await eventually(lambda: worker.stats.dead_lettered == 1)
    assert len(await queue.dead_letters(1)) == 1
    assert await queue.left() == 0


@needs_rabbitmq
async def test_no_more_is_taken_than_the_prefetch(queue, engine, shop):
    """The others stay in the queue, for this worker or another."""
    shop.hold(*range(20))
    for number in range(20):
        await queue.send(order(number), message_id=f"m-{number}")
    async with queue.worker(engine, {queue.name: shop.flow()}, prefetch=3) as worker:
        await eventually(lambda: shop.at_once == 3)
        assert (worker.stats.received, await queue.left()) == (3, 17)
        shop.let_through()
        await eventually(lambda: worker.stats.acknowledged == 20)
    assert shop.most_at_once == 3


@needs_rabbitmq
async def test_a_cut_connection_is_made_again_and_nothing_happens_twice(queue, engine, shop):
    """The run goes on; the message comes again, waits for that run, and is acknowledged then."""
    shop.hold(1)
    await queue.send(order(1), message_id="m-1")
    bound = {queue.name: shop.flow()}
    async with Cable().laid() as cable, queue.worker(engine, bound, cable.url) as worker:
        await eventually(lambda: shop.begun["1"] == 1)
        cable.cut()
        await eventually(lambda: worker.stats.received == 2)
        shop.let_through()
        await eventually(lambda: worker.stats.acknowledged == 1)
        await queue.send(order(2), message_id="m-2")
        await eventually(lambda: worker.stats.acknowledged == 2)
    assert shop.begun == shop.shipped == {"1": 1, "2": 1}
    assert await queue.left() == 0


@needs_rabbitmq
async def test_a_channel_that_the_broker_closes_is_opened_again(queue, engine, shop):
    """As it does when a message is not acknowledged for too long: it comes again, and waits for its run."""
    shop.hold(1)
    await queue.send(order(1), message_id="m-1")
    async with queue.worker(engine, {queue.name: shop.flow()}) as worker:
        await eventually(lambda: shop.begun["1"] == 1)
        (delivery,) = worker._deliveries._in_hand
        await delivery.message.raw.channel.basic_ack(99_999)  # there is none: the broker is offended
        await eventually(lambda: worker.stats.received == 2)
        shop.let_through()
        await eventually(lambda: worker.stats.acknowledged == 1)
        await eventually(lambda: not worker._deliveries._in_hand)
    assert shop.begun == shop.shipped == {"1": 1}
    assert (worker.stats.retried, await queue.left()) == (0, 0)


@needs_rabbitmq
async def test_a_message_that_comes_again_is_put_aside_once(queue, engine, shop):
    """Only the delivery that can be acknowledged writes the dead letter."""
    shop.hold(1)
    await queue.send(order(1), message_id="m-1")
    bound = {queue.name: shop.flow_that_fails()}
    async with (
        Cable().laid() as cable,
        queue.worker(engine, bound, cable.url, on_failure="dead-letter") as worker,
    ):
        await eventually(lambda: shop.begun["1"] == 1)
        cable.cut()
        await eventually(lambda: worker.stats.received == 2)
        shop.let_through()
        await eventually(lambda: worker.stats.dead_lettered == 1)
    assert (await queue.left(), await queue.left(queue.dead)) == (0, 1)


@needs_rabbitmq
async def test_two_workers_share_a_queue(queue, shop):
    """Each message is run by one of them."""
    storage = MemoryStorage()
    async with FluxEngine(storage=storage) as one, FluxEngine(storage=storage) as two:
        flow = {queue.name: shop.flow()}
        workers = [queue.worker(engine, flow, prefetch=1) for engine in (one, two)]
        async with workers[0] as first, workers[1] as second:
            for number in range(20):
                await queue.send(order(number), message_id=f"m-{number}")
            await eventually(lambda: first.stats.acknowledged + second.stats.acknowledged == 20)
            assert 0 < first.stats.acknowledged < 20
    assert shop.begun == shop.shipped == {str(number): 1 for number in range(20)}


@needs_rabbitmq
async def test_a_stop_lets_runs_come_to_a_step_boundary(queue, engine, shop):
    """The step under way ends and is stored, the next is not begun; the message goes back to the queue."""
    shop.hold(1)
    await queue.send(order(1), message_id="m-1")
    worker = queue.worker(engine, {queue.name: shop.flow()})
    running = asyncio.create_task(worker.run())
    await eventually(lambda: shop.begun["1"] == 1)
    worker.stop()
    await eventually(lambda: leaving(worker))
    shop.let_through()
    await running
    assert (shop.reserved["1"], shop.shipped["1"], await queue.left()) == (1, 0, 1)
    async with queue.worker(engine, {queue.name: shop.flow()}) as worker:
        await eventually(lambda: worker.stats.acknowledged == 1)
    assert shop.begun == shop.shipped == {"1": 1}


@needs_rabbitmq
async def test_a_worker_that_is_killed_in_a_step_goes_on_with_it_elsewhere(queue, tmp_path):
    """What was done before the kill is not done again. The one that goes on ends well at SIGTERM."""
    await queue.send(b'"an order"')
    process = WorkerProcess("rabbitmq", URL, queue.name, tmp_path)
    async with process.running():
        await process.until("first", "second begun")
        await process.end(signal.SIGKILL)
    async with process.running():
        await process.until("first", "second begun", "second begun")
        process.go()
        await process.until("first", "second begun", "second begun", "second done", "third")
        code, told = await process.end()
    assert (code, "acknowledged=1" in told) == (0, True)
    assert await queue.left() == 0


@needs_rabbitmq
async def test_a_broker_that_is_not_there_is_told_at_the_start(engine):
    """Nothing is left open."""
    worker = RabbitWorker(engine, [failing_flow], "amqp://127.0.0.1:1/", queue="orders")
    with pytest.raises(ConnectionError):
        await worker.run()


def test_without_its_library_it_says_how_to_install_it():
    """The import names the command."""
    code = "import sys; sys.modules['aio_pika'] = None; import flux_engine.integrations.rabbitmq"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert "pip install 'flux-tui[rabbitmq]'" in told
