"""Whether the store can be opened, is whole, and has the schema that this version of Flux knows."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from flux_engine.storage.schema import APPLICATION_ID, VERSION
from flux_tui.doctor.check import Check, bad, good, warning
from flux_tui.doctor.files import private, room, size_text

AREA: Final = "store"
PATIENCE: Final = 10.0
"""Seconds that the check of a large file may take."""

LARGE_LOG: Final = 64 * 1024 * 1024
_INSTRUCTIONS: Final = 100_000


def check_store(db: Path) -> Iterator[Check]:
    """Look at the file of a store, without changing it."""
    yield room(AREA, db.parent)
    if not db.exists():
        yield _absent(db)
        return
    yield from private(AREA, [db, *(path for path in _beside(db) if path.exists())])
    try:
        with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True, timeout=1.0)) as connection:
            yield from _contents(connection, db)
    except sqlite3.Error as error:
        yield bad(AREA, f"{db} cannot be read: {error}", _advice(error))
    if not os.access(db, os.W_OK):
        yield warning(AREA, f"{db} cannot be written by you", "runs cannot be started here: chmod u+w it")


def _beside(db: Path) -> list[Path]:
    return [db.with_name(f"{db.name}-{end}") for end in ("wal", "shm")]


def _absent(db: Path) -> Check:
    folder = db.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return bad(
            AREA, f"{db} is not there and cannot be made in {folder}", "choose another place with --db"
        )
    return good(AREA, f"{db} is not there yet; the first run makes it")


def _contents(connection: sqlite3.Connection, db: Path) -> Iterator[Check]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        yield bad(AREA, f"{db} is a database of another program", "name another file with --db")
        return
    if version > VERSION:
        text = f"schema version {version}; this version of Flux knows versions up to {VERSION}"
        yield bad(AREA, text, "upgrade flux-tui, or name another file with --db")
        return
    if version < VERSION:
        text = f"schema version {version}, of an older Flux; {VERSION} is the latest"
        yield warning(
            AREA, text, "it is migrated with the next run; make a copy first if you want the old one"
        )
    (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    held = f"{runs:,} {'run' if runs == 1 else 'runs'}, {size_text(db.stat().st_size)}"
    yield good(AREA, f"{db}: {held}, schema version {version}")
    yield _integrity(connection)
    yield _log(connection, db)


def _integrity(connection: sqlite3.Connection) -> Check:
    """Have SQLite check its file, for a while."""
    deadline = time.monotonic() + PATIENCE
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _INSTRUCTIONS)
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupt" not in str(error):
            raise
        return good(AREA, f"no damage found in {PATIENCE:.0f} s; the file is too large to check it all")
    finally:
        connection.set_progress_handler(None, 0)
    if said == "ok":
        return good(AREA, "its file is undamaged (quick check)")
    advice = "restore a copy; sqlite3 FILE .recover saves what can be read"
    return bad(AREA, f"its file is damaged: {str(said).splitlines()[-1]}", advice)


def _log(connection: sqlite3.Connection, db: Path) -> Check:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        text = f"journal mode {mode} instead of write-ahead logging"
        return warning(AREA, text, "the next run switches it; if it stays, put the store on a local disk")
    log = _beside(db)[0]
    size = log.stat().st_size if log.exists() else 0
    if size > LARGE_LOG:
        text = f"its write-ahead log has {size_text(size)}"
        return warning(AREA, text, "a program reads it without end: close what has the store open")
    return good(AREA, f"write-ahead log of {size_text(size)}")


def _advice(error: sqlite3.Error) -> str:
    if isinstance(error, sqlite3.OperationalError):
        return "check that you may read it and its folder, and that no program has it locked"
    return "the file is damaged or is no store: restore a copy, or name another file with --db"
