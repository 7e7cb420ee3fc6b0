"""Kafka: a consumer group whose messages are runs.

    async with FluxEngine(storage=SQLiteStorage(".flux/flux.db")) as engine:
        await KafkaWorker(engine, {"orders": order_flow}, group="shop").run()

An offset is committed when the run of its message, and of every message before it in the partition, is stored
as ended or suspended. Needs ``pip install 'flux-tui[kafka]'``.
"""

import asyncio
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from flux_engine.engine import FluxEngine
from flux_engine.integrations.messages import Decision, Message, Verdict, Workflows
from flux_engine.integrations.offsets import PartitionOffsets
from flux_engine.integrations.workers import MessageWorker, WorkerOptions

try:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
    from aiokafka.abc import ConsumerRebalanceListener
    from aiokafka.errors import (
        CommitFailedError,
        IllegalStateError,
        KafkaError,
        MessageSizeTooLargeError,
    )
except ModuleNotFoundError as missing:  # pragma: no cover - told apart in a test of its own
    raise ModuleNotFoundError(
        "flux_engine.integrations.kafka needs aiokafka: pip install 'flux-tui[kafka]'", name=missing.name
    ) from missing

DEAD_LETTER_SUFFIX = ".dead-letter"

_AHEAD = 1000
_IDLE = 0.5
_KEEP_ALIVE = 60.0
_LARGEST_REQUEST = 256 * 1024 * 1024


