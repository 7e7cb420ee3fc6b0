"""Putting a run into a store in the place of one that has its id."""

from collections.abc import Sequence

from flux_engine.storage.base import Blobs, JournalEntry, RunRecord, WorkflowStorage


async def put_run(
    storage: WorkflowStorage,
    record: RunRecord,
    entries: Sequence[JournalEntry],
    blobs: Blobs = (),
    *,
    overwrite: bool = False,
) -> None:
    """Add a run, with ``overwrite`` in the place of the one that has its id.

    Raises as ``create``; the run that was there is there again then.
    """
    before = await storage.find(record.id) if overwrite else None
    if before is None:
        await storage.create(record, entries, blobs)
        return
    old_entries, old_blobs = await storage.journal(record.id), await storage.blobs(record.id)
    await storage.delete(record.id)
    try:
        await storage.create(record, entries, blobs)
    except BaseException:
        await storage.create(before, old_entries, tuple(old_blobs.items()))
        raise
