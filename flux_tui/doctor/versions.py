"""Which Flux, Python, SQLite and libraries these are, and whether they go together."""

import platform
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from flux_tui.doctor.check import Check, bad, good, warning

AREA: Final = "versions"
_PYTHON: Final = (3, 11)
_TESTED: Final = (3, 13)
_TEXTUAL: Final = ((8, 2), (9, 0))


def check_versions() -> Iterator[Check]:
    """Look at what is installed, without importing it."""
    here = sys.version_info[:2]
    text = f"Flux {version('flux-tui')}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    if here < _PYTHON:
        yield bad(AREA, text, "Flux needs Python 3.11 or later")
    elif here > _TESTED:
        yield warning(AREA, text, "Flux is tested with Python 3.11 to 3.13: write down what does not work")
    else:
        yield good(AREA, text)
    yield _textual()


def _textual() -> Check:
    try:
        found = version("textual")
    except PackageNotFoundError:
        return bad(AREA, "Textual is not installed: there is no dashboard", "install flux-tui anew")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    least, below = _TEXTUAL
    if not least <= numbers < below:
        return bad(AREA, f"Textual {found}; the dashboard needs 8.2 to 8.x", "install flux-tui anew")
    return good(AREA, f"Textual {found}")
