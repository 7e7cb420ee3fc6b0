"""The schema of a store in a PostgreSQL database: its tables, its version, and how they come about.

Comfortable by hand, with JSON as text::

    SELECT id, workflow, status, error_summary FROM flux.runs ORDER BY created_at DESC LIMIT 20;
    SELECT step, status, attempt, seconds FROM flux.steps WHERE run_id = '…' ORDER BY seq;
    SELECT input::json ->> 'order_id' FROM flux.definitions WHERE run_id = '…';
"""

from typing import Any

import psycopg
from psycopg import sql

from flux_engine.errors import SchemaVersionError, StorageError

_TABLES = """
-- A run as it stands. What is large and does not change with each step is in `definitions`. The room left
-- in each page lets a step forward take place within it, without touching an index.
CREATE TABLE {s}.runs (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    workflow        text COLLATE "C" NOT NULL,
    status          text COLLATE "C" NOT NULL,  -- pending running paused suspended completed failed cancelled
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    completed_at    timestamptz,
    current_step    text,
    error_summary   text,                       -- one line
    owner           text COLLATE "C",           -- JSON: who has the run in hand
    fence           bigint NOT NULL,            -- fencing token, grows with every claim
    idempotency_key text COLLATE "C",
    error           text,                       -- JSON: the whole exception
    lease_until     timestamptz,                -- by the clock of this server
    request         text                        -- what somebody asked of the owner
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
-- One each for the filters of a listing, in the order of a listing.
CREATE INDEX runs_newest ON {s}.runs (created_at, id);
CREATE INDEX runs_of_workflow ON {s}.runs (workflow, created_at, id);
CREATE INDEX runs_of_status ON {s}.runs (status, created_at, id);
CREATE INDEX runs_of_workflow_and_status ON {s}.runs (workflow, status, created_at, id);
CREATE UNIQUE INDEX runs_by_key ON {s}.runs (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_of_owner ON {s}.runs (owner) WHERE owner IS NOT NULL;

-- What a run was made from.
CREATE TABLE {s}.definitions (
    run_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES {s}.runs (id) ON DELETE CASCADE,
    input  text NOT NULL,                       -- JSON
    graph  text NOT NULL                        -- JSON: steps and edges
);

-- What happened in a run, one attempt or retry a row.
CREATE TABLE {s}.journal (
    run_id       text COLLATE "C" NOT NULL REFERENCES {s}.runs (id) ON DELETE CASCADE,
    seq          bigint NOT NULL,               -- order within the run
    kind         text NOT NULL,                 -- attempt retry signal compensation
    step         text NOT NULL,
    status       text,
    attempt      bigint NOT NULL,               -- 0 for a skipped step
    started_at   timestamptz,
    completed_at timestamptz,
    output       text,                          -- JSON
    changes      text,                          -- JSON: {{"set": {{key: value}}, "deleted": [key]}}
    error        text,                          -- JSON
    detail       text,                          -- JSON
    fingerprint  text NOT NULL,                 -- of the step's code
    seen         bigint,                        -- results there were when the attempt started
    ordinal      bigint,                        -- place of this result, from 1
    PRIMARY KEY (run_id, seq)
) WITH (fillfactor = 80);

-- Large texts, each once, and the runs that use them.
CREATE TABLE {s}.blobs (
    hash text COLLATE "C" NOT NULL PRIMARY KEY, -- SHA-256 of the text, in hexadecimal
    text text NOT NULL                          -- JSON
);
CREATE TABLE {s}.blob_uses (
    run_id text COLLATE "C" NOT NULL REFERENCES {s}.runs (id) ON DELETE CASCADE,
    hash   text COLLATE "C" NOT NULL REFERENCES {s}.blobs (hash),
    PRIMARY KEY (run_id, hash)
);
CREATE INDEX blob_uses_of_hash ON {s}.blob_uses (hash);

-- Who writes here, and which of its transactions was stored last: asked when a connection is lost.
CREATE TABLE {s}.writers (
    id      text NOT NULL PRIMARY KEY,
    batch   bigint NOT NULL,
    refused text[],                             -- runs of that batch whose writes were refused
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 20);

-- The latest attempt of each step of each run.
CREATE VIEW {s}.steps AS
SELECT run_id, seq, step, status, attempt, started_at, completed_at,
       round(extract(epoch FROM completed_at - started_at), 3) AS seconds, output, changes, error
  FROM {s}.journal AS entry
 WHERE kind = 'attempt'
   AND seq = (SELECT max(seq) FROM {s}.journal AS other
               WHERE other.run_id = entry.run_id AND other.step = entry.step AND other.kind = 'attempt');

CREATE TABLE {s}.flux_version (version integer NOT NULL);
INSERT INTO {s}.flux_version VALUES (0);
"""

MIGRATIONS = (_TABLES,)
"""What leads from each version of the schema to the next; the first makes version 1 of nothing."""

TABLES = frozenset(
    {"runs", "definitions", "journal", "blobs", "blob_uses", "writers", "steps", "flux_version"}
)
"""The tables and views of a store."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def prepare(connection: psycopg.Connection[Any], schema: str) -> None:
    """Check that the schema is a store, and migrate it. One process at a time does.

    Nothing is changed in a schema of another program.
    """
    if _version(connection, schema) == len(MIGRATIONS):
        return
    with connection.transaction():
        connection.execute(_LOCK, (f"flux schema {schema}",))
        # Another process may have migrated it between the look above and the lock.
        version = _version(connection, schema)
        if version == len(MIGRATIONS):
            return
        _create(connection, schema)
        for script in MIGRATIONS[version:]:
            connection.execute(formatted(script, schema))
        update = formatted("UPDATE {s}.flux_version SET version = {version}", schema, version=len(MIGRATIONS))
        connection.execute(update)


def check(connection: psycopg.Connection[Any], schema: str) -> None:
    """Check that the schema is a store of this version, without changing anything."""
    version = _version(connection, schema)
    if version < len(MIGRATIONS):
        found = f"has version {version}" if version else "is not there or empty"
        raise StorageError(
            f"The schema {schema!r} {found}; version {len(MIGRATIONS)} is needed and cannot be made by "
            "somebody who only reads. Open it once without read_only, for example by running a workflow."
        )


def formatted(script: str, schema: str, **values: int) -> sql.Composed:
    """Return a script of this store, with ``{s}`` for the name of its schema."""
    return sql.SQL(script).format(s=sql.Identifier(schema), **values)


def _create(connection: psycopg.Connection[Any], schema: str) -> None:
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))
    if found.fetchone() is None:
        connection.execute(formatted("CREATE SCHEMA {s}", schema))


def _version(connection: psycopg.Connection[Any], schema: str) -> int:
    """Return the version of the schema, 0 when it is empty or not there."""
    ((names,),) = connection.execute(
        "SELECT coalesce(array_agg(relname::text), '{}') FROM pg_class"
        " WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)",
        (schema,),
    ).fetchall()
    if not names:
        return 0
    if "flux_version" not in names:
        raise StorageError(
            f"The schema {schema!r} has tables of another program and is not a Flux store. It was left as it "
            'is: name another schema for the store, PostgresStorage(dsn, schema="…").'
        )
    ((version,),) = connection.execute(formatted("SELECT version FROM {s}.flux_version", schema)).fetchall()
    if version > len(MIGRATIONS):
        raise SchemaVersionError(
            f"The schema {schema!r} has version {version}; this version of Flux knows versions up to "
            f"{len(MIGRATIONS)}. It was left as it is: upgrade flux-tui, or name another schema."
        )
    return int(version)
