"""The SQLite store: the file, its neighbours, and what can go wrong with them."""

import asyncio
import os
import random
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from flux_engine.errors import OwnershipLostError, SchemaVersionError, StorageError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage import listing, rows, schema
from flux_engine.storage.base import RunQuery
from flux_engine.storage.contract_parts import NOON, a_run, a_write, an_entry
from flux_engine.storage.sqlite import SQLiteStorage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that does not exist, in a folder that does not either."""
    return tmp_path / "store" / "flux.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SQLiteStorage]:
    """An open store that soon gives up on locks."""
    storage = SQLiteStorage(path, busy_timeout=0.05)
    await storage.open()
    yield storage
    await storage.close()


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        yield connection


async def made(path: Path, *run_ids: str) -> None:
    """Make a store with some runs and close it."""
    storage = SQLiteStorage(path)
    await storage.open()
    for run_id in run_ids:
        await storage.create(a_run(run_id), [an_entry(1)])
    await storage.close()


def content(path: Path) -> bytes:
    """Return all that is in a file."""
    return path.read_bytes()


def damage(path: Path) -> bytes:
    """Overwrite all pages of a database but the first; return what the file has then."""
    damaged = content(path)[:4096].ljust(path.stat().st_size, b"\xa5")
    path.write_bytes(damaged)
    return damaged


async def refusal(storage: SQLiteStorage) -> str:
    """Return what ``open`` says when it refuses."""
    with pytest.raises(StorageError) as caught:
        await storage.open()
    await storage.close()
    return str(caught.value)


class TestTheFile:
    @pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
    async def test_only_the_owner_can_read_it(self, path: Path) -> None:
        """Folder 0700 and files 0600, the write-ahead log included, whatever the umask."""
        before = os.umask(0)
        try:
            storage = SQLiteStorage(path)
            await storage.open()
            await storage.create(a_run())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
            await storage.close()
        finally:
            os.umask(before)
        assert modes == dict.fromkeys(("flux.db", "flux.db-wal", "flux.db-shm"), 0o600)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    async def test_close_leaves_one_file(self, path: Path) -> None:
        """After a close everything is in the file itself, so that copying it copies the store."""
        await made(path, "a")
        assert [file.name for file in path.parent.iterdir()] == ["flux.db"]

    async def test_it_is_read_comfortably_by_hand(self, storage: SQLiteStorage, path: Path) -> None:
        """Times are ISO text that SQLite computes with, and the latest attempts are a view."""
        first = an_entry(1, step="pay", status=StepStatus.FAILED, completed_at=NOON + 2)
        second = an_entry(2, step="pay", attempt=2, status=StepStatus.COMPLETED, completed_at=NOON + 3.5)
        await storage.create(a_run(), [first, second])
        with by_hand(path) as connection:
            created = connection.execute("SELECT created_at, datetime(created_at) FROM runs").fetchall()
            steps = connection.execute("SELECT step, status, attempt, seconds FROM steps").fetchall()
            order = connection.execute("SELECT json_extract(input, '$.order_id') FROM definitions").fetchall()
        assert created == [("2026-01-01T12:00:00.000000Z", "2026-01-01 12:00:00")]
        assert steps == [("pay", "completed", 2, 1.5)]
        assert order == [("1",)]

    async def test_a_large_text_is_in_it_once(self, storage: SQLiteStorage, path: Path) -> None:
        """Runs share a text by its hash, and the last of them to be deleted, even by hand, takes it along."""
        for run_id in ("a", "b", "c"):
            await storage.create(a_run(run_id), (), (("ab", "text"), (f"of-{run_id}", "more")))
        await storage.delete("a")
        with by_hand(path) as connection:
            hashes = connection.execute("SELECT hash FROM blobs ORDER BY hash").fetchall()
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("DELETE FROM runs")
            left = connection.execute("SELECT * FROM blobs").fetchall()
        assert (hashes, left) == ([("ab",), ("of-b",), ("of-c",)], [])

    async def test_its_header_says_whose_it_is(self, path: Path) -> None:
        """The file carries an application id, its schema version and write-ahead logging."""
        await made(path)
        with by_hand(path) as connection:
            found = [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "user_version", "journal_mode")
            ]
        assert found == [schema.APPLICATION_ID, schema.VERSION, "wal"]

    @pytest.mark.parametrize("path", ["", ":memory:"])
    def test_a_store_in_memory_is_another_class(self, path: str) -> None:
        """``:memory:`` is refused by naming the store that does it."""
        with pytest.raises(StorageError, match="MemoryStorage"):
            SQLiteStorage(path)

    def test_durability_is_one_of_two_words(self, path: Path) -> None:
        """A misspelt durability is refused at once."""
        with pytest.raises(StorageError, match="'full' or 'normal'"):
            SQLiteStorage(path, durability="ful")  # type: ignore[arg-type]

    async def test_odd_names_are_names(self, tmp_path: Path) -> None:
        """Characters that mean something in a URI are part of the file's name."""
        odd = tmp_path / "a b?mode=memory#x%41.db"
        await made(odd, "a")
        assert odd.exists()

    async def test_normal_durability_stores_as_well(self, path: Path) -> None:
        """The trade is one of power failures only."""
        storage = SQLiteStorage(path, durability="normal")
        await storage.open()
        await storage.create(a_run())
        await storage.close()
        await storage.open()
        assert await storage.find("run-1") == a_run()
        await storage.close()


