"""A store that is opened when it is there, and again when it was lost: a file that is replaced, a server."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from flux_engine.errors import FluxError, StorageError
from flux_engine.storage.base import WorkflowStorage
from flux_tui.address import StoreAddress
from flux_tui.stores import open_store

PATIENCE: Final = 0.5
"""Seconds to wait for a lock of another process, before saying that there is one."""

GLANCE: Final = 1.0
"""Seconds that a question waits for a server to be reached; it is tried on while others are told so."""

ANSWER: Final = 15.0
"""Seconds after which a server that does not answer is taken for lost."""

AGAIN: Final = (0.3, 3.0)
"""Seconds after which a server is tried again, the first time and at most."""

DAMAGE: Final = (FluxError, msgspec.MsgspecError, ValueError, TypeError)
"""What reading a store raises: its own errors, and those of values that no Flux wrote."""

Answer = TypeVar("Answer")
Question = Callable[[WorkflowStorage], Awaitable[Answer]]
File = tuple[int, int]

SERVER: Final[File] = (0, 0)
"""Stands for the file of a store that has none."""


class OpenedStore:
    """Asks a store, which may be missing, locked, broken or out of reach, and never raises.

    ``problem`` says why it cannot be read now and what to do; it is ``None`` as long as it can, and while a
    file does not exist yet. ``glance`` is how long a question waits for a server. ``opening`` makes
    the store of an address.
    """

    def __init__(
        self,
        address: StoreAddress,
        *,
        glance: float = GLANCE,
        opening: Callable[[StoreAddress], WorkflowStorage] | None = None,
    ) -> None:
        self.address = address
        self.problem: str | None = None
        self.file: File | None = None
        self._glance = glance
        self._make = opening or _read_only
        self._storage: WorkflowStorage | None = None
        self._connecting: asyncio.Task[WorkflowStorage] | None = None
        self._failures = 0
        self._again_at = 0.0
        self._gate = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def ask(self, question: "Question[Answer]", otherwise: Answer) -> Answer:
        """Return what the store answers, or ``otherwise`` while it cannot be asked."""
        storage = None
        try:
            storage = await (self._of_server() if self.address.is_server else self._of_file())
            if storage is None:
                answer = otherwise
            elif self.address.is_server:
                answer = await asyncio.wait_for(question(storage), ANSWER)
            else:
                answer = await question(storage)
        except (*DAMAGE, OSError) as error:
            if storage is self._storage:
                self.problem = reason(self.address, error)
                await self._lose()
            return otherwise
        if storage is not None or not self.address.is_server:
            self.problem = None
        return answer

    async def close(self) -> None:
        """Close the store. The next question opens it again."""
        async with self._gate:
            connecting, self._connecting = self._connecting, None
            if connecting is not None:
                connecting.cancel()
                await asyncio.gather(connecting, return_exceptions=True)
            await self._close()

    async def _lose(self) -> None:
        """Let go of a store that failed. A server may not answer that either: nobody waits for it."""
        storage, self._storage = self._storage, None
        if storage is None or not self.address.is_server:
            self._storage = storage
            await self.close()
            return
        ending = asyncio.create_task(_close_quietly(storage), name="lost store")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _of_file(self) -> WorkflowStorage | None:
        async with self._gate:
            file = _identity(self.address)
            if file != self.file:
                await self._close()
            self.file = file
            if file is not None and self._storage is None:
                storage = self._make(self.address)
                await storage.open()
                self._storage = storage
            return self._storage

    async def _of_server(self) -> WorkflowStorage | None:
        """Return the store, or ``None`` while it is out of reach: then ``problem`` says so."""
        if self._storage is not None:
            return self._storage
        if self._connecting is None:
            if time.monotonic() < self._again_at:
                return None
            self._connecting = asyncio.create_task(self._connect(), name="store")
        connecting = self._connecting
        done, _ = await asyncio.wait({connecting}, timeout=self._glance)
        if not done:
            self.problem = f"The store {self.address} has not answered yet; it is tried on."
        elif self._connecting is connecting:
            self._connecting = None
            self._took(connecting)
        return self._storage

    async def _connect(self) -> WorkflowStorage:
        storage = self._make(self.address)
        try:
            await storage.open()
        except BaseException:
            await _close_quietly(storage)
            raise
        return storage

    def _took(self, connecting: "asyncio.Task[WorkflowStorage]") -> None:
        error = None if connecting.cancelled() else connecting.exception()
        if error is None and not connecting.cancelled():
            self._storage, self.file, self._failures, self.problem = connecting.result(), SERVER, 0, None
            return
        first, most = AGAIN
        self._again_at = time.monotonic() + min(first * 2**self._failures, most)
        self._failures = min(self._failures + 1, 10)
        if isinstance(error, Exception):
            self.problem = reason(self.address, error)

    async def _close(self) -> None:
        storage, self._storage = self._storage, None
        if storage is not None:
            try:
                await storage.close()
            except (StorageError, OSError) as error:
                self.problem = reason(self.address, error)


async def _close_quietly(storage: WorkflowStorage) -> None:
    with contextlib.suppress(*DAMAGE, OSError):
        await storage.close()


def reason(address: StoreAddress, error: Exception) -> str:
    """Return why a store cannot be read and what to do. The password of its address is not in it."""
    if isinstance(error, TimeoutError):
        return f"The store {address} did not answer in {ANSWER:.0f} s. It is tried again."
    if address.is_server and isinstance(error, FluxError | OSError):
        return f"{address.scrub(str(error)).rstrip('. ')}. It is tried again every {AGAIN[1]:.0f} s."
    if isinstance(error, OSError):
        return (
            f"{address} cannot be opened: {error.strerror or error}. "
            "Check that you may read the file and its folder, or name another file for the store."
        )
    return str(error) if isinstance(error, FluxError) else f"{address} holds what Flux did not write: {error}"


def _read_only(address: StoreAddress) -> WorkflowStorage:
    return open_store(address, read_only=True, patience=PATIENCE)


def _identity(address: StoreAddress) -> File | None:
    """Return what tells this file from another one in its place; ``None`` before it is made.

    A file is empty for a moment while the store in it is made.
    """
    if address.file is None:
        return SERVER
    try:
        found = address.file.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size else None
