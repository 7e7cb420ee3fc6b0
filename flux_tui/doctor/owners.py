"""Which runs are in whose hands, and which were left behind."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from flux_engine.execution import RunStatus
from flux_engine.running.ownership import abandoned, decode_owner, this_host
from flux_engine.storage.schema import APPLICATION_ID
from flux_tui.doctor.check import Check, good, warning

AREA: Final = "runs"
_OPEN: Final = "SELECT status, owner, lease_until FROM runs WHERE status IN ('pending', 'running')"
_WAITING: Final = "SELECT status, count(*) FROM runs WHERE status IN ('suspended', 'paused') GROUP BY status"


def check_owners(db: Path) -> Iterator[Check]:
    """Look at the runs that have not ended. A store that cannot be read is told of elsewhere."""
    if not db.exists():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection:
        if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            return
        rows = connection.execute(_OPEN).fetchall()
        waiting = dict(connection.execute(_WAITING).fetchall())
        yield from _told(rows, waiting)


def _told(rows: list[tuple[str, str | None, str | None]], waiting: dict[str, int]) -> Iterator[Check]:
    now = time.time()
    in_hand: Counter[str] = Counter()
    left = 0
    for _, owner, lease in rows:
        if abandoned(owner, _seconds(lease), now):
            left += 1
        else:
            in_hand[_name(owner)] += 1
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


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
