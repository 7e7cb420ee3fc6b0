"""What a store knows of runs, workflows and steps, for a key press that waits for it: quick, or nothing.

A file is asked by a few short queries. A server gets a fifth of a second, connecting included, and is left to
itself after that.
"""

import asyncio
import json
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from flux_tui.address import StoreAddress

SECONDS: Final = 0.2
MOST: Final = 50
_LOOKED_AT: Final = 500

_RUNS: Final = (
    "SELECT id, status, workflow FROM runs WHERE id >= ? AND id < ? ORDER BY created_at DESC, id DESC LIMIT ?"
)
_NEWEST: Final = "SELECT id, status, workflow FROM runs ORDER BY created_at DESC, id DESC LIMIT ?"
_WORKFLOWS: Final = """
    WITH RECURSIVE names (name) AS (
        SELECT min(workflow) FROM runs
        UNION ALL
        SELECT (SELECT min(workflow) FROM runs WHERE workflow > name) FROM names WHERE name IS NOT NULL
    )
    SELECT name FROM names WHERE name IS NOT NULL LIMIT 200
"""
_STEPS: Final = """
    SELECT json_extract(step.value, '$.name')
      FROM definitions, json_each(definitions.graph, '$.steps') AS step
     WHERE run_id = (SELECT id FROM runs WHERE id >= ? AND id < ? LIMIT 1)
"""
_LAST: Final = "\U0010ffff"

Rows = list[tuple[Any, ...]]


def runs(address: StoreAddress, beginning: str) -> Rows:
    """Return id, status and workflow of the newest runs whose id begins like this."""
    if address.file is None:
        return _within_seconds(address, "runs", beginning)
    if not beginning:
        return _rows(address.file, _NEWEST, MOST)
    return _rows(address.file, _RUNS, beginning, beginning + _LAST, MOST)


def workflows(address: StoreAddress) -> Rows:
    """Return the names of the workflows that have runs; of a server's, those of its newest runs."""
    if address.file is None:
        return _within_seconds(address, "workflows", "")
    return _rows(address.file, _WORKFLOWS)


def steps(address: StoreAddress, run: str) -> Rows:
    """Return the names of the steps of a run, given the beginning of its id."""
    if address.file is None:
        return _within_seconds(address, "steps", run)
    return _rows(address.file, _STEPS, run, run + _LAST)


def _rows(db: Path, sql: str, *parameters: Any) -> Rows:
    if not db.exists():
        return []
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True, timeout=SECONDS)) as connection:
        return connection.execute(sql, parameters).fetchall()


def _within_seconds(address: StoreAddress, what: str, beginning: str) -> Rows:
    """Ask a server in a thread that does not keep the process from ending."""
    import flux_tui.stores  # noqa: PLC0415 - importing is no part of the wait

    found: Rows = []

    def ask() -> None:
        with suppress(Exception):
            found.extend(asyncio.run(_asked(flux_tui.stores, address, what, beginning)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [] if thread.is_alive() else found


async def _asked(stores: Any, address: StoreAddress, what: str, beginning: str) -> Rows:
    from flux_engine.storage.base import RunQuery  # noqa: PLC0415 - comes with the store

    storage = stores.open_store(address, read_only=True)
    await storage.open()
    if what == "workflows":
        rows = await storage.list(RunQuery(limit=_LOOKED_AT))
        return [(name,) for name in sorted({row.workflow for row in rows})]
    rows = await storage.list(RunQuery(id_prefix=beginning or None, limit=1 if what == "steps" else MOST))
    if what == "runs":
        return [(row.id, row.status, row.workflow) for row in rows]
    record = await storage.find(rows[0].id) if rows else None
    described = json.loads(record.graph)["steps"] if record is not None else []
    return [(step["name"],) for step in described]
