"""The messages that a worker has in hand: each is run, and settled when its run is stored.

A message that cannot be settled yet stays in hand and is tried again. While the store fails nothing new is
begun: other messages would fare no better.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from flux_engine.definition import WorkflowDefinition
from flux_engine.engine import FluxEngine
from flux_engine.integrations.messages import (
    Decision,
    Message,
    MessageReader,
    OnFailure,
    Verdict,
    decide,
    decide_error,
)
from flux_engine.logger import FluxLogger
from flux_engine.retry import Backoff

Settle = Callable[[Decision], Awaitable[bool]]
"""Does with the message what was decided; says whether the broker was told. What it raises is tried again."""

_LOOK_AGAIN = 0.05


@dataclass
class DeliveryStats:
    """What a worker has done since it started. ``retried`` counts attempts, the others messages."""

    received: int = 0
    acknowledged: int = 0
    dead_lettered: int = 0
    retried: int = 0


class Delivery:
    """A message in hand. ``group`` is what it is let go with, such as its partition.

    ``run`` is the workflow and the idempotency key of its run; ``resting`` is true while it only waits.
    """

    __slots__ = ("group", "leaving", "message", "resting", "run", "settle", "task")

    def __init__(self, message: Message, settle: Settle, group: Hashable) -> None:
        self.message = message
        self.settle = settle
        self.group = group
        self.run: tuple[WorkflowDefinition[Any, Any], str] | None = None
        self.leaving = False
        self.resting = True
        self.task: asyncio.Task[None] | None = None


class Deliveries:
    """Runs messages on an engine, at most ``concurrency`` of them at once."""

    def __init__(
        self,
        engine: FluxEngine,
        reader: MessageReader,
        *,
        concurrency: int,
        on_failure: OnFailure,
        backoff: Backoff,
        logger: FluxLogger,
    ) -> None:
        self.stats = DeliveryStats()
        self._engine = engine
        self._reader = reader
        self._concurrency = concurrency
        self._on_failure = on_failure
        self._backoff = backoff
        self._logger = logger
        self._in_hand: set[Delivery] = set()
        self._troubled: set[Delivery] = set()
        self._changed = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def room(self) -> int:
        """How many messages may be begun now; none while the store fails."""
        return 0 if self._troubled else max(0, self._concurrency - len(self._in_hand))

    async def wait_for_room(self, seconds: float) -> None:
        """Return when there is room, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not self.room:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    def begin(self, message: Message, settle: Settle, group: Hashable = None) -> None:
        """Take a message in hand."""
        self.stats.received += 1
        delivery = Delivery(message, settle, group)
        self._in_hand.add(delivery)
        delivery.task = asyncio.ensure_future(self._handle(delivery))
        delivery.task.add_done_callback(lambda task: self._ended(delivery, task))

    def _ended(self, delivery: Delivery, task: "asyncio.Task[None]") -> None:
        self._in_hand.discard(delivery)
        self._calm(delivery)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error(f"{_name(delivery)}: {type(error).__qualname__}: {error}")

    def _calm(self, delivery: Delivery) -> None:
        self._troubled.discard(delivery)
        self._changed.set()
        if not self._troubled:
            self._quiet.set()

    def _trouble(self, delivery: Delivery) -> None:
        self._troubled.add(delivery)
        self._quiet.clear()

    async def _handle(self, delivery: Delivery) -> None:
        """Take a message as far as it goes. It is left unsettled when it is to be let go."""
        await self._quiet.wait()
        for attempt in itertools.count(1):
            delivery.resting = False
            decision = await self._take(delivery)
            if decision is None or delivery.leaving:
                return
            self.stats.retried += 1
            if decision.of_storage:
                self._trouble(delivery)
            else:
                self._calm(delivery)
            pause = self._backoff.delay(attempt)
            self._logger.warning(f"{_name(delivery)} is tried again in {pause:.3g} s: {decision.detail}")
            delivery.resting = True
            await asyncio.sleep(pause)

    async def _take(self, delivery: Delivery) -> Decision | None:
        """Run the message and settle it; return why it must be tried again, if it must."""
        decision = await self._decide(delivery)
        if decision.verdict is Verdict.AGAIN:
            return decision
        self._calm(delivery)
        try:
            settled = await delivery.settle(decision)
        except Exception as error:  # noqa: BLE001 - whatever it was, the message is not settled
            detail = f"the broker could not be told: {type(error).__qualname__}: {error}"
            return Decision(verdict=Verdict.AGAIN, reason="broker", detail=detail)
        if settled:
            self._count(delivery, decision)
        return None

    async def _decide(self, delivery: Delivery) -> Decision:
        try:
            job = await self._reader.read(delivery.message)
            definition = self._reader.definition(job)
            key = job.idempotency_key
            if key is None:
                return Decision(verdict=Verdict.IDENTIFY, reason="no-identity")
            delivery.run = (definition, key)
            result = await self._engine.execute(definition, job.input, idempotency_key=key)
        except Exception as error:  # noqa: BLE001 - decided by its kind
            return decide_error(error)
        return decide(result, self._on_failure)

    def _count(self, delivery: Delivery, decision: Decision) -> None:
        if decision.verdict is Verdict.DEAD_LETTER:
            self.stats.dead_lettered += 1
            self._logger.warning(f"{_name(delivery)} is a dead letter ({decision.reason}): {decision.detail}")
        elif decision.verdict is Verdict.ACKNOWLEDGE:
            self.stats.acknowledged += 1

    async def let_go(self, grace: float, groups: Iterable[Hashable] | None = None) -> None:
        """Let messages come to an end, or to the next step boundary of their runs.

        ``groups`` limits it to the messages of these groups. Runs that are not there after ``grace`` seconds
        are interrupted in their step. Either way they are in nobody's hands then, and go on when their
        message is delivered again.
        """
        chosen = None if groups is None else set(groups)
        leaving = [d for d in self._in_hand if chosen is None or d.group in chosen]
        tasks = {d.task for d in leaving if d.task is not None}
        deadline = asyncio.get_running_loop().time() + grace
        while tasks and asyncio.get_running_loop().time() < deadline:
            for delivery in leaving:
                self._ask_to_leave(delivery)
            _, tasks = await asyncio.wait(tasks, timeout=_LOOK_AGAIN)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ask_to_leave(self, delivery: Delivery) -> None:
        delivery.leaving = True
        if delivery.resting and delivery.task is not None:
            delivery.task.cancel()
        elif delivery.run is not None:
            self._engine.hand_back(*delivery.run)


def _name(delivery: Delivery) -> str:
    return f"message {delivery.message.key or '(no id)'} of {delivery.message.source}"
