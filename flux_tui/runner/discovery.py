"""Which files are workflow modules, and under which name each is imported."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MARK = b"flux_engine"
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env"})

IGNORED = ".fluxignore"
"""A file that keeps its folder from being searched, unless the folder itself is given."""


class Unreadable(NamedTuple):
    """A file or folder that cannot be looked into, and why."""

    path: Path
    error: OSError


class ModuleName(NamedTuple):
    """The name a file is imported under, and the folder on ``sys.path`` that this name starts from."""

    name: str
    folder: Path


def find_modules(paths: Iterable[Path]) -> Iterator[Path | Unreadable]:
    """Yield the workflow modules of the paths, each once, in order; rather itself than a link to it.

    A file that is given is a module whatever is in it. A folder is searched, hidden folders, virtual
    environments, caches and folders with a file ``.fluxignore`` excepted: a file whose text mentions
    ``flux_engine`` is a module; test files are not. What cannot be read is yielded as ``Unreadable``.
    """
    found: dict[str, Path | Unreadable] = {}
    links: list[Path] = []
    for path in paths:
        for item in _in_folder(path) if is_folder(path) else _given(path):
            if isinstance(item, Path) and item.is_symlink():
                links.append(item)
            else:
                found.setdefault(os.path.realpath(item if isinstance(item, Path) else item.path), item)
    for link in links:
        found.setdefault(os.path.realpath(link), link)
    yield from found.values()


def source_folders(path: Path) -> list[Path]:
    """Return the folder and those below it that are searched for modules."""
    return [Path(folder) for folder, _, _ in _walk(path, lambda _: None)]


def module_name(path: Path) -> ModuleName:
    """Return the dotted name of a file in a package, the stem of any other."""
    folder = path.parent
    parts = [] if path.name == "__init__.py" else [path.stem]
    while is_file(folder / "__init__.py") and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    if not parts:
        parts = [path.parent.name]
    return ModuleName(".".join(parts), folder)


def name_within(path: Path, root: Path) -> str:
    """Return a name for a file whose stem another module has: its dotted path below ``root``."""
    try:
        parts = path.resolve().relative_to(root.resolve()).with_suffix("").parts
    except ValueError:
        parts = path.resolve().with_suffix("").parts[1:]
    return ".".join(parts) if len(parts) > 1 else f"{parts[0]}_module"


def is_taken(name: str) -> bool:
    """Say whether Python itself has a module of this name."""
    return name.partition(".")[0] in sys.stdlib_module_names


def is_folder(path: Path) -> bool:
    """Say whether the path is a folder; of one that may not be looked at, that it is none."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where there is no permission


def is_file(path: Path) -> bool:
    """Say whether the path is a file; of one that may not be looked at, that it is none."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises where there is no permission


def _given(path: Path) -> Iterator[Path | Unreadable]:
    try:
        with path.open("rb"):
            yield path
    except OSError as error:
        yield Unreadable(path, error)


def _in_folder(top: Path) -> Iterator[Path | Unreadable]:
    failures: list[OSError] = []
    for folder, _, names in _walk(top, failures.append):
        while failures:
            yield _unreadable_folder(failures.pop(0), top)
        for name in sorted(names):
            path = Path(folder, name)
            if not name.endswith(".py") or _is_test(name) or not is_file(path):
                continue
            try:
                if MARK in path.read_bytes():
                    yield path
            except OSError as error:
                yield Unreadable(path, error)
    for failure in failures:
        yield _unreadable_folder(failure, top)


def _unreadable_folder(error: OSError, top: Path) -> Unreadable:
    return Unreadable(Path(os.fsdecode(error.filename)) if error.filename else top, error)


def _walk(top: Path, failed: Callable[[OSError], object]) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, names in os.walk(top, onerror=failed):
        folders[:] = sorted(name for name in folders if not _is_skipped(folder, name))
        yield folder, folders, names


def _is_skipped(parent: str, name: str) -> bool:
    if name.startswith(".") or name in SKIPPED_FOLDERS:
        return True
    folder = Path(parent, name)
    return is_file(folder / "pyvenv.cfg") or is_file(folder / IGNORED) or _is_flux(folder)


def _is_flux(folder: Path) -> bool:
    here = Path(__file__).parent.parent
    return folder.name in ("flux_engine", "flux_tui") and folder.resolve().parent == here.parent


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