class KafkaWorker(MessageWorker):
    """Runs the messages of topics, in a consumer group.

    Args:
        engine: where they run. Workers in several processes share a store, so that each message has one run.
        workflows: a mapping from topic to the workflow that its messages (JSON) are the input of; or several
            workflows, of which each message names one: ``{"workflow": …, "input": …, "idempotency_key": …}``.
        group: the consumer group.
        topics: by default those of the mapping.
        bootstrap_servers: ``host:port``, one or several.
        concurrency: how many messages are in hand at once. With 1 they run in the order of their partition.
        dead_letter: the topic for messages that no run can come of; by default that of the message with
            ``.dead-letter`` behind it.
        client: further options of aiokafka's consumer and producer: ``security_protocol``, ``ssl_context``,
            ``sasl_…``.
        consumer: further options of its consumer: ``session_timeout_ms``, ``group_instance_id``…
        options: those of every worker, see ``WorkerOptions``.
    """

    def __init__(
        self,
        engine: FluxEngine,
        workflows: Workflows,
        *,
        group: str,
        topics: Iterable[str] | str | None = None,
        bootstrap_servers: str | list[str] = "localhost:9092",
        concurrency: int = 10,
        dead_letter: str | None = None,
        client: Mapping[str, Any] | None = None,
        consumer: Mapping[str, Any] | None = None,
        **options: Unpack[WorkerOptions],
    ) -> None:
        super().__init__(engine, workflows, concurrency=concurrency, **options)
        self._topics = _topics(topics, self._reader.sources)
        self._group = group
        self._dead_letter = dead_letter
        self._client = {"bootstrap_servers": bootstrap_servers, **(client or {})}
        self._consumer_options = dict(consumer or {})
        self._offsets: dict[TopicPartition, PartitionOffsets] = {}
        self._due = asyncio.Event()
        self._consumer: Any = None
        self._producer: Any = None

    async def _start(self) -> None:
        self._producer = AIOKafkaProducer(
            **{"acks": "all", "max_request_size": _LARGEST_REQUEST, **self._client}
        )
        await self._producer.start()
        chosen: dict[str, Any] = {
            "auto_offset_reset": "earliest",
            "rebalance_timeout_ms": round(self._grace * 1000) + 10_000,
            **self._client,
            **self._consumer_options,
            "group_id": self._group,
            "enable_auto_commit": False,
        }
        self._consumer = AIOKafkaConsumer(**chosen)
        self._consumer.subscribe(self._topics, listener=_Rebalance(self))
        await self._consumer.start()
        self._tasks += [
            asyncio.ensure_future(self._consume(self._consumer)),
            asyncio.ensure_future(self._commit_as_due()),
        ]

    async def _close(self) -> None:
        await self._deliveries.let_go(self._grace)
        if self._consumer is not None:
            try:
                async with asyncio.timeout(self._grace + 1):
                    await self._commit()
            except (KafkaError, TimeoutError) as error:
                self._logger.warning(f"what is done was not committed, and will be delivered again: {error}")
            await self._consumer.stop()
        if self._producer is not None:
            await self._producer.stop()

    # Taking messages

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        """Fetch while there is room. ``getmany`` is awaited directly: nothing may come between it and us."""
        while True:
            try:
                if not self._throttle(consumer):
                    await self._deliveries.wait_for_room(_KEEP_ALIVE)
                    if self._throttle(consumer):
                        continue
                    fetched = await consumer.getmany(timeout_ms=0)  # a sign of life: everything is paused
                else:
                    fetched = await consumer.getmany(
                        timeout_ms=round(_IDLE * 1000), max_records=self._deliveries.room
                    )
            except KafkaError as error:
                if not error.retriable:
                    raise
                self._logger.warning(f"Kafka: {error}; trying again")
                await asyncio.sleep(self._backoff.delay(1))
                continue
            for partition, records in fetched.items():
                for record in records:
                    self._take(partition, record)

    def _throttle(self, consumer: AIOKafkaConsumer) -> bool:
        """Pause what must not be fetched now, resume what may; say whether there is room at all."""
        room = self._deliveries.room > 0
        for partition in consumer.assignment():
            offsets = self._offsets.get(partition)
            if room and (offsets is None or offsets.spread < _AHEAD):
                consumer.resume(partition)
            else:
                consumer.pause(partition)
        return room

    def _take(self, partition: TopicPartition, record: ConsumerRecord) -> None:
        offsets = self._offsets.setdefault(partition, PartitionOffsets())
        offsets.begin(record.offset)
        message = Message(
            body=record.value or b"",
            source=record.topic,
            key=f"{record.topic}:{record.partition}:{record.offset}@{record.timestamp}",
            headers=dict(record.headers),
            raw=record,
        )
        self._deliveries.begin(message, functools.partial(self._settle, record, offsets), partition)

    # Settling them

    async def _settle(self, record: ConsumerRecord, offsets: PartitionOffsets, decision: Decision) -> bool:
        if decision.verdict is Verdict.DEAD_LETTER:
            await self._put_aside(record, decision.headers())
        offsets.end(record.offset)
        self._due.set()
        return True

    async def _put_aside(self, record: ConsumerRecord, why: dict[str, str]) -> None:
        """Send the message to the dead-letter topic, as it is, with where it was and why it went there."""
        where = {
            "flux-topic": record.topic,
            "flux-partition": str(record.partition),
            "flux-offset": str(record.offset),
            "flux-timestamp": str(record.timestamp),
        }
        own = [(name, value.encode(errors="replace")) for name, value in (why | where).items()]
        former = [(name, value) for name, value in record.headers if not name.startswith("flux-")]
        topic = self._dead_letter or record.topic + DEAD_LETTER_SUFFIX
        send = functools.partial(self._producer.send_and_wait, topic, key=record.key)
        try:
            empty = record.key is None and record.value is None  # the producer wants one of them
            await send(b"" if empty else record.value, headers=[*former, *own])
        except MessageSizeTooLargeError:
            self._logger.warning(f"{topic} takes no {len(record.value):,} bytes: the body is left behind")
            await send(b"", headers=[*own, ("flux-body", b"left behind: too large for this topic")])

    async def _commit_as_due(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self._commit()
            except KafkaError as error:
                self._logger.warning(f"offsets could not be committed: {error}; trying again")
                await asyncio.sleep(self._backoff.delay(1))
                self._due.set()

    async def _commit(self) -> None:
        """Commit each partition as far as everything before is done."""
        due = {partition: offsets.due for partition, offsets in self._offsets.items()}
        found = {partition: offset for partition, offset in due.items() if offset is not None}
        if not found or self._consumer is None:
            return
        try:
            await self._consumer.commit(found)
        except (CommitFailedError, IllegalStateError) as error:
            self._logger.info(f"partitions were lost before they could be committed: {error}")
            return
        for partition, offset in found.items():
            if partition in self._offsets:
                self._offsets[partition].committed(offset)

    # Losing partitions

    async def lose(self, partitions: Iterable[TopicPartition]) -> None:
        """Come to an end with these partitions, before somebody else gets them."""
        lost = list(partitions)
        await self._deliveries.let_go(self._grace, lost)
        try:
            await self._commit()
        except KafkaError as error:
            self._logger.warning(f"what is done was not committed, and will be delivered again: {error}")
        for partition in lost:
            self._offsets.pop(partition, None)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka states no types
    """Tells a worker which partitions it loses."""

    def __init__(self, worker: KafkaWorker) -> None:
        self._worker = worker

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called before a rebalance, which waits for it."""
        await self._worker.lose(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called after a rebalance. Messages show which partitions there are."""


def _topics(topics: Iterable[str] | str | None, bound: tuple[str, ...]) -> list[str]:
    chosen = [topics] if isinstance(topics, str) else list(bound if topics is None else topics)
    if not chosen:
        raise ValueError("topics= names the topics to take messages from, or workflows= maps them")
    return chosen
