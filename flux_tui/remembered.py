"""What the dashboard remembers of a project: sizes of panes, breakpoints, earlier inputs, filters, views.

It is one JSON file next to the store, in sections that do not know of each other. Several dashboards may
have it open: each writes only its own sections into what is there, so the last word counts by section.
Nothing in it is needed: what is missing, unreadable or of another form is as if it had never been said.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE: Final = "dashboard.json"
VERSION: Final = 1
PRIVATE: Final = 0o600

MOST_BYTES: Final = 8 * 1024 * 1024
"""A file above this size is not one of ours."""

Section = Literal["panes", "breakpoints", "inputs", "filters", "view", "theme"]
"""Who remembers: each section is written as a whole.

``panes`` is a dict of sizes, ``breakpoints`` and ``inputs`` are dicts of lists by workflow, ``filters`` and
``view`` belong to the lists and the graph, ``theme`` is the name of the one that was picked.
"""

Kind = TypeVar("Kind")


class Remembered:
    """What was said in earlier sessions, and in this one.

    ``path`` is the file, or ``None`` to remember nothing beyond this session. With ``keep=False`` the file
    is read and never written. The folder of the file is never made here.
    """

    def __init__(self, path: Path | None = None, *, keep: bool = True) -> None:
        self.path = path
        self.keep = keep
        self.problem: str | None = None
        self._sections: dict[str, Any] = {}
        if path is not None:
            self._sections = _read(path) or {}

    def get(self, section: Section, kind: type[Kind]) -> Kind | None:
        """Return what a section says as a ``kind``, or ``None`` when it says nothing that is one.

        ``kind`` is anything that ``msgspec.convert`` makes of JSON: ``dict[str, list[str]]``, a ``Struct``.
        """
        if section not in self._sections:
            return None
        try:
            return msgspec.convert(self._sections[section], kind)
        except msgspec.ValidationError:
            return None

    def put(self, section: Section, value: Any) -> None:
        """Have a section say ``value`` from now on; ``None`` forgets it.

        ``value`` is JSON, or what ``msgspec`` makes JSON of. When the file cannot be written, ``problem``
        says why, and the value lasts until the end of the session.
        """
        value = msgspec.to_builtins(value)
        if section in self._sections and self._sections[section] == value:
            return
        self._sections[section] = value
        if self.path is None or not self.keep or not self.path.parent.is_dir():
            return
        try:
            with _alone(self.path.parent):
                there = _read(self.path)
                if there is not None:
                    _write(self.path, {**there, section: value})
        except OSError as error:
            self.problem = f"{self.path} cannot be written: {error.strerror or error}"
        else:
            self.problem = None


def _read(path: Path) -> dict[str, Any] | None:
    """Return the sections of a file; none of one that is not ours, ``None`` for a version yet to come."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        found = msgspec.json.decode(text) if len(text) <= MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    version = found.pop("version", None)
    if isinstance(version, int) and version > VERSION:
        return None
    return found if version == VERSION else {}


def _write(path: Path, sections: dict[str, Any]) -> None:
    """Replace the file as a whole, so that a reader finds the old one or the new one."""
    said = {name: value for name, value in sections.items() if value is not None}
    text = msgspec.json.format(msgspec.json.encode({"version": VERSION, **said}), indent=1)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with suppress(FileNotFoundError):
            draft.unlink()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text + b"\n")
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other dashboards from writing in between; where folders cannot be locked, hope for the best."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
