"""Source files read as text, for looking at; nothing is imported."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from flux_engine.secrets import registered
from flux_tui.model.text import printable

MAX_BYTES: Final = 4_000_000
MAX_LINES: Final = 1_000_000

_embedded: dict[str, tuple[str, ...]] = {}


def source_lines(file: str) -> tuple[str, ...] | None:
    """Return the lines of a file, safe to draw; ``None`` when it cannot be read.

    The lines are read again when the file has changed, and when there are more secrets to mask.
    """
    if file in _embedded:
        return _embedded[file]
    try:
        found = os.stat(file)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return _read(file, found.st_mtime_ns, found.st_size, registered.values)


def embed(file: str, first: int, lines: tuple[str, ...]) -> None:
    """Take lines of a file from an export, from line ``first`` on; they go before what is on this machine."""
    if not 0 < first < MAX_LINES:
        return
    known = list(_embedded.get(file, ()))
    known += [""] * (first - 1 + len(lines) - len(known))
    known[first - 1 : first - 1 + len(lines)] = map(printable, lines)
    _embedded[file] = tuple(known)


@lru_cache(maxsize=32)
def _read(file: str, changed: int, size: int, secrets: frozenset[str]) -> tuple[str, ...] | None:
    del changed, secrets  # either makes the lines other ones
    if size > MAX_BYTES:
        return None
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return tuple(printable(line) for line in text.split("\n"))


def short_path(file: str, folder: str | None = None) -> str:
    """Return the path relative to ``folder`` (the working directory) when it lies inside it."""
    base = folder or str(Path.cwd())
    try:
        return str(Path(file).relative_to(base))
    except ValueError:
        home = str(Path.home())
        return f"~{file[len(home) :]}" if file.startswith(f"{home}{os.sep}") else file
