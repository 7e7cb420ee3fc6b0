"""What Restate's SQL interface is asked, and what its rows mean for a run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from msgspec import Struct

from flux_engine.execution import RunStatus
from flux_engine.integrations.restate.kept_state import CHUNK, HEAD, brought_up_to_date, read_chunk, read_head
from flux_engine.running.ownership import Owner
from flux_engine.storage.base import RunRow

_COLUMNS = (
    "id, target_service_name, target_service_key, status, created_at, modified_at, completed_at, "
    "completion_result, completion_failure, retry_count, last_failure, last_failure_error_code"
)


class Invocation(Struct, frozen=True, kw_only=True):
    """The invocation that moves a run, as ``sys_invocation`` has it.

    ``status`` is Restate's: ``pending``, ``scheduled``, ``ready``, ``running``, ``suspended``,
    ``backing-off``, ``paused`` or ``completed``. ``failure`` is why it failed, or why its last attempt
    did, for instance because no service could be reached; ``retries`` is how often Restate has tried again.
    """

    id: str
    service: str
    status: str
    created_at: float
    modified_at: float
    completed_at: float | None = None
    failure: str | None = None
    retries: int = 0

    @property
    def ended(self) -> bool:
        """Whether it moves its run no more."""
        return self.status == "completed"

    def status_without_state(self) -> RunStatus:
        """Return the status of a run that has kept nothing: not begun, or refused before it began."""
        if not self.ended:
            return RunStatus.PENDING
        return RunStatus.FAILED if self.failure else RunStatus.COMPLETED

    def owner(self) -> str | None:
        """Return who has the run in hand, as a record's ``owner``; ``None`` when nobody moves it."""
        if self.ended:
            return None
        return Owner(host="restate", pid=0, started="", engine=self.id).encode()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the invocation of a row."""
        ended = row.get("status") == "completed"
        failure = row.get("completion_failure") if ended else row.get("last_failure")
        return cls(
            id=row["id"],
            service=row["target_service_name"],
            status=row.get("status") or "",
            created_at=_seconds(row["created_at"]),
            modified_at=_seconds(row.get("modified_at") or row["created_at"]),
            completed_at=_seconds(row["completed_at"]) if row.get("completed_at") else None,
            failure=failure,
            retries=max(0, (row.get("retry_count") or 1) - 1),
        )


def listing_query(services: Sequence[str], limit: int) -> str:
    """Return the statement for the latest runs of these services, each with its head."""
    columns = ", ".join(f"i.{name.strip()}" for name in _COLUMNS.split(","))
    return (
        f"SELECT {columns}, s.value_utf8 AS head FROM sys_invocation i LEFT JOIN state s "  # noqa: S608 - quoted
        "ON s.service_name = i.target_service_name AND s.service_key = i.target_service_key "
        f"AND s.key = '{HEAD}' WHERE i.target_handler_name = 'run' "
        f"AND i.target_service_name IN ({', '.join(map(_quoted, services))}) "
        f"ORDER BY i.created_at DESC LIMIT {int(limit)}"
    )


def invocation_query(run_id: str, service: str | None) -> str:
    """Return the statement for the invocation of a run."""
    where = "" if service is None else f" AND target_service_name = {_quoted(service)}"
    return (
        f"SELECT {_COLUMNS} FROM sys_invocation WHERE target_service_key = {_quoted(run_id)} "  # noqa: S608 - quoted
        f"AND target_handler_name = 'run' AND target_service_ty = 'workflow'{where} "
        "ORDER BY created_at DESC LIMIT 1"
    )


def latest_query(invocations: Sequence[Invocation], run_ids: Sequence[str]) -> str:
    """Return the statement for the last chunk of the journal of each of these runs."""
    services = ", ".join(map(_quoted, sorted({each.service for each in invocations})))
    return (
        "SELECT service_name, service_key, value_utf8 FROM (SELECT service_name, service_key, value_utf8, "  # noqa: S608 - quoted
        "ROW_NUMBER() OVER (PARTITION BY service_name, service_key ORDER BY key DESC) AS place FROM state "
        f"WHERE service_name IN ({services}) AND service_key IN ({', '.join(map(_quoted, run_ids))}) "
        f"AND key LIKE '{CHUNK}%') WHERE place = 1"
    )


def state_query(invocation: Invocation, run_id: str) -> str:
    """Return the statement for all that a run keeps."""
    return (
        f"SELECT key, value_utf8 FROM state WHERE service_name = {_quoted(invocation.service)} "  # noqa: S608 - quoted
        f"AND service_key = {_quoted(run_id)}"
    )


def moves(row: Mapping[str, Any]) -> bool:
    """Say whether the run of a row of a listing is on its way: its head may lag behind its journal."""
    return row.get("head") is not None and read_head(row["head"]).status is RunStatus.RUNNING


def row_of(row: Mapping[str, Any], names: Mapping[str, str], latest: str | None = None) -> RunRow:
    """Return a run of a listing.

    ``names`` has the names of workflows by service, where they are known; ``latest`` is the last chunk of
    the run's journal, of a run that moves.
    """
    invocation = Invocation.of(row)
    run_id = row["target_service_key"]
    if row.get("head") is None:
        return RunRow(
            id=run_id,
            workflow=names.get(invocation.service, invocation.service),
            status=invocation.status_without_state(),
            created_at=invocation.created_at,
            updated_at=invocation.modified_at,
            completed_at=invocation.completed_at,
            error=invocation.failure,
            owner=invocation.owner(),
        )
    head = brought_up_to_date(read_head(row["head"]), () if latest is None else read_chunk(latest))
    return RunRow(
        id=run_id,
        workflow=head.workflow,
        status=head.status,
        created_at=head.created_at,
        updated_at=head.updated_at,
        completed_at=head.completed_at,
        current_step=head.current_step,
        error=head.error,
        owner=invocation.owner(),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
