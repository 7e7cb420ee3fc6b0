"""Giving the room that deleted runs took back: of a file to the disk, of a server to its later runs."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from flux_tui.address import StoreAddress
from flux_tui.server import SERVER_ERRORS, connected

PATIENCE: Final = 5.0


class CompactionError(Exception):
    """The room was not given back."""


def compact(address: StoreAddress) -> int:
    """Rewrite a file without its gaps, or have a server clear the tables; return how many bytes that freed.

    A server keeps the room of its tables for later rows, so it gives back only what lies at their ends.
    Raises ``CompactionError``.
    """
    return _server(address) if address.file is None else _file(address.file)


def _file(db: Path) -> int:
    before = _size(db)
    try:
        with closing(sqlite3.connect(db, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise CompactionError(f"{error}. Try again when nothing else uses {db}") from None
    return before - _size(db)


def _size(db: Path) -> int:
    files = (db, db.with_name(f"{db.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _server(address: StoreAddress) -> int:
    try:
        with connected(address, PATIENCE) as server:
            before = server.size()
            for table in server.tables():
                server.run(f"VACUUM (ANALYZE) {table}")
            return before - server.size()
    except SERVER_ERRORS as error:
        raise CompactionError(address.scrub(str(error)).strip()) from None
