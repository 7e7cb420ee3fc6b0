"""The statements that write and read records, and what their rows mean.

Times go as seconds since the epoch and come back as such. A lease goes as the seconds that are left of it,
and so does it come back: when it ends is decided by the clock of the server.
"""

from collections.abc import Sequence
from typing import Any

from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord, RunRow
from flux_engine.storage.postgres.texts import given, optionally_given

LEASE_LEFT = "extract(epoch FROM lease_until - clock_timestamp())::float8"

_RECORD = f"""
SELECT id, workflow, status, input, graph, extract(epoch FROM created_at)::float8,
       extract(epoch FROM updated_at)::float8, extract(epoch FROM completed_at)::float8, current_step,
       error, error_summary, owner, fence, idempotency_key, {LEASE_LEFT}, request
  FROM {{s}}.runs JOIN {{s}}.definitions ON run_id = id"""  # noqa: S608 - no user's text

FIND = f"{_RECORD} WHERE id = %s"

FIND_BY_KEY = f"{_RECORD} WHERE workflow = %s AND idempotency_key = %s"

JOURNAL = """
SELECT seq, kind, step, status, attempt, extract(epoch FROM started_at)::float8,
       extract(epoch FROM completed_at)::float8, output, changes, error, detail, fingerprint, seen, ordinal
  FROM {s}.journal
 WHERE run_id = %s
 ORDER BY seq"""

BLOBS = "SELECT hash, text FROM {s}.blob_uses JOIN {s}.blobs USING (hash) WHERE run_id = %s"

CLAIM = """
UPDATE {s}.runs
   SET owner = %s, lease_until = clock_timestamp() + %s::float8 * interval '1 second', request = NULL,
       fence = fence + 1
 WHERE id = %s AND fence = %s
RETURNING fence"""

REQUEST = "UPDATE {s}.runs SET request = %s WHERE id = %s RETURNING 1"

RENEW = """
UPDATE {s}.runs SET lease_until = clock_timestamp() + %s::float8 * interval '1 second'
 WHERE id IN (SELECT id FROM {s}.runs WHERE owner = %s ORDER BY id FOR NO KEY UPDATE) AND owner = %s
RETURNING id, request"""

UNUSE = "DELETE FROM {s}.blob_uses WHERE run_id = %s RETURNING hash"

DELETE = "DELETE FROM {s}.runs WHERE id = %s RETURNING 1"

DELETE_UNUSED = """
DELETE FROM {s}.blobs
 WHERE hash = ANY(%s::text[]) AND NOT EXISTS (SELECT 1 FROM {s}.blob_uses WHERE hash = blobs.hash)"""

FENCE = "SELECT fence FROM {s}.runs WHERE id = %s"

TAKEN_ID = "SELECT 1 FROM {s}.runs WHERE id = %s"

TAKEN_KEY = "SELECT id FROM {s}.runs WHERE workflow = %s AND idempotency_key = %s"

PUT_BLOBS = """
INSERT INTO {s}.blobs (hash, text) SELECT * FROM unnest(%s::text[], %s::text[])
ON CONFLICT DO NOTHING"""

USE_BLOBS = """
INSERT INTO {s}.blob_uses (run_id, hash) SELECT %s, * FROM unnest(%s::text[])
ON CONFLICT DO NOTHING"""

BLOBS_LOCK = "SELECT pg_advisory_xact_lock{how}(hashtextextended('flux blobs ' || %s, 0))"

NEW_WRITER = """
INSERT INTO {s}.writers (id, batch, seen_at) VALUES (%s, 0, clock_timestamp())
ON CONFLICT DO NOTHING"""

OLD_WRITER = "DELETE FROM {s}.writers WHERE id = %s"

OLD_WRITERS = "DELETE FROM {s}.writers WHERE seen_at < clock_timestamp() - interval '30 days'"

MARK = "UPDATE {s}.writers SET batch = %s, refused = NULL, seen_at = clock_timestamp() WHERE id = %s"

LAST_BATCH = "SELECT batch, coalesce(refused, '{{}}') FROM {s}.writers WHERE id = %s FOR UPDATE"

REQUESTS_OF = "SELECT id, request FROM {s}.runs WHERE id = ANY(%s::text[]) AND request IS NOT NULL"

GRAPH = "UPDATE {s}.definitions SET graph = %s WHERE run_id = %s"

RUN_KINDS = "tttnntttttnnnttt"
"""The columns of a run that is created: see ``BATCH``."""

SAVE_KINDS = "tntnnttttn"
"""The columns of a run that is taken a step forward."""

ENTRY_KINDS = "tnttt" + "nnn" + "ttttt" + "nn"
"""The columns of a journal entry."""

