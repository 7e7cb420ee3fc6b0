"""The project's own source files: which they are, and importing them as they are now.

Python keeps compiled modules by the source's size and its time in whole seconds, so of two saves within
one second the second may go unseen. A file younger than that is therefore always compiled anew.
"""

import functools
import importlib.machinery
import linecache
import sys
import sysconfig
import time
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

FRESH_SECONDS = 2.5
LIBRARY_PARTS = frozenset({"site-packages", "dist-packages"})


class FreshSourceLoader(importlib.machinery.SourceFileLoader):
    """Loads a source file, and passes over compiled code that may be older than the source."""

    def path_stats(self, path: str) -> "dict[str, float]":
        """Return time and size of the source; raise ``OSError``, which means none, for a young file."""
        stats = super().path_stats(path)
        if time.time() - stats["mtime"] < FRESH_SECONDS:
            raise OSError("too young for its compiled code to be trusted")
        return dict(stats)


def install_finder() -> None:
    """Let the imports of modules from the project's folders see the latest save."""
    details = [
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (FreshSourceLoader, importlib.machinery.SOURCE_SUFFIXES),
        (importlib.machinery.SourcelessFileLoader, importlib.machinery.BYTECODE_SUFFIXES),
    ]
    hook = importlib.machinery.FileFinder.path_hook(*details)

    def finder(folder: str) -> Any:
        if not is_user_file(folder + "/"):
            raise ImportError("a library's folder is left to the ordinary finder", path=folder)
        return hook(folder)

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()


def import_file(name: str, path: Path) -> ModuleType:
    """Import the file as the module ``name``, unless it has been imported under that name.

    Whatever the file raises goes through, and leaves no module behind.
    """
    known = sys.modules.get(name)
    if known is not None and same_file(getattr(known, "__file__", None), path):
        return known
    loader = FreshSourceLoader(name, str(path))
    spec = spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise ImportError(f"{path} is not a Python source file", path=str(path))
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return sys.modules.get(name, module)


def same_file(file: str | None, path: Path) -> bool:
    """Say whether both are the same file, whatever links lead there."""
    return file is not None and Path(file).resolve() == path.resolve()


def project_files() -> set[Path]:
    """Return the source files of the project that this process has imported."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {Path(file) for file in files if isinstance(file, str) and is_project_source(file)}


def is_project_source(file: str) -> bool:
    """Say whether the file is Python source of the user's project."""
    return file.endswith(".py") and is_user_file(file)


@functools.lru_cache(maxsize=4096)
def is_user_file(file: str) -> bool:
    """Say whether the file is neither Python's, nor an installed package's, nor a part of Flux."""
    return not file.startswith("<") and not file.startswith(_foreign()) and not _is_library(file)


def pin_sources(files: Iterable[Path]) -> None:
    """Keep the lines of the files as they are now, so that later tracebacks show the code that ran."""
    for file in files:
        lines = linecache.getlines(str(file))
        if lines:  # an entry without a time is never compared with the file again
            linecache.cache[str(file)] = (sum(map(len, lines)), None, lines, str(file))


def _is_library(file: str) -> bool:
    return not LIBRARY_PARTS.isdisjoint(Path(file).parts)


@functools.cache
def _foreign() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    libraries = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths}
    here = Path(__file__).resolve()
    flux = {str(here.parent.parent), str(here.parent.parent.parent / "flux_engine")}
    return tuple(f"{folder}/" for folder in libraries | flux)
