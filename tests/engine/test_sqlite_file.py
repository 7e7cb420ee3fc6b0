"""The file of a store that is moved, replaced, deleted or copied while the store is open."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from flux_engine.errors import StorageError
from flux_engine.storage.base import RunQuery
from flux_engine.storage.contract_parts import a_run, a_write, an_entry
from flux_engine.storage.sqlite import SQLiteStorage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of a test lies."""
    return tmp_path / "flux.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SQLiteStorage]:
    """An open store with a hundred runs, all of them in the write-ahead log still."""
    storage = SQLiteStorage(path)
    await storage.open()
    await fill(storage, "run")
    yield storage
    await storage.close()


@pytest.fixture
async def other(tmp_path: Path) -> Path:
    """The file of another store, with three runs, closed."""
    storage = SQLiteStorage(tmp_path / "other.db")
    await storage.open()
    for n in range(3):
        await storage.create(a_run(f"other-{n}"))
    await storage.close()
    return storage.path


def moved(path: Path, name: str) -> Path:
    """Give a file another name; return where it is then."""
    return path.rename(path.with_name(name))


def delete(path: Path) -> None:
    """Delete a file."""
    path.unlink()


def content(path: Path) -> bytes:
    """Return all that is in a file."""
    return path.read_bytes()


async def fill(storage: SQLiteStorage, name: str) -> None:
    """Add a hundred runs that take several pages each."""
    entry = an_entry(1, output="x" * 5000)
    await asyncio.gather(*(storage.create(a_run(f"{name}-{n:02}"), [entry]) for n in range(100)))


async def names(storage: SQLiteStorage) -> list[str]:
    """Return how many runs there are of each name, in words."""
    ids = [row.id.rpartition("-")[0] or row.id for row in await storage.list(RunQuery(limit=1000))]
    return [f"{ids.count(name)} {name}" for name in sorted(set(ids))]


