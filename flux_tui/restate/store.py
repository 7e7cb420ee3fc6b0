"""The runs on a Restate server as a store that is only read: so the dashboard shows them as any other."""

from collections.abc import Sequence
from typing import Any, Final, NoReturn

from flux_engine.errors import RunNotFoundError, StorageError
from flux_engine.integrations.restate import RestateClient
from flux_engine.storage.base import (
    Blobs,
    JournalEntry,
    RunQuery,
    RunRecord,
    RunRow,
    RunWrite,
    WorkflowStorage,
)

MOST: Final = 1000
"""How many of the latest runs are looked at: the server has no pages."""

LATEST: Final = 200
"""How many of the latest runs are compared to see whether anything changed."""


class RestateStore(WorkflowStorage):
    """Reads runs through a client. Whatever would write is refused: only the services on Restate do."""

    def __init__(self, client: RestateClient) -> None:
        self._client = client
        self._seen: Sequence[RunRow] = ()
        self._revision = 0
        self._journals: dict[str, tuple[JournalEntry, ...]] = {}

    async def open(self) -> None:
        """Look whether the server is there. Raises ``RestateError``."""
        await self._client.version()

    async def close(self) -> None:
        """Do nothing: each request has a connection of its own."""

    async def revision(self) -> int:
        """Return a number that differs after the latest runs have changed."""
        rows = await self._client.runs(limit=LATEST)
        if rows != self._seen:
            self._seen = rows
            self._revision += 1
        return self._revision

    async def find(self, run_id: str) -> RunRecord | None:
        """Return the run, or ``None``. Its journal is kept for the question that follows."""
        try:
            run = await self._client.run(run_id)
        except RunNotFoundError:
            return None
        self._journals = {run_id: run.entries}
        return run.record

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """Return the run's entries, with their large values in place."""
        if run_id not in self._journals:
            await self.find(run_id)
        return [*self._journals.pop(run_id, ())]

    async def blobs(self, run_id: str) -> dict[str, str]:
        """Return nothing: the journal has all values in place."""
        del run_id
        return {}

    async def find_by_key(self, workflow: str, key: str) -> RunRecord | None:
        """Refuse: nobody who looks asks for it."""
        _refuse(workflow, key)

    async def create(
        self, record: RunRecord, entries: Sequence[JournalEntry] = (), blobs: Blobs = ()
    ) -> None:
        """Refuse."""
        _refuse(record, entries, blobs)

    async def claim(self, run_id: str, *, fence: int, owner: str, lease_until: float | None = None) -> int:
        """Refuse."""
        _refuse(run_id, fence, owner, lease_until)

    async def save(self, write: RunWrite) -> str | None:
        """Refuse."""
        _refuse(write)

    async def request(self, run_id: str, what: str) -> None:
        """Refuse."""
        _refuse(run_id, what)

    async def renew(self, owner: str, lease_until: float) -> dict[str, str]:
        """Refuse."""
        _refuse(owner, lease_until)

    async def delete(self, run_id: str) -> bool:
        """Refuse."""
        _refuse(run_id)

    async def list(self, query: RunQuery) -> list[RunRow]:
        """Return a page of the latest runs."""
        asked = min(query.limit, MOST) if query == RunQuery(limit=query.limit) else MOST
        rows = await self._client.runs(query.workflow, limit=asked)
        return [row for row in rows if _matches(row, query)][: query.limit]


def _refuse(*_: Any) -> NoReturn:
    raise StorageError("What runs on Restate keep is written by their services alone.")


def _matches(row: RunRow, query: RunQuery) -> bool:
    text = query.text.casefold() if query.text else ""
    told = (row.id, row.workflow, row.current_step or "", row.error or "")
    return (
        (query.workflow is None or row.workflow == query.workflow)
        and (not query.statuses or row.status in query.statuses)
        and (query.id_prefix is None or row.id.startswith(query.id_prefix))
        and (query.since is None or row.created_at >= query.since)
        and (query.until is None or row.created_at < query.until)
        and (query.before is None or (row.created_at, row.id) < query.before)
        and any(text in each.casefold() for each in told)
    )
