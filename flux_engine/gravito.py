"""Taking over the runs of a store written by ``@gravito/flux``, the ancestor of this engine.

The ancestor keeps a run as one row: its history by index, and the data as it was last. What each step
changed is not in it. So the whole data becomes the changes of the last step that was completed; see
``docs/import.md`` for what follows from that.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from flux_engine.codec import encode
from flux_engine.data import Delta, check_key, encode_key, is_text
from flux_engine.errors import FluxError, RunExistsError, StorageError
from flux_engine.execution import ErrorInfo, RunStatus, StepStatus
from flux_engine.failure import summary
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord, WorkflowStorage
from flux_engine.storage.replacing import put_run
from flux_engine.waiting import Waiting

TABLE = "flux_workflows"
COLUMNS = (
    "id",
    "name",
    "status",
    "input",
    "data",
    "current_step",
    "history",
    "error",
    "created_at",
    "updated_at",
    "completed_at",
)
_RUN_STATUSES = {str(status): status for status in RunStatus} | {
    "rolling_back": RunStatus.FAILED,
    "rolled_back": RunStatus.FAILED,
}
_STEP_STATUSES = {str(status): status for status in StepStatus} | {"compensating": StepStatus.COMPLETED}

Row = Mapping[str, Any]


class ImportProblem(Struct, frozen=True, kw_only=True):
    """A row that could not be taken over, and why."""

    run_id: str
    reason: str


class ImportReport(Struct, frozen=True, kw_only=True):
    """What an import did.

    ``imported`` are the ids of the runs that are in the store now, ``skipped`` those that were there
    before and were left as they are.
    """

    source: str
    imported: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    problems: tuple[ImportProblem, ...] = ()

    def __str__(self) -> str:
        counts = f"{len(self.imported)} imported, {len(self.skipped)} skipped (already there)"
        lines = [f"{self.source}: {counts}, {len(self.problems)} with problems"]
        lines += [f"  {problem.run_id}: {problem.reason}" for problem in self.problems]
        return "\n".join(lines)


class _Step(Struct, frozen=True, kw_only=True, rename="camel"):
    """An entry of the ancestor's history."""

    name: str = ""
    status: str = "pending"
    retries: int = 0
    started_at: str | None = None
    completed_at: str | None = None
    suspended_at: str | None = None
    compensated_at: str | None = None
    waiting_for: str | None = None
    output: Any = None
    error: str | None = None


class _Run(Struct, frozen=True, kw_only=True):
    """A row of the ancestor's table, read; ``names`` has a name for each step."""

    id: str
    name: str
    status: RunStatus
    input: Any
    data: dict[str, Any]
    steps: tuple[_Step, ...]
    names: tuple[str, ...] = field(default=())
    error: str | None = None
    created_at: float
    updated_at: float
    completed_at: float | None = None


async def import_gravito(
    source: Path | str, storage: WorkflowStorage, *, overwrite: bool = False
) -> ImportReport:
    """Copy the runs of an ancestor's SQLite file into a store. The file is only read.

    A run can then be listed, looked at, resumed and retried with a workflow of the same name and the same
    steps. Ids that the store has already are skipped, or replaced with ``overwrite``; a row that cannot
    be understood is reported and does not keep the others out.

    Raises ``StorageError`` when the file is not such a store, or when the store cannot be written.
    """
    path = Path(source)
    rows = await asyncio.to_thread(_read_rows, path)
    runs: list[_Run] = []
    problems: list[ImportProblem] = []
    for row in rows:
        try:
            runs.append(_read_run(row))
        except (ValueError, TypeError, FluxError, msgspec.MsgspecError) as error:
            problems.append(ImportProblem(run_id=str(row["id"]), reason=str(error)))
    imported: list[str] = []
    skipped: list[str] = []
    await storage.open()
    for run in _with_names(runs):
        try:
            record, entries = _run_record(run), _journal(run)
        except FluxError as error:
            problems.append(ImportProblem(run_id=run.id, reason=str(error)))
            continue
        try:
            await put_run(storage, record, entries, overwrite=overwrite)
            imported.append(run.id)
        except RunExistsError:
            skipped.append(run.id)
    return ImportReport(
        source=str(path), imported=tuple(imported), skipped=tuple(skipped), problems=tuple(problems)
    )