async def names_in(path: Path) -> list[str]:
    """Open a sound file as a store and return its runs as ``names`` does."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    storage = SQLiteStorage(path)
    await storage.open()
    found = await names(storage)
    await storage.close()
    return found


pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files where they are")


class TestAFileThatIsGone:
    @pytest.mark.parametrize("gone", ["deleted", "moved", "with its folder"])
    async def test_a_write_is_refused(self, tmp_path: Path, gone: str) -> None:
        """A write says that the file is no longer there, and that nothing was written; none is made."""
        path = tmp_path / "folder" / "flux.db"
        storage = SQLiteStorage(path)
        await storage.open()
        await storage.create(a_run())
        if gone == "deleted":
            path.unlink()
        else:
            (path if gone == "moved" else path.parent).rename(tmp_path / "elsewhere")
        with pytest.raises(
            StorageError, match="deleted or moved away while the store was open. Nothing was"
        ) as e:
            await storage.save(a_write(entries=(an_entry(1),)))
        assert str(path) in str(e.value)
        assert await storage.journal("run-1") == []
        await storage.close()
        assert not path.exists()

    async def test_every_write_of_a_transaction_is_refused(self, storage: SQLiteStorage, path: Path) -> None:
        """Writes that wait together fail together, each with an error of its own."""
        delete(path)
        outcomes = await asyncio.gather(
            *(storage.request(f"run-{n:02}", "pause") for n in range(5)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StorageError] * 5
        assert len(set(map(id, outcomes))) == 5

    async def test_it_goes_on_when_the_file_is_back(self, storage: SQLiteStorage, path: Path) -> None:
        """A file that was moved away and back is written again, and lost nothing but the refused write."""
        away = moved(path, "away.db")
        with pytest.raises(StorageError, match="moved away"):
            await storage.create(a_run("refused"))
        moved(away, "flux.db")
        await storage.create(a_run("new"))
        assert await names(storage) == ["1 new", "100 run"]
        await storage.close()
        assert await names_in(path) == ["1 new", "100 run"]

    async def test_opened_again_it_is_a_new_store(self, storage: SQLiteStorage, path: Path) -> None:
        """After a close and an open there is an empty store, and nothing of the old one comes up in it."""
        delete(path)
        with pytest.raises(StorageError, match="deleted"):
            await storage.create(a_run("refused"))
        await storage.close()
        await storage.open()
        await storage.create(a_run("new"))
        await storage.close()
        assert await names_in(path) == ["1 new"]


class TestAFileThatIsReplaced:
    async def test_neither_file_is_written(self, storage: SQLiteStorage, path: Path, other: Path) -> None:
        """The write is refused; the new file is as it was put there, the old one has all that was stored."""
        former = moved(path, "moved.db")
        shutil.copy(other, path)
        with pytest.raises(
            StorageError, match="replaced by another file while the store was open. Nothing was"
        ):
            await storage.create(a_run("refused"))
        assert content(path) == content(other)
        await storage.close()
        assert content(path) == content(other)
        assert await names_in(former) == ["100 run"]
        assert await names_in(path) == ["3 other"]

    @pytest.mark.parametrize("noticed", ["by a write", "by the close"])
    async def test_opened_again_it_goes_on_with_the_new_file(
        self, storage: SQLiteStorage, path: Path, other: Path, noticed: str
    ) -> None:
        """After a close and an open the new file is the store, sound, with nothing of the old one in it."""
        os.replace(other, path)  # noqa: PTH105
        if noticed == "by a write":
            with pytest.raises(StorageError, match="replaced"):
                await storage.create(a_run("refused"))
        await storage.close()
        await storage.open()
        assert await names(storage) == ["3 other"]
        await fill(storage, "new")
        await storage.close()
        assert await names_in(path) == ["100 new", "3 other"]

    async def test_an_older_copy_can_be_put_back(self, storage: SQLiteStorage, path: Path) -> None:
        """A backup that takes the place of the file is what the next open finds."""
        await storage.close()
        backup = Path(shutil.copy(path, path.with_name("backup.db")))
        await storage.open()
        await fill(storage, "late")
        os.replace(backup, path)  # noqa: PTH105
        with pytest.raises(StorageError, match="replaced"):
            await storage.create(a_run("refused"))
        await storage.close()
        await storage.open()
        assert await names(storage) == ["100 run"]
        await storage.close()
        assert await names_in(path) == ["100 run"]

    async def test_a_change_of_the_working_folder_is_none_of_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A store named by a relative path stays where it was opened."""
        monkeypatch.chdir(tmp_path)
        storage = SQLiteStorage("relative.db")
        await storage.open()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        await storage.create(a_run())
        await storage.close()
        assert await names_in(tmp_path / "relative.db") == ["1 run"]


class TestACopy:
    async def test_a_copy_without_its_log_opens(self, storage: SQLiteStorage, path: Path) -> None:
        """A copy of the file alone, of an open store, is a sound store of what was in the file by then."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint")
        await storage.create(a_run("late-1"))
        copy = Path(shutil.copy(path, path.with_name("copy.db")))
        assert await names_in(copy) == ["100 run"]
        assert await names(storage) == ["1 late", "100 run"]

    async def test_a_copy_that_is_cut_off_says_so(self, storage: SQLiteStorage, path: Path) -> None:
        """Half a file is reported as damaged, with what to do, and left as it is."""
        await storage.close()
        before = content(path)[: len(content(path)) // 2]
        half = path.with_name("half.db")
        half.write_bytes(before)
        copy = SQLiteStorage(half)
        with pytest.raises(StorageError, match=r"half.db is damaged.*\.recover") as caught:  # noqa: PT012 - wherever it shows
            await copy.open()
            for n in range(100):
                await copy.journal(f"run-{n:02}")
        await copy.close()
        assert "left as it is" in str(caught.value)
        assert content(half) == before


async def test_a_file_left_in_the_middle_of_a_change_is_mended_by_who_writes(path: Path) -> None:
    """Who only reads says so; a death while the file was made leaves one like that."""
    storage = SQLiteStorage(path)
    await storage.open()
    await storage.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE large AS SELECT randomblob(500000) AS text")
        left = tuple(path.with_name(path.name + end).read_bytes() for end in ("", "-journal"))
    path.write_bytes(left[0])
    path.with_name(path.name + "-journal").write_bytes(left[1])
    with pytest.raises(StorageError, match=r"left in the middle of a change.*Open it once without read_only"):
        await SQLiteStorage(path, read_only=True).open()
    await storage.open()
    assert await storage.list(RunQuery()) == []
    await storage.close()
