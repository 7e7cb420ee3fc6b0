"""A store on another host, for tests: one that can be slow, out of reach, or lost and found again."""

import asyncio
from typing import Any

from flux_engine import MemoryStorage
from flux_engine.errors import StorageError
from flux_engine.running.ownership import Owner
from flux_engine.storage.base import WorkflowStorage
from flux_tui.address import StoreAddress

ADDRESS = "postgresql://shop:s3cret@db.internal/orders"
HOST_B = Owner(host="host-b", pid=41, started="1", engine="e1").encode()


class Network:
    """Between the dashboard and ``kept``, the store of the other host. Each ``open`` is a connection."""

    def __init__(self) -> None:
        self.kept = MemoryStorage()
        self.down = ""
        self.delay = 0.0
        self.opened = 0
        self.asked = 0

    def reach(self, _: StoreAddress) -> WorkflowStorage:
        """Return what stands for the store on this side of the network."""
        return _Far(self)


class _Far(MemoryStorage):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    async def open(self) -> None:
        await self._pass()
        self._network.opened += 1

    async def close(self) -> None:
        await asyncio.sleep(self._network.delay)

    async def _pass(self) -> None:
        self._network.asked += 1
        if self._network.delay:
            await asyncio.sleep(self._network.delay)
        if self._network.down:
            raise StorageError(self._network.down)

    async def _far(self, verb: str, *arguments: Any) -> Any:
        await self._pass()
        return await getattr(self._network.kept, verb)(*arguments)

    async def revision(self) -> int:
        return await self._far("revision")

    async def list(self, query):
        return await self._far("list", query)

    async def find(self, run_id):
        return await self._far("find", run_id)

    async def journal(self, run_id):
        return await self._far("journal", run_id)

    async def blobs(self, run_id):
        return await self._far("blobs", run_id)
