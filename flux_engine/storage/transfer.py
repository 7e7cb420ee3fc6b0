"""Copying runs from one store into another, of whatever kinds they are."""

import time
from collections.abc import AsyncIterator

from msgspec.structs import replace

from flux_engine.errors import FluxError, RunExistsError
from flux_engine.gravito import ImportProblem, ImportReport
from flux_engine.running.ownership import abandoned, decode_owner
from flux_engine.storage.base import RunQuery, RunRow, WorkflowStorage
from flux_engine.storage.replacing import put_run

_PAGE = 500


async def copy_runs(
    source: WorkflowStorage, target: WorkflowStorage, *, name: str, overwrite: bool = False
) -> ImportReport:
    """Copy every run of a store, with its journal and large values, into another one. Both are open.

    Ids that the target has already are skipped, or replaced with ``overwrite``. A run that somebody has in
    hand is a problem and is left out: two stores would go on with it. One whose owner is gone is copied as
    it is and can be resumed. ``name`` is what the report calls the source.
    """
    imported: list[str] = []
    skipped: list[str] = []
    problems: list[ImportProblem] = []
    async for row in _every(source):
        if row.owner is not None and not abandoned(row.owner, row.lease_until, time.time()):
            problems.append(ImportProblem(run_id=row.id, reason=_in_hand(row.owner)))
            continue
        try:
            copied = await _copy(source, target, row.id, overwrite=overwrite)
        except RunExistsError:
            skipped.append(row.id)
        except FluxError as error:
            problems.append(ImportProblem(run_id=row.id, reason=str(error)))
        else:
            imported += [row.id] if copied else []
    return ImportReport(
        source=name, imported=tuple(imported), skipped=tuple(skipped), problems=tuple(problems)
    )


async def _copy(source: WorkflowStorage, target: WorkflowStorage, run_id: str, *, overwrite: bool) -> bool:
    record = await source.find(run_id)
    if record is None:
        return False
    entries, blobs = await source.journal(run_id), await source.blobs(run_id)
    free = replace(record, owner=None, lease_until=None, request=None)
    await put_run(target, free, entries, tuple(blobs.items()), overwrite=overwrite)
    return True


async def _every(source: WorkflowStorage) -> AsyncIterator[RunRow]:
    query = RunQuery(limit=_PAGE)
    while rows := await source.list(query):
        for row in rows:
            yield row
        query = replace(query, before=(rows[-1].created_at, rows[-1].id))


def _in_hand(owner_text: str) -> str:
    owner = decode_owner(owner_text)
    who = "somebody" if owner is None else f"process {owner.pid} on {owner.host}"
    return f"it is in the hands of {who}: import it when it has ended"
