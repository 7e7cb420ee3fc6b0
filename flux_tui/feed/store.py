"""Reads the runs of a store, which other processes write, without ever failing into the dashboard."""

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from flux_engine.execution import RunStatus
from flux_engine.journal import is_interrupted
from flux_engine.large_values import read_journal
from flux_engine.running.ownership import abandoned
from flux_engine.storage.base import RunQuery, RunRow, WorkflowStorage
from flux_tui.address import StoreAddress
from flux_tui.feed.opened import DAMAGE, GLANCE, OpenedStore
from flux_tui.model.filter import Filter
from flux_tui.model.run import RunRowView, RunView
from flux_tui.model.stored import from_journal

PAGE = 200

BUSY, IDLE = 0.25, 2.0
"""Seconds between two looks at a file, while runs are on their way and else."""

LIVE: Final = 0.1
"""Seconds between two looks at a server's store, which is told of every change: it costs a comparison."""


class StoreFeed:
    """Pages through a store's runs, and notices when they change.

    ``damaged`` has the runs that the store cannot give whole, each with the reason. ``glance`` is how long a
    question waits for a server, and ``opening`` what makes the store of an address. ``looks`` are the seconds
    between two looks, while runs are on their way and else, where they are not those of the kind of store.
    """

    def __init__(
        self,
        address: StoreAddress | str | Path,
        *,
        glance: float = GLANCE,
        opening: Callable[[StoreAddress], WorkflowStorage] | None = None,
        looks: tuple[float, float] | None = None,
    ) -> None:
        self.address = StoreAddress.of(address)
        self.damaged: dict[str, str] = {}
        self._store = OpenedStore(self.address, glance=glance, opening=opening)
        self._looks = looks or ((LIVE, LIVE) if self.address.is_server else (BUSY, IDLE))
        self._revision: int | None = None
        self._owners: dict[str, tuple[bool, float | None]] = {}

    @property
    def problem(self) -> str | None:
        """Why the store cannot be read now and what to do; ``None`` as long as it can, or is not made yet."""
        return self._store.problem

    @property
    def exists(self) -> bool:
        """Whether the store was there when it was last looked at."""
        return self._store.file is not None

    def rest(self, *, busy: bool) -> float:
        """Return how many seconds to wait before the next ``poll``."""
        while_busy, while_idle = self._looks
        return while_busy if busy else while_idle

    async def poll(self) -> bool:
        """Look whether anything changed since the last time; that includes the death of an owner.

        Opens the store when it has appeared, and again when its file was replaced or its server came back.
        """
        store = self._store
        before = (store.file, self._revision, store.problem)
        self._revision = await store.ask(lambda storage: storage.revision(), None)
        died = await self._look_after_owners()
        return died or before != (store.file, self._revision, store.problem)

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
        rows = await self._store.ask(lambda storage: storage.list(query), nothing)
        return await asyncio.to_thread(self._views, rows)

    async def run(self, run_id: str) -> RunView | None:
        """Return a whole run; ``None`` when there is none, or it is in ``damaged``."""

        async def read(storage: WorkflowStorage) -> RunView | None:
            record = await storage.find(run_id)
            entries = await read_journal(storage, run_id)
            if record is None:
                return None
            try:
                view = await asyncio.to_thread(from_journal, record, entries, time.time())
            except DAMAGE as error:
                self.damaged[run_id] = f"Run {run_id} cannot be shown: {error}"
                return None
            self.damaged.pop(run_id, None)
            return view

        return await self._store.ask(read, None)

    async def close(self) -> None:
        """Close the store. The next question opens it again."""
        await self._store.close()

    def _views(self, rows: Iterable[RunRow]) -> list[RunRowView]:
        views = []
        for row in rows:
            interrupted = is_interrupted(row.status, row.owner, row.lease_until, time.time())
            if row.status is RunStatus.RUNNING and row.owner is not None:
                self._owners[row.owner] = (interrupted, row.lease_until)
            views.append(_view(row, interrupted=interrupted))
        return views

    async def _look_after_owners(self) -> bool:
        """Say whether an owner of a listed run has died, or let its lease end. Neither is a write."""
        alive = [(owner, lease) for owner, (gone, lease) in self._owners.items() if not gone]
        if not alive:
            return False
        dead = await asyncio.to_thread(_gone, alive, time.time())
        for owner in dead:
            del self._owners[owner]
        return bool(dead)


def _gone(owners: Iterable[tuple[str, float | None]], now: float) -> list[str]:
    return [owner for owner, lease in owners if abandoned(owner, lease, now)]


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
