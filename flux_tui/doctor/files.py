"""What store and trace have in common: who may read them, how large they are, room on their disk."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flux_tui.doctor.check import Check, bad, good, warning
from flux_tui.workspace import FOLDER

FULL: Final = 50 * 1024 * 1024
NEARLY_FULL: Final = 1024 * 1024 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """Return ``12 bytes``, ``3.4 MB``."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - as disks are sold
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def private(area: str, files: list[Path]) -> Iterator[Check]:
    """Check that nobody else may read the files, nor Flux's own folder: data can hold secrets."""
    if os.name != "posix":
        return
    folders = [files[0].parent] if files[0].parent.name == FOLDER else []  # others are no business of Flux
    open_files = [path for path in (*folders, *files) if path.exists() and _mode(path) & _OTHERS]
    for path in open_files:
        wanted = "700" if path.is_dir() else "600"
        what = f"{path} can be read by others (mode {_mode(path):03o})"
        yield warning(area, what, f"its data can hold secrets: chmod {wanted} {path}")
    if not open_files:
        yield good(area, "only you can read it")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def room(area: str, folder: Path) -> Check:
    """Check that the disk has room."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return bad(
            area, f"{folder} cannot be looked at: {error.strerror or error}", "choose another place with --db"
        )
    text = f"{size_text(free)} free on its disk"
    if free < FULL:
        return bad(area, text, "make room: a run stops when it cannot be stored")
    if free < NEARLY_FULL:
        return warning(area, text, "make room soon; flux prune --older-than 30d --vacuum gives some back")
    return good(area, text)
