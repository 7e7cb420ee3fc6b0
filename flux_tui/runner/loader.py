"""Importing the workflow modules, once in a process, with every failure turned into a ``Problem``."""

import contextlib
import importlib
import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

from msgspec import Struct

from flux_tui.runner.collect import (
    Collected,
    Definition,
    Workflow,
    collect,
    keepers_of,
    without_imported,
    workflows_of,
)
from flux_tui.runner.discovery import Unreadable, find_modules, is_file, is_taken, module_name, name_within
from flux_tui.runner.messages import ModuleInfo, Problem
from flux_tui.runner.namesakes import check_namesakes
from flux_tui.runner.problems import problem_of, read_source, user_frames
from flux_tui.runner.sources import import_file, is_project_source, pin_sources, project_files, same_file
from flux_tui.runner.tail import Tail

Recording = Callable[[], AbstractContextManager[Tail]]


class LoadedModules(Struct, frozen=True, kw_only=True):
    """All modules after one attempt to load each. ``files`` are the project's files among their imports."""

    modules: tuple[ModuleInfo, ...]
    workflows: dict[str, Workflow]
    files: tuple[str, ...]


class _Import(Struct, frozen=True, kw_only=True):
    path: Path
    definitions: list[Definition]
    problem: Problem | None = None
    output: str = ""
    milliseconds: float = 0.0
    files: frozenset[str] = frozenset()


@contextlib.contextmanager
def redirected_output() -> Iterator[Tail]:
    """Divert what Python code prints to a ``Tail``."""
    tail = Tail()
    with contextlib.redirect_stdout(_TailWriter(tail)), contextlib.redirect_stderr(_TailWriter(tail)):
        yield tail


def load_modules(
    paths: Iterable[Path],
    *,
    root: Path,
    skip: Iterable[Path] = (),
    owners: Mapping[str, Path] | None = None,
    recording: Recording = redirected_output,
    announce: Callable[[Path], None] = lambda _: None,
) -> LoadedModules:
    """Find and import the modules below ``paths`` and collect their workflows.

    Nothing that a module does on import is raised. ``root`` is the project folder: it is importable.
    ``skip`` are modules to leave out; ``announce`` is told of each module before its import. ``owners`` are
    the modules that defined workflows the last time: they keep the names against others.
    """
    importable(root)
    skipped = {path.absolute() for path in skip}
    imports: list[_Import] = []
    for found in find_modules(path.absolute() for path in paths):
        if isinstance(found, Unreadable):
            imports.append(_Import(path=found.path, definitions=[], problem=_unreadable(found)))
        elif found not in skipped:
            announce(found)
            imports.append(_import(found, root, recording))
    definitions = without_imported({entry.path: entry.definitions for entry in imports})
    broken = skipped | {entry.path for entry in imports if entry.problem is not None}
    collected = collect(definitions, keepers_of(owners or {}, definitions, broken))
    files = project_files() | {Path(file) for entry in imports for file in entry.files}
    pin_sources(files)
    return LoadedModules(
        modules=tuple(_info(entry, collected[entry.path]) for entry in imports),
        workflows={
            info.name: workflow for found in collected.values() for info, workflow in found.definitions
        },
        files=tuple(sorted(map(str, files | {entry.path for entry in imports if is_file(entry.path)}))),
    )


def importable(folder: Path) -> None:
    """Put the folder first on ``sys.path``, if it is not there."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def import_path(path: Path, root: Path) -> ModuleType:
    """Import one file under the name that it would have in the project; whatever it raises goes through."""
    source = read_source(path)  # fails with the place of a byte that cannot be decoded
    name, folder = module_name(path)
    importable(folder)
    if is_taken(name):
        return import_file(name_within(path, root), path)
    if "." in name or path.name == "__init__.py":
        module = importlib.import_module(name)
        if same_file(module.__file__, path):
            return module
        return import_file(name_within(path, root), path)
    check_namesakes(path, source)
    other = getattr(sys.modules.get(name), "__file__", None)
    if name in sys.modules and not same_file(other, path):
        name = name_within(path, root)
    return import_file(name, path)


def _import(path: Path, root: Path, recording: Recording) -> _Import:
    started = time.perf_counter()
    definitions: list[Definition] = []
    problem, files = None, frozenset[str]()
    with recording() as output:
        try:
            definitions = workflows_of(import_path(path, root), path)
        except BaseException as error:  # noqa: BLE001 - sys.exit too is only a module's problem
            problem = problem_of(error, path)
            involved = {problem.file, *(frame.filename for frame in user_frames(error))}
            files = frozenset(file for file in involved if is_project_source(file))
    return _Import(
        path=path,
        definitions=definitions,
        problem=problem,
        output=output.text(),
        milliseconds=(time.perf_counter() - started) * 1000,
        files=files,
    )


def _info(entry: _Import, collected: Collected) -> ModuleInfo:
    return ModuleInfo(
        path=str(entry.path),
        workflows=[info for info, _ in collected.definitions],
        problem=entry.problem or collected.problem,
        output=entry.output,
        milliseconds=entry.milliseconds,
    )


def _unreadable(found: Unreadable) -> Problem:
    error = found.error
    if isinstance(error, FileNotFoundError):
        message = f"There is no file or folder {found.path}."
    elif isinstance(error, PermissionError):
        message = f"No permission to read {found.path}. Change its mode or owner."
    else:
        message = f"{found.path} cannot be read: {error.strerror or error}."
    return Problem(kind=type(error).__name__, message=message, file=str(found.path))


class _TailWriter(io.TextIOBase):
    def __init__(self, tail: Tail) -> None:
        self._tail = tail

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self._tail.add(text)
        return len(text)
