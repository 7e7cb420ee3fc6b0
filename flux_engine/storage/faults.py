"""What SQLite and the operating system say when a store fails, in words that say what to do."""

import sqlite3
from pathlib import Path

from flux_engine.errors import FluxError, StorageError
from flux_engine.storage.identity import FileGoneError

_HALF_MADE = (
    "was left in the middle of a change, which somebody who only reads cannot take back. "
    "Open it once without read_only, for example by running a workflow on it."
)
_ADVICE = {
    sqlite3.SQLITE_READONLY_ROLLBACK: _HALF_MADE,
    sqlite3.SQLITE_READONLY_RECOVERY: _HALF_MADE,
    sqlite3.SQLITE_READONLY: "cannot be written. Check that you may write the file and its folder; "
    "read_only=True is enough for looking at it.",
    sqlite3.SQLITE_PERM: "cannot be opened: permission denied. Check who owns the file and its folder.",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened. Check that it is a file, and that you may read and write "
    "the file and its folder.",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full. Free some space and try again; "
    "what was stored before is intact.",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error. Check the disk and its "
    "free space; what was stored before is kept.",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database. It was left as it is: move it away, or name another "
    "file for the store.",
    sqlite3.SQLITE_CORRUPT: "is damaged. It was left as it is: copy it, then try `sqlite3 FILE .recover` on "
    "the copy, or move it away to start with an empty store. If the file was put there while a program had "
    "the one before it open, close that program first.",
}


def storage_error(error: Exception, path: Path, busy_timeout: float) -> FluxError:
    """Return what to raise for ``error``: itself when it is one of Flux, else a ``StorageError``."""
    if isinstance(error, FluxError):
        return error
    return StorageError(_message(error, path, busy_timeout))


def _message(error: Exception, path: Path, busy_timeout: float) -> str:
    if isinstance(error, FileGoneError):
        return (
            f"{path} {error} while the store was open. Nothing was written there, nor to the file that was "
            "there before. Put that file back, or close the store and open it again to go on with what is "
            "there now; where there is no file, a new store is made."
        )
    if isinstance(error, UnicodeEncodeError):
        return f"{path}: text that is no valid Unicode cannot be stored ({error})."
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    primary = code & 0xFF
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return (
            f"{path} is locked by another program, and stayed so for {busy_timeout:g} s. What was stored "
            "before is intact, this write was not made. Close the program that holds it (a database "
            f"browser with an open transaction, perhaps; `fuser {path}` finds it) and try again."
        )
    advice = _ADVICE.get(code, _ADVICE.get(primary))
    if advice is not None:
        return f"{path} {advice} ({error})"
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{path} cannot be opened: {reason}. Name a file in a folder that you may write for the store."
    return f"{path}: {type(error).__name__}: {error}"