# Reading the ancestor's file


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise StorageError(f"{path} is not a file; name the SQLite file that @gravito/flux wrote.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            _check_table(path, connection)
            cursor = connection.execute(
                f"SELECT {', '.join(COLUMNS)} FROM {TABLE} ORDER BY created_at, id"  # noqa: S608 - constants
            )
            return [dict(zip(COLUMNS, row, strict=True)) for row in cursor]
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be read as a store of @gravito/flux: {error}") from error


def _check_table(path: Path, connection: sqlite3.Connection) -> None:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if TABLE not in tables:
        found = ", ".join(sorted(tables)) or "none"
        raise StorageError(
            f"{path} is not a store of @gravito/flux: it has no table {TABLE}; its tables are: {found}."
        )
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({TABLE})")}
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise StorageError(
            f"{path} is not a store of @gravito/flux that can be read: "
            f"its table {TABLE} has no column {', '.join(missing)}."
        )


def _read_run(row: Row) -> _Run:
    """Read a row. Raises ``ValueError`` and the like for one that cannot be understood."""
    run_id, name, status = row["id"], row["name"], row["status"]
    if not isinstance(run_id, str) or not run_id.strip() or not isinstance(name, str) or not name:
        raise ValueError("the row has no id or no workflow name")
    if status not in _RUN_STATUSES:
        raise ValueError(f"it has an unknown status {status!r}; known are {', '.join(_RUN_STATUSES)}")
    data = _json(row, "data")
    if not isinstance(data, dict):
        raise ValueError("its data is not a JSON object")  # noqa: TRY004 - the value is at fault
    steps = msgspec.convert(_json(row, "history"), tuple[_Step, ...])
    unknown = [step.status for step in steps if step.status not in _STEP_STATUSES]
    if unknown:
        raise ValueError(f"a step has an unknown status {unknown[0]!r}")
    updated_at = _seconds(row["updated_at"])
    created_at = _seconds(row["created_at"])
    if created_at is None or updated_at is None:
        raise ValueError("it has no times")
    # The ancestor writes the time of each save over the time of creation.
    began = [time for step in steps if (time := _seconds(step.started_at)) is not None]
    return _Run(
        id=run_id,
        name=name,
        status=_RUN_STATUSES[status],
        input=_json(row, "input"),
        data=data,
        steps=steps,
        error=row["error"],
        created_at=min([created_at, *began]),
        updated_at=updated_at,
        completed_at=_seconds(row["completed_at"]),
    )


def _json(row: Row, column: str) -> Any:
    try:
        return msgspec.json.decode(row[column] or "null")
    except (msgspec.DecodeError, TypeError) as error:
        raise ValueError(f"its {column} is not JSON: {error}") from error


def _seconds(text: Any) -> float | None:
    """Read a time in ISO 8601 as seconds since the epoch."""
    if text is None:
        return None
    if not isinstance(text, str) or (time := datetime.fromisoformat(text)).tzinfo is None:
        raise ValueError(f"{text!r} is not a time in ISO 8601 with its zone")
    return time.timestamp()


# Names of steps that never started


def _with_names(runs: Sequence[_Run]) -> list[_Run]:
    """Name every step. Names that a run does not know come from the other runs of its workflow."""
    forms: dict[str, set[tuple[str, ...]]] = {}
    for run in runs:
        forms.setdefault(run.name, set()).add(_form(run))
    return [msgspec.structs.replace(run, names=_names(_form(run), forms[run.name])) for run in runs]


def _form(run: _Run) -> tuple[str, ...]:
    return tuple(step.name for step in run.steps)


def _names(form: tuple[str, ...], forms: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    alike = [other for other in forms if _fits(form, other)]
    names: list[str] = []
    for index, stated in enumerate(form):
        known = {other[index] for other in alike} - {""}
        name = stated or (known.pop() if len(known) == 1 else f"step-{index}")
        names.append(name if name not in names else f"{name}-{index}")
    return tuple(names)


def _fits(form: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether two runs can be of one definition: as many steps, and no name against another."""
    return len(form) == len(other) and all(a == b for a, b in zip(form, other, strict=True) if a and b)


# Writing it as a run of this engine


def _run_record(run: _Run) -> RunRecord:
    failed = next((i for i, step in enumerate(run.steps) if _status(step) is StepStatus.FAILED), None)
    error = None
    if run.status is RunStatus.FAILED:
        error = _error(run.error, None if failed is None else run.names[failed])
    todo = (name for name, step in zip(run.names, run.steps, strict=True) if not _status(step).done)
    completed_at = run.completed_at if run.completed_at is not None else run.updated_at
    return RunRecord(
        id=run.id,
        workflow=run.name,
        status=run.status,
        input=encode(run.input, root="input"),
        graph=_graph(run),
        created_at=run.created_at,
        updated_at=run.updated_at,
        completed_at=completed_at if run.status.ended else None,
        current_step=None if run.status.ended else next(todo, None),
        error=None if error is None else msgspec.json.encode(error).decode(),
        error_summary=None if error is None else summary(error),
    )


def _graph(run: _Run) -> str:
    """Return the steps as a chain, in the form of ``describe()``; which of them are commits is not known."""
    steps = [
        {
            "name": name,
            "index": index,
            "commit": False,
            "conditional": False,
            "after": [run.names[index - 1]] if index else [],
            "compensated": False,
            "retries": None,
            "timeout": None,
            "description": "",
            "fingerprint": "",
            "source": None,
        }
        for index, name in enumerate(run.names)
    ]
    edges = list(zip(run.names, run.names[1:], strict=False))
    return msgspec.json.encode({"name": run.name, "steps": steps, "edges": edges}).decode()


def _journal(run: _Run) -> list[JournalEntry]:
    entries: list[JournalEntry] = []
    bearer = _bearer_of_data(run)
    changes = _changes(run.data) if run.data else None
    done = 0
    for index, step in enumerate(run.steps):
        status = _status(step)
        if status is StepStatus.PENDING:
            continue
        has_result = status.done or status is StepStatus.COMPENSATED
        entry = _attempt(run.names[index], step, seq=len(entries) + 1, seen=done)
        done += has_result
        entries.append(
            msgspec.structs.replace(
                entry,
                ordinal=done if has_result else None,
                changes=changes if index == bearer else None,
            )
        )
        if status is StepStatus.COMPENSATED:
            entries.append(_compensation(run.names[index], step, seq=len(entries) + 1))
    return entries


def _bearer_of_data(run: _Run) -> int | None:
    """Return the index of the step whose changes the data of the run becomes.

    The last completed one; when none is, the one under way, where they wait for its end.
    """
    with_results = {StepStatus.COMPLETED, StepStatus.COMPENSATED}
    for wanted in (with_results, set(StepStatus) - with_results - {StepStatus.PENDING, StepStatus.SKIPPED}):
        found = [index for index, step in enumerate(run.steps) if _status(step) in wanted]
        if found:
            return found[-1]
    return None


def _attempt(name: str, step: _Step, *, seq: int, seen: int) -> JournalEntry:
    status = _status(step)
    skipped = status is StepStatus.SKIPPED
    waiting = status is StepStatus.SUSPENDED
    started_at = _seconds(step.started_at or step.suspended_at or step.completed_at)
    open_ended = status in (StepStatus.RUNNING, StepStatus.SUSPENDED)
    detail = None
    if waiting:
        detail = msgspec.json.encode(Waiting(signal=step.waiting_for or name)).decode()
    elif skipped:
        detail = msgspec.json.encode("when false").decode()
    return JournalEntry(
        seq=seq,
        kind=EntryKind.ATTEMPT,
        step=name,
        status=StepStatus.COMPLETED if status is StepStatus.COMPENSATED else status,
        attempt=0 if skipped else step.retries + 1,
        started_at=started_at,
        completed_at=None if open_ended else _seconds(step.completed_at) or started_at,
        output=None if step.output is None else encode(step.output, root="output"),
        error=_error_text(step, name) if status in (StepStatus.FAILED, StepStatus.CANCELLED) else None,
        detail=detail,
        seen=None if skipped else seen,
    )


def _compensation(name: str, step: _Step, *, seq: int) -> JournalEntry:
    at = _seconds(step.compensated_at or step.completed_at)
    return JournalEntry(
        seq=seq,
        kind=EntryKind.COMPENSATION,
        step=name,
        status=StepStatus.COMPENSATED,
        attempt=1,
        started_at=at,
        completed_at=at,
    )


def _status(step: _Step) -> StepStatus:
    return _STEP_STATUSES[step.status]


def _changes(data: Mapping[str, Any]) -> str:
    return Delta(set={check_key(key): encode_key(key, value) for key, value in data.items()}).encode()


def _error(message: str | None, step: str | None) -> ErrorInfo:
    """Return an error of the ancestor, which keeps the message alone."""
    text = message or "no message was stored"
    text = text if is_text(text) else text.encode("utf-8", "backslashreplace").decode()
    return ErrorInfo(type="Error", message=text, step=step, text=f"Error: {text}\n")


def _error_text(step: _Step, name: str) -> str:
    return msgspec.json.encode(_error(step.error, name)).decode()
