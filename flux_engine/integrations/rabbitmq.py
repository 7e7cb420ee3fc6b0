"""RabbitMQ: a consumer of a queue whose messages are runs.

    async with FluxEngine(storage=SQLiteStorage(".flux/flux.db")) as engine:
        await RabbitWorker(engine, order_flow, "amqp://guest:guest@localhost/", queue="orders").run()

A message is acknowledged when its run is stored as ended or suspended. Needs ``pip install
'flux-tui[rabbitmq]'``.
"""

import asyncio
import functools
import uuid
from typing import Any, Unpack

from flux_engine.engine import FluxEngine
from flux_engine.integrations.messages import Decision, Message, Verdict, Workflows
from flux_engine.integrations.workers import MessageWorker, WorkerOptions

try:
    import aio_pika
    from aio_pika.abc import AbstractIncomingMessage, AbstractRobustChannel, AbstractRobustConnection
    from aio_pika.connection import make_url
    from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, ChannelNotFoundEntity
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "flux_engine.integrations.rabbitmq needs aio-pika: pip install 'flux-tui[rabbitmq]'",
        name=missing.name,
    ) from missing

DEAD_LETTER_SUFFIX = ".dead-letter"

_LOST = (AMQPError, ConnectionError, RuntimeError)


class RabbitWorker(MessageWorker):
    """Runs the messages of a queue.

    A lost connection is made again. Messages in hand go on meanwhile; the broker delivers them once more,
    and each finds the run that it has.

    Args:
        engine: where they run. Workers in several processes share a store, so that each message has one run.
        workflows: several, of which each message (JSON) names one: ``{"workflow": …, "input": …,
            "idempotency_key": …}``; or a mapping from the queue to the workflow of its messages, which are
            the input then.
        url: of the broker.
        queue: where messages come from; declared durable when it is not there.
        prefetch: how many messages are in hand at once.
        dead_letter: the queue for messages that no run can come of; by default ``queue`` with
            ``.dead-letter`` behind it. Declared durable when it is not there.
        options: those of every worker, see ``WorkerOptions``.
    """

    def __init__(
        self,
        engine: FluxEngine,
        workflows: Workflows,
        url: str = "amqp://guest:guest@localhost/",
        *,
        queue: str,
        prefetch: int = 10,
        dead_letter: str | None = None,
        **options: Unpack[WorkerOptions],
    ) -> None:
        super().__init__(engine, workflows, concurrency=prefetch, **options)
        self._url = url
        self._queue = queue
        self._prefetch = prefetch
        self._dead_letter = dead_letter or queue + DEAD_LETTER_SUFFIX
        self._connection: AbstractRobustConnection | None = None
        self._publishing: Any = None
        self._consuming: Any = None

    async def _start(self) -> None:
        # Not connect_robust: when that is cancelled, what it has begun goes on and nobody can close it.
        self._connection = aio_pika.RobustConnection(make_url(self._url))
        await self._connection.connect()
        for name in (self._queue, self._dead_letter):
            await _declare(self._connection, name)
        self._publishing = await self._channel(self._connection)
        channel = await self._channel(self._connection)
        await channel.set_qos(prefetch_count=self._prefetch)
        queue = await channel.declare_queue(self._queue, passive=True)
        tag = await queue.consume(self._take)
        self._consuming = functools.partial(queue.cancel, tag)

    async def _channel(self, connection: AbstractRobustConnection) -> AbstractRobustChannel:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        assert isinstance(channel, AbstractRobustChannel)  # noqa: S101 - that of a robust connection
        return channel

    async def _close(self) -> None:
        if self._consuming is not None:
            try:
                async with asyncio.timeout(self._grace + 1):
                    await self._consuming()
            except (*_LOST, TimeoutError) as error:
                self._logger.info(f"RabbitMQ: {error}; what is in hand will be delivered again")
        await self._deliveries.let_go(self._grace)
        if self._connection is not None:
            await self._connection.close()  # what was not acknowledged goes back to the queue

    async def _take(self, incoming: AbstractIncomingMessage) -> None:
        message = Message(
            body=incoming.body,
            source=self._queue,
            key=incoming.message_id or None,
            headers=dict(incoming.headers),
            raw=incoming,
        )
        self._deliveries.begin(message, functools.partial(self._settle, incoming))

    async def _settle(self, incoming: AbstractIncomingMessage, decision: Decision) -> bool:
        if _is_lost(incoming):
            return False
        if decision.verdict is Verdict.DEAD_LETTER:
            await self._put_aside(incoming, decision.headers())
        elif decision.verdict is Verdict.IDENTIFY:
            await self._publish(_copy(incoming, message_id=uuid.uuid4().hex), self._queue)
        try:
            await incoming.ack()
        except Exception as error:  # noqa: BLE001 - there is no answer to it, so the channel is lost
            self._logger.info(f"RabbitMQ: {error!r}; the message will be delivered again")
            return False
        return True

    async def _put_aside(self, incoming: AbstractIncomingMessage, why: dict[str, str]) -> None:
        """Send the message to the dead-letter queue, as it is, with where it was and why it went there."""
        where = {
            "flux-queue": self._queue,
            "flux-exchange": incoming.exchange or "",
            "flux-routing-key": incoming.routing_key or "",
        }
        await self._publish(_copy(incoming, headers=why | where), self._dead_letter)

    async def _publish(self, message: aio_pika.Message, queue: str) -> None:
        """Return when the broker has taken the message into the queue; raise when it has not."""
        await self._publishing.default_exchange.publish(message, routing_key=queue, mandatory=True)


def _is_lost(incoming: AbstractIncomingMessage) -> bool:
    """Say whether the channel of a message is closed: the broker delivers the message again, on another."""
    try:
        return incoming.channel.is_closed
    except ChannelInvalidStateError:
        return True


async def _declare(connection: AbstractRobustConnection, name: str) -> None:
    """Have a queue of this name, whatever its options are when it is there already."""
    try:
        async with connection.channel() as channel:
            await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity:
        async with connection.channel() as channel:
            await channel.declare_queue(name, durable=True)


def _copy(
    incoming: AbstractIncomingMessage, *, message_id: str | None = None, headers: dict[str, str] | None = None
) -> aio_pika.Message:
    """Return a message with the body and the properties of one that came in; it outlives the broker."""
    kept: dict[str, Any] = {k: v for k, v in incoming.headers.items() if not k.startswith("flux-")}
    return aio_pika.Message(
        incoming.body,
        headers=kept | (headers or {}),
        content_type=incoming.content_type,
        content_encoding=incoming.content_encoding,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        priority=incoming.priority,
        correlation_id=incoming.correlation_id,
        reply_to=incoming.reply_to,
        message_id=message_id or incoming.message_id,
        timestamp=incoming.timestamp,
        type=incoming.type,
        app_id=incoming.app_id,
    )
