"""Whether a path still leads to the file that was opened.

A process goes on writing to a file that was deleted or replaced, and what it writes is lost: SQLite
does not look at the path again once it has the file.
"""

import os
from pathlib import Path


class FileGoneError(Exception):
    """The path leads nowhere, or to another file than the one that is open. The message says which."""


class FileIdentity:
    """The file that a path led to when this object was made."""

    __slots__ = ("_identity", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._identity = self._look()

    def check(self) -> None:
        """Raise ``FileGoneError`` unless the path leads to the same file still."""
        try:
            found = self._look()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileGoneError("was deleted or moved away") from error
        if found != self._identity:
            raise FileGoneError("was replaced by another file")

    def _look(self) -> tuple[int, int]:
        found = os.stat(self._path)  # noqa: PTH116 - made for every transaction
        return found.st_dev, found.st_ino
