"""The SQLite file of a store: its tables, its version, and how a connection to it is made ready.

Comfortable by hand, with times as ISO-8601 text in UTC and JSON as text::

    SELECT id, workflow, status, error_summary FROM runs ORDER BY created_at DESC LIMIT 20;
    SELECT step, status, attempt, seconds FROM steps WHERE run_id = '…' ORDER BY seq;
    SELECT json_extract(input, '$.order_id') FROM definitions WHERE run_id = '…';
"""

import os
import sqlite3
import time
from pathlib import Path

from flux_engine.errors import SchemaVersionError, StorageError

APPLICATION_ID = 0x466C7578
"""``Flux`` in ASCII, kept in the header of the file (``PRAGMA application_id``)."""

DURABILITY = {"full": 2, "normal": 1}
"""The values of ``PRAGMA synchronous``. With ``normal`` a power failure can take back the last writes."""

PAGE = 2048
"""Bytes of a page in a new file. A step changes two or three pages, and each is written whole."""

LOG_PAGES = 2000
"""Pages of the write-ahead log, after which it is copied into the file: 4 MB, as SQLite has it by default."""

_TABLES = """
-- A run as it stands. What is large and does not change with each step is in `definitions`, so that
-- a step forward writes one short row.
CREATE TABLE runs (
    id              TEXT NOT NULL PRIMARY KEY,
    workflow        TEXT NOT NULL,
    status          TEXT NOT NULL,      -- pending running paused suspended completed failed cancelled
    created_at      TEXT NOT NULL,      -- 2026-01-31T12:00:00.000000Z
    updated_at      TEXT NOT NULL,
    completed_at    TEXT,
    current_step    TEXT,
    error_summary   TEXT,               -- one line
    owner           TEXT,               -- JSON: who has the run in hand
    fence           INTEGER NOT NULL,   -- fencing token, grows with every claim
    idempotency_key TEXT,
    error           TEXT                -- JSON: the whole exception
);
-- One each for the filters of a listing, in the order of a listing.
CREATE INDEX runs_newest ON runs (created_at, id);
CREATE INDEX runs_of_workflow ON runs (workflow, created_at, id);
CREATE INDEX runs_of_status ON runs (status, created_at, id);
CREATE INDEX runs_of_workflow_and_status ON runs (workflow, status, created_at, id);
CREATE UNIQUE INDEX runs_by_key ON runs (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What a run was made from.
CREATE TABLE definitions (
    run_id TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    input  TEXT NOT NULL,               -- JSON
    graph  TEXT NOT NULL                -- JSON: steps and edges
);

-- What happened in a run, one attempt or retry a row.
CREATE TABLE journal (
    run_id       TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,      -- order within the run
    kind         TEXT NOT NULL,         -- attempt retry
    step         TEXT NOT NULL,
    status       TEXT,
    attempt      INTEGER NOT NULL,      -- 0 for a skipped step
    started_at   TEXT,
    completed_at TEXT,
    output       TEXT,                  -- JSON
    changes      TEXT,                  -- JSON: {"set": {key: value}, "deleted": [key]}
    error        TEXT,                  -- JSON
    detail       TEXT,                  -- JSON
    fingerprint  TEXT NOT NULL,         -- of the step's code
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

-- The latest attempt of each step of each run.
CREATE VIEW steps AS
SELECT run_id, seq, step, status, attempt, started_at, completed_at,
       round((julianday(completed_at) - julianday(started_at)) * 86400, 3) AS seconds,
       output, changes, error
  FROM journal AS entry
 WHERE kind = 'attempt'
   AND seq = (SELECT max(seq) FROM journal
               WHERE run_id = entry.run_id AND step = entry.step AND kind = 'attempt');
"""

_PLACES = """
-- Steps may run at the same time: what each was given, and in which order results came.
ALTER TABLE journal ADD COLUMN seen INTEGER;      -- results there were when the attempt started
ALTER TABLE journal ADD COLUMN ordinal INTEGER;   -- place of this result, from 1
"""

