"""Stores that an older Flux wrote are brought up to date, whole or not at all."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from flux_engine.errors import StorageError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage import schema
from flux_engine.storage.base import EntryKind, JournalEntry, RunQuery, RunRecord
from flux_engine.storage.contract_parts import NOON, a_run, a_write, an_entry
from flux_engine.storage.sqlite import SQLiteStorage

RUNS = 300

OPENS = """
import asyncio, sys
from flux_engine.storage.base import RunQuery
from flux_engine.storage.sqlite import SQLiteStorage

async def main(storage):
    print("ready", flush=True)
    sys.stdin.readline()
    await storage.open()
    print(len(await storage.list(RunQuery(limit=1000))))
    await storage.close()

asyncio.run(main(SQLiteStorage(sys.argv[1])))
"""


def old_store(path: Path, version: int) -> Path:
    """Write a store of an older schema version, with runs in it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for script in schema.MIGRATIONS[:version]:
            connection.executescript(script)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        for n in range(RUNS):
            run_id, moment = f"run-{n:03}", "2026-01-01T12:00:00.000000Z"
            connection.execute(
                "INSERT INTO runs"
                " VALUES (?, 'orders', 'failed', ?, ?, ?, 'pay', 'ValueError: no', ?, 2, ?, ?)",
                (run_id, moment, moment, moment, '{"pid": 1}', f"key-{n}", '{"type": "ValueError"}'),
            )
            connection.execute("INSERT INTO definitions VALUES (?, ?, '{}')", (run_id, f'{{"n": {n}}}'))
            connection.execute(
                "INSERT INTO journal (run_id, seq, kind, step, status, attempt, started_at, completed_at,"
                " output, changes, fingerprint)"
                " VALUES (?, 1, 'attempt', 'pay', 'failed', 1, ?, ?, ?, '{}', 'abc')",
                (run_id, moment, "2026-01-01T12:00:02.500000Z", f'"{"x" * 500}"'),
            )
        connection.commit()
    return path


def old_run(n: int) -> RunRecord:
    """Return what ``old_store`` wrote of a run."""
    return a_run(
        f"run-{n:03}",
        status=RunStatus.FAILED,
        input=f'{{"n": {n}}}',
        graph="{}",
        completed_at=NOON,
        current_step="pay",
        error='{"type": "ValueError"}',
        error_summary="ValueError: no",
        owner='{"pid": 1}',
        fence=2,
        idempotency_key=f"key-{n}",
    )


OLD_ENTRY = JournalEntry(
    seq=1,
    kind=EntryKind.ATTEMPT,
    step="pay",
    status=StepStatus.FAILED,
    attempt=1,
    started_at=NOON,
    completed_at=NOON + 2.5,
    output=f'"{"x" * 500}"',
    changes="{}",
    fingerprint="abc",
)


def start(path: Path) -> subprocess.Popen[str]:
    """Start a process that opens the store when it is told to."""
    return subprocess.Popen(
        [sys.executable, "-c", OPENS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def asked(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return what the file says when it is opened by hand."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def shape(path: Path) -> list[tuple[object, ...]]:
    """Return the tables, indexes, views and triggers of a file, and the columns of the tables."""
    return asked(
        path,
        "SELECT m.type, m.name, group_concat(c.name || ' ' || c.type)"
        "  FROM sqlite_master AS m LEFT JOIN pragma_table_info(m.name) AS c GROUP BY m.type, m.name",
    )


@pytest.mark.parametrize("version", range(1, schema.VERSION))
class TestAnOlderStore:
    async def test_its_runs_are_all_there(self, tmp_path: Path, version: int) -> None:
        """Opening it migrates it: every run and entry is as it was, and SQLite finds the file sound."""
        path = old_store(tmp_path / "flux.db", version)
        storage = SQLiteStorage(path)
        await storage.open()
        assert [await storage.find(f"run-{n:03}") for n in range(RUNS)] == [old_run(n) for n in range(RUNS)]
        assert await storage.journal("run-007") == [OLD_ENTRY]
        assert len(await storage.list(RunQuery(statuses=(RunStatus.FAILED,), limit=1000))) == RUNS
        await storage.close()
        assert asked(path, "PRAGMA user_version") == [(schema.VERSION,)]
        assert asked(path, "PRAGMA integrity_check") == [("ok",)]
        assert asked(path, "PRAGMA foreign_key_check") == []
        assert asked(path, "SELECT step, status, attempt, seconds FROM steps WHERE run_id = 'run-007'") == [
            ("pay", "failed", 1, 2.5)
        ]

    async def test_its_runs_can_do_what_new_ones_can(self, tmp_path: Path, version: int) -> None:
        """Old runs are found by key, claimed, asked, renewed, given blobs, and deleted."""
        storage = SQLiteStorage(old_store(tmp_path / "flux.db", version))
        await storage.open()
        assert await storage.find_by_key("orders", "key-7") == old_run(7)
        assert await storage.claim("run-007", fence=2, owner="me", lease_until=NOON + 30) == 3
        await storage.request("run-007", "pause")
        assert await storage.renew("me", NOON + 60) == {"run-007": "pause"}
        step = a_write(
            "run-007", fence=3, owner="me", entries=(an_entry(2, seen=0),), blobs=(("ab", "text"),)
        )
        assert await storage.save(step) == "pause"
        assert await storage.journal("run-007") == [OLD_ENTRY, an_entry(2, seen=0)]
        assert await storage.blobs("run-007") == {"ab": "text"}
        assert await storage.delete("run-007")
        await storage.close()

    async def test_it_becomes_what_a_new_one_is(self, tmp_path: Path, version: int) -> None:
        """A migrated store and a new one have the same tables, columns and indexes."""
        path = old_store(tmp_path / "old.db", version)
        for each in (path, tmp_path / "new.db"):
            storage = SQLiteStorage(each)
            await storage.open()
            await storage.close()
        assert shape(path) == shape(tmp_path / "new.db")

    async def test_who_only_reads_does_not_migrate_it(self, tmp_path: Path, version: int) -> None:
        """``read_only`` refuses, says what to do, and leaves the file as it is."""
        path = old_store(tmp_path / "flux.db", version)
        before = path.read_bytes()
        storage = SQLiteStorage(path, read_only=True)
        with pytest.raises(
            StorageError, match=rf"version {version}; .* {schema.VERSION} is needed.*without read_only"
        ):
            await storage.open()
        assert path.read_bytes() == before

    async def test_processes_migrate_it_at_once(self, tmp_path: Path, version: int) -> None:
        """Of processes that open it at the same moment one migrates it, and all go on with every run."""
        path = old_store(tmp_path / "flux.db", version)
        processes = [start(path) for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60) for process in processes] == [(f"{RUNS}\n", "")] * 2
        assert asked(path, "PRAGMA integrity_check") == [("ok",)]
        assert asked(path, "PRAGMA user_version") == [(schema.VERSION,)]

    async def test_a_migration_that_fails_leaves_it_as_it_was(
        self, tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing of a migration that breaks half-way stays, and a later one succeeds."""
        path = old_store(tmp_path / "flux.db", version)
        before = shape(path)
        storage = SQLiteStorage(path)
        with monkeypatch.context() as patch:
            patch.setattr(
                schema, "MIGRATIONS", (*schema.MIGRATIONS[:-1], "CREATE TABLE a (x);\nCREATE TABLE a (x);\n")
            )
            with pytest.raises(StorageError, match="already exists"):
                await storage.open()
        assert (shape(path), asked(path, "PRAGMA user_version")) == (before, [(version,)])
        await storage.open()
        assert await storage.find("run-007") == old_run(7)
        await storage.close()
