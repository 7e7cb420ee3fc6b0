"""Noticing that workflow modules, or files that they import, have changed.

Folders are watched, not files, one by one and not with all that is below them: editors that save by
renaming are followed, and caches, environments and the store's own folder cost nothing. A change counts
only when the content of a file is another one than before.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from flux_tui.runner.discovery import is_folder, source_folders

DEBOUNCE_MS = 120
STEP_MS = 25
LOOK_AGAIN_MS = 1_000
POLL_SECONDS = 0.3

Digests = dict[Path, bytes]


async def watch_modules(
    paths: Iterable[Path], files: Callable[[], set[Path]], *, polling: bool = False
) -> AsyncIterator[set[Path]]:
    """Yield the Python files that were changed, added or deleted, for as long as it is asked.

    ``paths`` are modules, or folders of them; ``files`` gives the files that the modules import, now:
    their folders are watched too. Where the system cannot watch, or with ``polling``, files are polled.
    """
    from watchfiles._rust_notify import WatchfilesRustInternalError  # noqa: PLC0415 - after the first frame

    paths = [path.absolute() for path in paths]
    known = await asyncio.to_thread(digests, watched_folders(paths, files()))
    while True:
        imported = frozenset(files())
        folders = await asyncio.to_thread(watched_folders, paths, imported)
        known |= await asyncio.to_thread(_first_digests, imported, known)
        try:
            async for changed in _poll() if polling else _changes(folders):
                if changed is None or changed:
                    before = known
                    now = await asyncio.to_thread(watched_folders, paths, imported)
                    known = await asyncio.to_thread(digests, now, before, changed)
                    if different := _difference(before, known):
                        yield different
                    if now != folders:
                        break
                if files() != imported:
                    break
        except (OSError, WatchfilesRustInternalError):
            polling = True


def watched_folders(paths: Iterable[Path], files: Iterable[Path]) -> frozenset[Path]:
    """Return the folders to watch: those of the paths, with folders in them, and those of the files.

    In the place of one that does not exist stands the nearest folder above it that does.
    """
    folders = {file.parent for file in files}
    for path in paths:
        folders.update(source_folders(path) if is_folder(path) else [path.parent])
    return frozenset(_existing(folder) for folder in folders)


def digests(
    folders: Iterable[Path], known: Digests | None = None, changed: set[Path] | None = None
) -> Digests:
    """Return the digest of every Python file of the folders; known ones are kept unless ``changed``.

    A file that cannot be read at this moment keeps the digest it had.
    """
    known = known or {}
    result = {}
    for folder in folders:
        for path in _python_files(folder):
            if changed is not None and path in known and path not in changed:
                result[path] = known[path]
                continue
            try:
                result[path] = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
            except FileNotFoundError:
                continue
            except OSError:
                result[path] = known.get(path, b"")
    return result


def _first_digests(files: Iterable[Path], known: Digests) -> Digests:
    """Return the digests of the files' folders that are watched for the first time: no change of theirs."""
    watched = {path.parent for path in known}
    return digests({file.parent for file in files} - watched)


async def _changes(folders: frozenset[Path]) -> AsyncIterator[set[Path] | None]:
    """Yield what was touched, from time to time nothing; ``None`` means that anything may have been.

    So it does at the first look: files may have changed before the watch began.
    """
    from watchfiles import awatch  # noqa: PLC0415 - as above

    watch = awatch(
        *sorted(folders),
        watch_filter=None,
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        rust_timeout=LOOK_AGAIN_MS,
        yield_on_timeout=True,
        recursive=False,
        ignore_permission_denied=True,
    )
    async with contextlib.aclosing(watch):
        first = True
        async for changes in watch:
            yield None if first else {Path(file) for _, file in changes}
            first = False


async def _poll() -> AsyncIterator[None]:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        yield None


def _difference(before: Digests, after: Digests) -> set[Path]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _python_files(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [
            entry for entry in folder.iterdir() if entry.suffix == ".py" and not entry.name.startswith(".")
        ]
    return []


def _existing(folder: Path) -> Path:
    return next((parent for parent in (folder, *folder.parents) if is_folder(parent)), folder)
