"""Workflows that tell what they did and wait where a test wants them to, and a store that can fail."""

import asyncio
import json
from collections import Counter

from pydantic import BaseModel

from flux_engine import FatalError, MemoryStorage, StorageError, create_workflow, wait


async def eventually(condition, seconds=20.0):
    """Wait until the condition holds; fail when it takes longer than anything here should."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)


def leaving(worker):
    """Say whether the messages in hand were asked to come to a step boundary."""
    in_hand = worker._deliveries._in_hand
    return bool(in_hand) and all(delivery.leaving for delivery in in_hand)


class Order(BaseModel):
    """The input of the workflows."""

    id: str
    items: int = 1


def order(number, **more):
    """Return the body of a message that is an order."""
    return json.dumps({"id": str(number), **more}).encode()


def envelope(workflow, number, **more):
    """Return the body of a message that names its workflow."""
    return json.dumps({"workflow": workflow, "input": {"id": str(number)}, **more}).encode()


class Shop:
    """Two steps for each order; orders in ``held`` wait in the first until they are let through."""

    def __init__(self):
        self.begun = Counter()
        self.reserved = Counter()
        self.shipped = Counter()
        self.held: dict[str, asyncio.Event] = {}
        self.at_once = 0
        self.most_at_once = 0

    def hold(self, *numbers):
        """Have these orders wait in their first step."""
        self.held |= {str(number): asyncio.Event() for number in numbers}

    def let_through(self, *numbers):
        """Let them go on; all of them when none is named."""
        for number in numbers or tuple(self.held):
            self.held[str(number)].set()

    async def reserve(self, ctx):
        """Wait while the order is held."""
        number = ctx.input.id
        self.begun[number] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if number in self.held:
                await self.held[number].wait()
        finally:
            self.at_once -= 1
        self.reserved[number] += 1

    async def ship(self, ctx):
        """Note the order."""
        self.shipped[ctx.input.id] += 1

    def flow(self):
        """Return the workflow of the shop."""
        return create_workflow("order").input(Order).step("reserve", self.reserve).commit("ship", self.ship)

    def flow_that_fails(self):
        """Return a workflow that is held like that of the shop, and fails."""
        return create_workflow("order").input(Order).step("reserve", self.reserve).step("fail", _refuse)


def _refuse(ctx):
    raise FatalError("out of stock")


failing_flow = create_workflow("failing").input(Order).step("fail", _refuse)
waiting_flow = create_workflow("waiting").input(Order).step("ask", lambda ctx: wait("approval"))


class FailingStorage(MemoryStorage):
    """A store in memory that fails while it is ``broken``; ``asked`` has the keys that were looked for."""

    def __init__(self):
        super().__init__()
        self.broken = False
        self.asked = set()

    def _check(self):
        if self.broken:
            raise StorageError("the disk is full")

    async def create(self, *arguments, **options):
        self._check()
        return await super().create(*arguments, **options)

    async def save(self, write):
        self._check()
        return await super().save(write)

    async def find_by_key(self, workflow, key):
        self.asked.add(key)
        self._check()
        return await super().find_by_key(workflow, key)