BATCH = """
WITH new AS (
  SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::float8[], %s::float8[], %s::text[], %s::text[],
                       %s::text[], %s::text[], %s::text[], %s::bigint[], %s::float8[], %s::float8[],
                       %s::text[], %s::text[], %s::text[])
    AS new (id, workflow, status, created_at, updated_at, current_step, error, error_summary, owner,
            idempotency_key, fence, completed_at, lease, request, input, graph)
), created AS (
  INSERT INTO {s}.runs (id, workflow, status, created_at, updated_at, completed_at, current_step, error,
                        error_summary, owner, fence, idempotency_key, lease_until, request)
  SELECT id, workflow, status, to_timestamp(created_at), to_timestamp(updated_at), to_timestamp(completed_at),
         current_step, error, error_summary, owner, fence, idempotency_key,
         clock_timestamp() + lease * interval '1 second', request
    FROM new
  ON CONFLICT DO NOTHING
  RETURNING id
), defined AS (
  INSERT INTO {s}.definitions (run_id, input, graph)
  SELECT id, input, graph FROM new WHERE id IN (SELECT id FROM created)
), forward AS (
  SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::float8[], %s::float8[], %s::text[],
                       %s::text[], %s::text[], %s::text[], %s::float8[])
    AS forward (id, fence, status, updated_at, completed_at, current_step, error, error_summary, owner, lease)
), advanced AS (
  UPDATE {s}.runs
     SET status = forward.status, updated_at = to_timestamp(forward.updated_at),
         completed_at = to_timestamp(forward.completed_at), current_step = forward.current_step,
         error = forward.error, error_summary = forward.error_summary, owner = forward.owner,
         lease_until = clock_timestamp() + forward.lease * interval '1 second',
         request = CASE WHEN forward.owner IS NOT NULL THEN runs.request END
    FROM forward
   WHERE runs.id = forward.id AND runs.fence = forward.fence
  RETURNING runs.id, runs.request
), entry AS (
  SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[],
                       %s::float8[], %s::float8[], %s::text[], %s::text[], %s::text[], %s::text[],
                       %s::text[], %s::bigint[], %s::bigint[])
    AS entry (run_id, seq, kind, step, status, attempt, started_at, completed_at, output, changes, error,
              detail, fingerprint, seen, ordinal)
), entered AS (
  INSERT INTO {s}.journal (run_id, seq, kind, step, status, attempt, started_at, completed_at, output,
                           changes, error, detail, fingerprint, seen, ordinal)
  SELECT run_id, seq, kind, step, status, attempt, to_timestamp(started_at), to_timestamp(completed_at),
         output, changes, error, detail, fingerprint, seen, ordinal
    FROM entry
   WHERE run_id IN (SELECT id FROM advanced) OR run_id IN (SELECT id FROM created)
  ON CONFLICT (run_id, seq) DO UPDATE
     SET kind = excluded.kind, step = excluded.step, status = excluded.status, attempt = excluded.attempt,
         started_at = excluded.started_at, completed_at = excluded.completed_at, output = excluded.output,
         changes = excluded.changes, error = excluded.error, detail = excluded.detail,
         fingerprint = excluded.fingerprint, seen = excluded.seen, ordinal = excluded.ordinal
), refused AS (
  SELECT (SELECT array_agg(id) FROM forward WHERE id NOT IN (SELECT id FROM advanced)) ||
         (SELECT array_agg(id) FROM new WHERE id NOT IN (SELECT id FROM created)) AS ids
), marked AS (
  UPDATE {s}.writers SET batch = %s, refused = (SELECT ids FROM refused), seen_at = clock_timestamp()
   WHERE id = %s
)
SELECT (SELECT ids FROM refused), id, request FROM (SELECT 1) AS always
  LEFT JOIN advanced ON request IS NOT NULL"""
"""A batch of new runs and of steps forward, at most one of each run, in one statement.

The runs whose write is refused are returned, and left as they are; the others are written. It
notes the number of the batch, so that a writer which has lost its connection can find out what became of it.
"""


def run_record(row: Sequence[Any], now: float) -> RunRecord:
    """Read a row of ``FIND`` or ``FIND_BY_KEY``; ``now`` is what the lease is counted from."""
    return RunRecord(
        id=given(row[0]),
        workflow=given(row[1]),
        status=RunStatus(row[2]),
        input=given(row[3]),
        graph=given(row[4]),
        created_at=row[5],
        updated_at=row[6],
        completed_at=row[7],
        current_step=optionally_given(row[8]),
        error=optionally_given(row[9]),
        error_summary=optionally_given(row[10]),
        owner=optionally_given(row[11]),
        fence=row[12],
        idempotency_key=optionally_given(row[13]),
        lease_until=None if row[14] is None else now + row[14],
        request=optionally_given(row[15]),
    )


def journal_entry(row: Sequence[Any]) -> JournalEntry:
    """Read a row of ``JOURNAL``."""
    return JournalEntry(
        seq=row[0],
        kind=EntryKind(row[1]),
        step=given(row[2]),
        status=None if row[3] is None else StepStatus(row[3]),
        attempt=row[4],
        started_at=row[5],
        completed_at=row[6],
        output=optionally_given(row[7]),
        changes=optionally_given(row[8]),
        error=optionally_given(row[9]),
        detail=optionally_given(row[10]),
        fingerprint=given(row[11]),
        seen=row[12],
        ordinal=row[13],
    )


def run_row(row: Sequence[Any], now: float) -> RunRow:
    """Read a row of a ``listing``; ``now`` is what the lease is counted from."""
    return RunRow(
        id=given(row[0]),
        workflow=given(row[1]),
        status=RunStatus(row[2]),
        created_at=row[3],
        updated_at=row[4],
        completed_at=row[5],
        current_step=optionally_given(row[6]),
        error=optionally_given(row[7]),
        owner=optionally_given(row[8]),
        lease_until=None if row[9] is None else now + row[9],
    )