class TestFilesThatAreNoStore:
    async def test_garbage_is_refused_and_kept(self, tmp_path: Path) -> None:
        """A file that is no database is named, and left as it is."""
        file = tmp_path / "flux.db"
        garbage = random.Random(1).randbytes(10_000)  # noqa: S311
        file.write_bytes(garbage)
        message = await refusal(SQLiteStorage(file))
        assert str(file) in message
        assert "not a SQLite database" in message
        assert content(file) == garbage

    async def test_a_database_of_another_program_is_refused_and_kept(self, tmp_path: Path) -> None:
        """Tables of somebody else stay alone: nothing is added, no mode is changed."""
        file = tmp_path / "other.db"
        with by_hand(file) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        before = content(file)
        assert "another program" in await refusal(SQLiteStorage(file))
        assert content(file) == before

    async def test_a_damaged_store_says_so(self, path: Path) -> None:
        """Damage inside the file is reported as such, and the file is kept."""
        await made(path, *(f"run-{n}" for n in range(200)))
        damaged = damage(path)
        storage = SQLiteStorage(path)
        with pytest.raises(StorageError, match="is damaged") as caught:  # noqa: PT012 - wherever it shows
            await storage.open()
            await storage.list(RunQuery())
        await storage.close()
        assert str(path) in str(caught.value)
        assert content(path) == damaged

    async def test_a_newer_schema_is_refused(self, path: Path) -> None:
        """A store of a newer Flux is not touched, and the message says what to do."""
        await made(path, "a")
        with by_hand(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        for storage in (SQLiteStorage(path), SQLiteStorage(path, read_only=True)):
            with pytest.raises(SchemaVersionError, match=r"version 99.*upgrade"):
                await storage.open()

    async def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        """A path that names a folder is a ``StorageError``."""
        assert "Check that it is a file" in await refusal(SQLiteStorage(tmp_path))

    async def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        """A path below a file is a ``StorageError``."""
        (tmp_path / "file").touch()
        assert "cannot be opened" in await refusal(SQLiteStorage(tmp_path / "file" / "flux.db"))

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
    async def test_a_folder_without_permission_is_named(self, tmp_path: Path) -> None:
        """No permission to create the store is a ``StorageError``."""
        os.chmod(tmp_path, 0o500)  # noqa: PTH101
        assert "Permission denied" in await refusal(SQLiteStorage(tmp_path / "flux.db"))
        os.chmod(tmp_path, 0o700)  # noqa: PTH101


class TestLocks:
    async def test_a_lock_of_another_program_is_reported_and_outlived(
        self, storage: SQLiteStorage, path: Path
    ) -> None:
        """A write fails after the busy time-out, reads go on, and so do writes when the lock is gone."""
        await storage.create(a_run())
        with by_hand(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="locked by another program"):
                await storage.save(a_write(entries=(an_entry(1),)))
            assert await storage.find("run-1") == a_run()
            assert await storage.journal("run-1") == []
            other.execute("ROLLBACK")
        await storage.save(a_write(entries=(an_entry(1),)))
        assert await storage.journal("run-1") == [an_entry(1)]

    async def test_a_short_lock_is_waited_out(self, path: Path) -> None:
        """A write waits for a lock that ends within the busy time-out."""
        storage = SQLiteStorage(path, busy_timeout=30)
        await storage.open()
        with by_hand(path) as other:
            other.execute("BEGIN IMMEDIATE")
            write = asyncio.create_task(storage.create(a_run()))
            assert await storage.list(RunQuery()) == []
            assert not write.done()
            other.execute("COMMIT")
        await write
        await storage.close()

    async def test_a_store_locked_as_a_whole_is_reported(self, path: Path) -> None:
        """A store that another program keeps for itself cannot be opened until it lets go."""
        await made(path, "a")
        storage = SQLiteStorage(path, busy_timeout=0.05)
        with by_hand(path) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            assert "locked by another program" in await refusal(storage)
            other.execute("COMMIT")
        await storage.open()
        assert [row.id for row in await storage.list(RunQuery())] == ["a"]
        await storage.close()


class TestReadOnly:
    async def test_it_reads_and_never_writes(self, path: Path) -> None:
        """Everything can be read; every write is refused, and says why."""
        await made(path, "a")
        storage = SQLiteStorage(path, read_only=True)
        await storage.open()
        assert await storage.find("a") == a_run("a")
        assert await storage.journal("a") == [an_entry(1)]
        assert [row.id for row in await storage.list(RunQuery())] == ["a"]
        for write in (
            storage.create(a_run()),
            storage.claim("a", fence=0, owner="me"),
            storage.save(a_write("a")),
            storage.request("a", "pause"),
            storage.renew("me", NOON),
            storage.delete("a"),
        ):
            with pytest.raises(StorageError, match="read_only"):
                await write
        await storage.close()
        assert [file.name for file in path.parent.iterdir() if file.stat().st_size] in (
            ["flux.db"],
            ["flux.db", "flux.db-shm"],
            ["flux.db-shm", "flux.db"],
        )

    async def test_it_sees_what_others_write(self, storage: SQLiteStorage, path: Path) -> None:
        """A dashboard that only looks sees new runs, and a new revision."""
        reader = SQLiteStorage(path, read_only=True)
        await reader.open()
        before = await reader.revision()
        assert await reader.revision() == before
        await storage.create(a_run())
        assert await reader.revision() != before
        assert await reader.find("run-1") == a_run()
        await reader.close()

    async def test_a_missing_file_is_not_made(self, path: Path) -> None:
        """Looking at a store that is not there makes neither file nor folder."""
        assert f"no store at {path}" in await refusal(SQLiteStorage(path, read_only=True))
        assert not path.parent.exists()

    async def test_an_empty_file_is_not_filled(self, tmp_path: Path) -> None:
        """A file without tables cannot be made a store by somebody who only reads."""
        file = tmp_path / "flux.db"
        file.touch()
        assert "is empty" in await refusal(SQLiteStorage(file, read_only=True))
        assert file.stat().st_size == 0


class TestManyAtOnce:
    async def test_concurrent_writes_share_transactions(self, storage: SQLiteStorage, path: Path) -> None:
        """Fifty writes that wait together, some of them refused, cost the disk a few commits, not fifty."""
        await asyncio.gather(*(storage.create(a_run(f"run-{n}", fence=n % 2)) for n in range(50)))
        before = commits(path)
        writes = (a_write(f"run-{n}", entries=(an_entry(1),)) for n in range(50))
        outcomes = await asyncio.gather(*map(storage.save, writes), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), OwnershipLostError] * 25
        assert 1 <= commits(path) - before <= 3
        assert len(await storage.list(RunQuery(limit=100))) == 50

    async def test_a_write_that_breaks_half_way_breaks_alone(self, storage: SQLiteStorage) -> None:
        """Text that SQLite refuses fails its own write, whole; the others of the transaction are made."""
        for n in range(5):
            await storage.create(a_run(f"run-{n}"))
        writes = [a_write(f"run-{n}", current_step="x", entries=(an_entry(1),)) for n in range(5)]
        writes[2] = replace(writes[2], entries=(an_entry(1), an_entry(2, output="\ud800")))
        outcomes = await asyncio.gather(*map(storage.save, writes), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [
            type(None), type(None), StorageError, type(None), type(None),
        ]  # fmt: skip
        assert [len(await storage.journal(f"run-{n}")) for n in range(5)] == [1, 1, 0, 1, 1]
        assert await storage.find("run-2") == a_run("run-2")

    async def test_a_stale_owner_fails_alone_beside_a_broken_write(self, storage: SQLiteStorage) -> None:
        """Each write of a transaction that was made again keeps its own outcome."""
        for n in range(3):
            await storage.create(a_run(f"run-{n}", fence=n))
        broken = a_write("run-0", entries=(an_entry(1, output="\ud800"),))
        outcomes = await asyncio.gather(
            storage.save(a_write("run-1", fence=0)),
            storage.save(broken),
            storage.save(a_write("run-2", fence=2, status=RunStatus.COMPLETED)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [OwnershipLostError, StorageError, type(None)]
        assert [row.status for row in await storage.list(RunQuery())] == ["completed", "running", "running"]

    async def test_many_may_create_one_store_at_once(self, path: Path) -> None:
        """Whoever comes first makes the tables, the others find them."""
        storages = [SQLiteStorage(path) for _ in range(8)]
        await asyncio.gather(*(storage.open() for storage in storages))
        await asyncio.gather(*(storage.create(a_run(str(n))) for n, storage in enumerate(storages)))
        assert len(await storages[0].list(RunQuery())) == 8
        for storage in storages:
            await storage.close()

    async def test_ten_thousand_runs_page_in_order(self, storage: SQLiteStorage) -> None:
        """Pages cover all runs in order, with many created in the same microsecond."""
        chance = random.Random(3)  # noqa: S311
        records = [
            a_run(f"{chance.getrandbits(64):016x}", created_at=NOON + chance.randrange(3000) / 1_000_000)
            for _ in range(10_000)
        ]
        await asyncio.gather(*map(storage.create, records))
        seen, before = [], None
        while page := await storage.list(RunQuery(limit=999, before=before)):
            seen += [(row.created_at, row.id) for row in page]
            before = seen[-1]
        assert seen == sorted(((record.created_at, record.id) for record in records), reverse=True)

    async def test_no_listing_sorts_the_runs(self, storage: SQLiteStorage, path: Path) -> None:
        """Each filter has an index in the order of the listing, so that a page costs a page."""
        for query in (
            RunQuery(),
            RunQuery(before=(NOON, "x"), since=NOON),
            RunQuery(workflow="orders", before=(NOON, "x")),
            RunQuery(statuses=(RunStatus.FAILED,), until=NOON),
            RunQuery(workflow="orders", statuses=(RunStatus.FAILED,), before=(NOON, "x")),
            RunQuery(text="error"),
        ):
            sql, parameters = listing.listing(query)
            with by_hand(path) as connection:
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
            assert len(plan) == 1
            assert "USING INDEX" in plan[0]

    async def test_leases_and_keys_have_an_index(self, storage: SQLiteStorage, path: Path) -> None:
        """Renewing costs the runs of the owner, and a key is looked up, however many runs there are."""
        for sql, parameters, index in (
            ("UPDATE runs SET lease_until = ? WHERE owner = ?", ("x", "me"), "runs_of_owner"),
            (rows.FIND_BY_KEY, ("orders", "key"), "runs_by_key"),
        ):
            with by_hand(path) as connection:
                plan = str(connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall())
            assert f"SEARCH runs USING INDEX {index}" in plan
            assert "SCAN" not in plan

    async def test_a_listing_does_not_wait_for_a_write(self, storage: SQLiteStorage, path: Path) -> None:
        """Reads have a connection of their own: they answer while a write is stuck."""
        storage.busy_timeout = 30
        await storage.close()
        await storage.open()
        with by_hand(path) as other:
            other.execute("BEGIN IMMEDIATE")
            write = asyncio.create_task(storage.create(a_run()))
            for _ in range(10):
                assert await storage.list(RunQuery()) == []
            other.execute("ROLLBACK")
        await write


class TestLifetime:
    def test_one_object_serves_one_event_loop_after_another(self, path: Path) -> None:
        """A store that was closed can be opened under another event loop."""
        storage = SQLiteStorage(path)

        async def add(run_id: str) -> int:
            await asyncio.gather(*(storage.open() for _ in range(3)))
            try:
                await storage.create(a_run(run_id))
                return len(await storage.list(RunQuery()))
            finally:
                await storage.close()

        assert [asyncio.run(add(run_id)) for run_id in "abc"] == [1, 2, 3]

    async def test_a_store_that_is_not_open_says_so(self, path: Path) -> None:
        """Reading and writing before ``open`` and after ``close`` name the remedy."""
        storage = SQLiteStorage(path)
        with pytest.raises(StorageError, match="not open"):
            await storage.find("a")
        await storage.open()
        await storage.close()
        with pytest.raises(StorageError, match="not open"):
            await storage.create(a_run())

    async def test_a_cancelled_write_is_made_nevertheless(self, storage: SQLiteStorage) -> None:
        """Cancelling the task that waits does not take a write back that was on its way."""
        write = asyncio.create_task(storage.create(a_run()))
        await asyncio.sleep(0)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        await storage.create(a_run("next"))
        assert await storage.find("run-1") == a_run()


def commits(path: Path) -> int:
    """Count the commits in the write-ahead log (https://www.sqlite.org/fileformat2.html#walformat)."""
    log = path.with_name(path.name + "-wal").read_bytes()
    page_size = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + page_size)
    return sum(log[at + 4 : at + 8] != bytes(4) and log[at + 8 : at + 16] == log[16:24] for at in frames)
