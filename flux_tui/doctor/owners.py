"""Which runs are in whose hands, and which were left behind."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from flux_engine.errors import FluxError
from flux_engine.execution import RunStatus
from flux_engine.running.ownership import abandoned, decode_owner, this_host
from flux_engine.storage.base import RunQuery, RunRow, WorkflowStorage
from flux_tui.address import StoreAddress
from flux_tui.doctor.check import Check, good, warning
from flux_tui.stores import open_store

AREA: Final = "runs"
_PAGE: Final = 1000
_MOST: Final = 20_000
_SECONDS: Final = 5.0


def check_owners(address: StoreAddress) -> Iterator[Check]:
    """Look at the runs that have not ended. A store that cannot be read is told of elsewhere."""
    if not address.exists():
        return
    with suppress(FluxError, OSError, TimeoutError):
        open_runs, waiting = asyncio.run(asyncio.wait_for(_found(address), _SECONDS))
        yield from _told(open_runs, waiting)


async def _found(address: StoreAddress) -> tuple[list[RunRow], Counter[RunStatus]]:
    storage = open_store(address, read_only=True)
    try:
        await storage.open()
        open_runs = await _all(storage, (RunStatus.PENDING, RunStatus.RUNNING))
        waiting = await _all(storage, (RunStatus.SUSPENDED, RunStatus.PAUSED))
    finally:
        await storage.close()
    return open_runs, Counter(row.status for row in waiting)


async def _all(storage: WorkflowStorage, statuses: tuple[RunStatus, ...]) -> list[RunRow]:
    found: list[RunRow] = []
    query = RunQuery(statuses=statuses, limit=_PAGE)
    while len(found) < _MOST:
        page = await storage.list(query)
        found += page
        if len(page) < _PAGE:
            break
        query = replace(query, before=(page[-1].created_at, page[-1].id))
    return found


def _told(rows: list[RunRow], waiting: Counter[RunStatus]) -> Iterator[Check]:
    now = time.time()
    in_hand: Counter[str] = Counter()
    left = 0
    for row in rows:
        if abandoned(row.owner, row.lease_until, now):
            left += 1
        else:
            in_hand[_name(row.owner)] += 1
    if left:
        yield warning(
            AREA, f"{left} interrupted: their process is gone", "go on with them: flux runs recover"
        )
    for name, count in in_hand.most_common():
        yield good(AREA, f"{count} in the hands of {name}")
    told = [
        f"{waiting[status]} {status}"
        for status in (RunStatus.SUSPENDED, RunStatus.PAUSED)
        if status in waiting
    ]
    if told:
        yield good(AREA, f"{', '.join(told)}: flux runs list --status suspended --status paused")
    if not rows and not told:
        yield good(AREA, "none is under way, none was left behind")


def _name(owner: str | None) -> str:
    found = decode_owner(owner or "")
    if found is None:
        return "an unknown owner"
    where = "" if found.host == this_host() else f" on {found.host}"
    return f"process {found.pid}{where}"
