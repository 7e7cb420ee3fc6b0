"""The module watch: a change of content counts, whatever way the editor saves."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flux_tui.feed.modules import watch_modules
from flux_tui.runners import what_was_done

DEADLINE = 20.0


class Watch:
    """A watch under way and what it has yielded."""

    def __init__(self) -> None:
        self.seen: list[set[Path]] = []
        self.files: set[Path] = set()

    async def saw(self, path: Path) -> None:
        deadline = time.monotonic() + DEADLINE
        while not any(path in changed for changed in self.seen):
            assert time.monotonic() < deadline, f"{path} was not seen, only {self.seen}"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def watching(folder: Path, *paths: Path, polling: bool = False) -> AsyncIterator[Watch]:
    """Watch, from when a first change was noticed."""
    watch = Watch()

    async def follow() -> None:
        async for changed in watch_modules(paths or [folder], lambda: watch.files, polling=polling):
            watch.seen.append(changed)

    task = asyncio.create_task(follow())
    probe = folder / "probe.py"
    deadline = time.monotonic() + DEADLINE
    while not watch.seen:
        assert time.monotonic() < deadline
        probe.write_text(f"{time.monotonic()}")
        await asyncio.sleep(0.02)
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("polling", [False, True])
async def test_a_change_a_new_file_and_a_deleted_file_are_seen(tmp_path: Path, *, polling: bool) -> None:
    """With notifications of the system and by polling."""
    old = tmp_path / "old.py"
    old.write_text("1")
    async with watching(tmp_path, polling=polling) as watch:
        old.write_text("2")
        await watch.saw(old)
        new = tmp_path / "new.py"
        new.write_text("1")
        await watch.saw(new)
        watch.seen.clear()
        new.unlink()
        await watch.saw(new)


async def test_a_save_by_renaming_is_seen_and_a_save_without_change_is_not(tmp_path: Path) -> None:
    """Nor are an editor's temporary files and what is in hidden folders."""
    module, other = tmp_path / "module.py", tmp_path / "other.py"
    module.write_text("1")
    (tmp_path / ".flux").mkdir()
    async with watching(tmp_path) as watch:
        module.write_text("1")
        module.touch()
        (tmp_path / ".module.py.swp").write_text("x")
        (tmp_path / "4913").write_text("x")
        (tmp_path / ".flux" / "trace.ndjson").write_text("x")
        (tmp_path / ".flux" / "hidden.py").write_text("x")
        (tmp_path / "other.py~").write_text("2")
        (tmp_path / "other.py~").replace(other)
        await watch.saw(other)
        probe = tmp_path / "probe.py"
        assert set().union(*watch.seen) == {probe, other}


async def test_a_folder_made_later_is_watched(tmp_path: Path) -> None:
    """And so is a folder that did not exist when it was named."""
    later = tmp_path / "later"
    async with watching(tmp_path, tmp_path / "probe.py", later) as watch:
        later.mkdir()
        (later / "a.py").write_text("1")
        await watch.saw(later / "a.py")
        (later / "deep").mkdir()
        (later / "deep" / "b.py").write_text("1")
        await watch.saw(later / "deep" / "b.py")


async def test_the_folder_of_an_imported_file_is_watched(tmp_path: Path) -> None:
    """From when the file is known to be imported."""
    project, library = tmp_path / "project", tmp_path / "library"
    project.mkdir()
    library.mkdir()
    helper = library / "helper.py"
    helper.write_text("1")
    async with watching(project) as watch:
        watch.files.add(helper)
        deadline = time.monotonic() + DEADLINE
        while not any(helper in changed for changed in watch.seen):
            assert time.monotonic() < deadline
            helper.write_text(f"{time.monotonic()}")
            await asyncio.sleep(0.05)


def test_a_load_says_what_it_was_for(tmp_path: Path) -> None:
    """A file that is no longer there was removed, not reloaded."""
    (tmp_path / "orders.py").touch()
    orders, gone = str(tmp_path / "orders.py"), str(tmp_path / "gone.py")
    assert what_was_done([orders]) == "reloaded orders.py"
    assert what_was_done([orders, gone]) == "reloaded orders.py, removed gone.py"
    assert what_was_done([gone]) == "removed gone.py"
    assert what_was_done([]) == "reloaded all modules"
