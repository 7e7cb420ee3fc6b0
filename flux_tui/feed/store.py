"""Reads the runs of a store, which other processes write, without ever failing into the dashboard."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from flux_engine.errors import FluxError, StorageError
from flux_engine.execution import RunStatus
from flux_engine.journal import is_interrupted
from flux_engine.large_values import read_journal
from flux_engine.running.ownership import abandoned
from flux_engine.storage.base import RunQuery, RunRow
from flux_engine.storage.sqlite import SQLiteStorage
from flux_tui.model.filter import Filter
from flux_tui.model.run import RunRowView, RunView
from flux_tui.model.stored import from_journal

PATIENCE = 0.5
"""Seconds to wait for a lock of another process, before saying that there is one."""

PAGE = 200

_DAMAGE = (FluxError, msgspec.MsgspecError, ValueError, TypeError)
"""What reading a store raises: its own errors, and those of values that no Flux wrote."""

Answer = TypeVar("Answer")


class StoreFeed:
    """Pages through a store's runs, and notices when they change.

    ``problem`` says why the store cannot be read now and what to do; it is ``None`` as long as it can,
    and while the file does not exist yet. ``damaged`` has the runs that the store cannot give whole,
    each with the reason.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.problem: str | None = None
        self.damaged: dict[str, str] = {}
        self._storage: SQLiteStorage | None = None
        self._file: tuple[int, int] | None = None
        self._revision: int | None = None
        self._owners: dict[str, bool] = {}
        self._opening = asyncio.Lock()

    @property
    def exists(self) -> bool:
        """Whether the store was there when it was last looked at."""
        return self._file is not None

    async def poll(self) -> bool:
        """Look whether anything changed since the last time; that includes the death of an owner.

        Opens the store when it has appeared, and again when its file was replaced.
        """
        before = (self._file, self._revision, self.problem)
        self._revision = await self._ask(lambda storage: storage.revision(), None)
        died = await asyncio.to_thread(self._look_after_owners)
        return died or before != (self._file, self._revision, self.problem)

    async def page(
        self,
        chosen: Filter | RunQuery | None = None,
        *,
        before: RunRowView | None = None,
        limit: int = PAGE,
    ) -> list[RunRowView]:
        """Return a page of runs, newest first: those that follow ``before``, or the newest.

        A filter is applied by the store as far as it can; its ``matches`` decides the rest. So a page
        that is shorter than ``limit`` is the last one, whatever of it is shown.
        """
        query = chosen.query() if isinstance(chosen, Filter) else chosen or RunQuery()
        after = (before.started_at / 1000, before.id) if before is not None else query.before
        query = msgspec.structs.replace(query, before=after, limit=limit)
        nothing: list[RunRow] = []
        rows = await self._ask(lambda storage: storage.list(query), nothing)
        return await asyncio.to_thread(self._views, rows)

    async def run(self, run_id: str) -> RunView | None:
        """Return a whole run; ``None`` when there is none, or it is in ``damaged``."""

        async def read(storage: SQLiteStorage) -> RunView | None:
            record = await storage.find(run_id)
            entries = await read_journal(storage, run_id)
            if record is None:
                return None
            try:
                view = await asyncio.to_thread(from_journal, record, entries)
            except _DAMAGE as error:
                self.damaged[run_id] = f"Run {run_id} cannot be shown: {error}"
                return None
            self.damaged.pop(run_id, None)
            return view

        return await self._ask(read, None)

    async def close(self) -> None:
        """Close the store. The next question opens it again."""
        async with self._opening:
            await self._close()

    async def _ask(self, question: Callable[[SQLiteStorage], Awaitable[Answer]], otherwise: Answer) -> Answer:
        try:
            storage = await self._opened()
            answer = otherwise if storage is None else await question(storage)
        except (*_DAMAGE, OSError) as error:
            self.problem = _reason(self.path, error)
            await self.close()
            return otherwise
        self.problem = None
        return answer

    async def _opened(self) -> SQLiteStorage | None:
        async with self._opening:
            file = _identity(self.path)
            if file != self._file:
                await self._close()
            self._file = file
            if file is not None and self._storage is None:
                storage = SQLiteStorage(self.path, busy_timeout=PATIENCE, read_only=True)
                await storage.open()
                self._storage = storage
            return self._storage

    async def _close(self) -> None:
        storage, self._storage = self._storage, None
        if storage is not None:
            try:
                await storage.close()
            except StorageError as error:
                self.problem = _reason(self.path, error)

    def _views(self, rows: Iterable[RunRow]) -> list[RunRowView]:
        views = []
        for row in rows:
            interrupted = is_interrupted(row.status, row.owner, row.lease_until, time.time())
            if row.status is RunStatus.RUNNING and row.owner is not None:
                self._owners[row.owner] = interrupted
            views.append(_view(row, interrupted=interrupted))
        return views

    def _look_after_owners(self) -> bool:
        """Say whether an owner of a listed run has died. A death is no write to the store."""
        alive = [owner for owner, gone in self._owners.items() if not gone]
        dead = [owner for owner in alive if abandoned(owner)]
        for owner in dead:
            del self._owners[owner]
        return bool(dead)


def _view(row: RunRow, *, interrupted: bool) -> RunRowView:
    ended = row.completed_at
    return RunRowView(
        id=row.id,
        workflow=row.workflow,
        status="interrupted" if interrupted else row.status.value,
        started_at=row.created_at * 1000,
        updated_at=row.updated_at * 1000,
        duration=None if ended is None else max(ended - row.created_at, 0.0) * 1000,
        current_step=row.current_step,
        error=row.error,
    )


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another one in its place; ``None`` before it is made.

    A file is empty for a moment while the store in it is made.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size else None


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return (
            f"{path} cannot be opened: {error.strerror or error}. "
            "Check that you may read the file and its folder, or name another file for the store."
        )
    return str(error) if isinstance(error, FluxError) else f"{path} holds what Flux did not write: {error}"