_LEASES = """
-- Who may count on a run until when, and what somebody asked of its owner.
ALTER TABLE runs ADD COLUMN lease_until TEXT;
ALTER TABLE runs ADD COLUMN request TEXT;
CREATE INDEX runs_of_owner ON runs (owner) WHERE owner IS NOT NULL;

-- Large texts, each once, and the runs that use them.
CREATE TABLE blobs (
    hash TEXT NOT NULL PRIMARY KEY,     -- SHA-256 of the text, in hexadecimal
    text TEXT NOT NULL                  -- JSON
);
CREATE TABLE blob_uses (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    hash   TEXT NOT NULL REFERENCES blobs (hash),
    PRIMARY KEY (run_id, hash)
) WITHOUT ROWID;
CREATE INDEX blob_uses_of_hash ON blob_uses (hash);
CREATE TRIGGER unused_blobs AFTER DELETE ON blob_uses
BEGIN
    DELETE FROM blobs WHERE hash = OLD.hash AND NOT EXISTS (SELECT 1 FROM blob_uses WHERE hash = OLD.hash);
END;
"""

MIGRATIONS = (_TABLES, _PLACES, _LEASES)
"""What leads from each schema version to the next; the first makes version 1 of an empty file."""

VERSION = len(MIGRATIONS)

TABLES = frozenset({"runs", "definitions", "journal", "blobs", "blob_uses", "steps"})
"""The tables and views of a store. All other names are free for tables of the user."""


def create_file(path: Path) -> None:
    """Make an empty file that only its owner can read, and its folder, unless they exist.

    SQLite gives the files beside it (``-wal``, ``-shm``) the mode of this one.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return
    os.close(descriptor)


def prepare_writer(connection: sqlite3.Connection, path: Path, *, durability: str, patience: float) -> None:
    """Check that the file is a store, migrate it, and make this connection its writer.

    Nothing is written to a file of another program. ``patience`` is how many seconds to wait for
    a lock of another process.
    """
    _check(connection, path)
    connection.execute(f"PRAGMA page_size = {PAGE}")
    _use_wal(connection, path, patience)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    connection.execute(f"PRAGMA synchronous = {DURABILITY[durability]}")
    level = _number(connection, "synchronous")
    if level != DURABILITY[durability]:
        raise StorageError(
            f"{path}: SQLite was asked for synchronous={durability} and uses {level}. "
            "Use a build of SQLite that allows it."
        )
    _migrate(connection, path)


def prepare_transaction(connection: sqlite3.Connection, *, durability: str) -> None:
    """Make this connection to a file that has a writer already ready for a handler's transaction."""
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA synchronous = {DURABILITY[durability]}")


def prepare_reader(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is a store of this version, without changing anything."""
    version = _check(connection, path)
    if version < VERSION:
        found = f"has schema version {version}" if version else "is empty"
        raise StorageError(
            f"{path} {found}; version {VERSION} is needed and cannot be made by somebody who only reads. "
            "Open it once without read_only, for example by running a workflow on it."
        )
    connection.execute("PRAGMA query_only = ON")


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of the file, 0 when it is empty."""
    application, version, tables = _header(connection)
    if application == 0 and version == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise StorageError(
            f"{path} is a database of another program, not a Flux store. It was left as it is: "
            "name another file for the store."
        )
    if version > VERSION:
        raise SchemaVersionError(
            f"{path} has schema version {version}; this version of Flux knows versions up to {VERSION}. "
            "It was left as it is: upgrade flux-tui, or name another file for the store."
        )
    return version


def _header(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return application id, schema version and number of tables, all of one moment.

    Another process may be creating the store between one look and the next.
    """
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")
    try:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return _number(connection, "application_id"), _number(connection, "user_version"), tables
    finally:
        if alone and connection.in_transaction:
            connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection, path: Path, patience: float) -> None:
    """Switch to write-ahead logging.

    Two processes that create one store at the same moment exclude each other here, and SQLite tells
    one of them so at once, without its busy time-out.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(0.005)
    if mode != "wal":
        raise StorageError(
            f"{path}: its file system does not allow write-ahead logging (SQLite uses {mode!r}), "
            "which a store needs. Put the store on a local disk."
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _number(connection, "user_version") == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated the file between the look above and the lock.
        version = _check(connection, path)
        for script in MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Split a script; ``executescript`` would commit the transaction that a migration runs in."""
    statements, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return statements


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)
