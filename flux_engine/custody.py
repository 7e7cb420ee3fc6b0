"""Who may move a run: taking it in hand, driving it, letting it go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from flux_engine.definition import DataT, InputT, WorkflowDefinition
from flux_engine.errors import (
    OwnershipLostError,
    RunBusyError,
    RunExistsError,
    RunNotFoundError,
    WorkflowMismatchError,
)
from flux_engine.journal import Progress, stored_steps
from flux_engine.live_run import LiveRun
from flux_engine.ownership import decode_owner, is_gone, this_owner
from flux_engine.plan import merged_steps
from flux_engine.result import FluxResult
from flux_engine.services import Services
from flux_engine.storage.base import JournalEntry, RunRecord


class Custody:
    """The runs that one engine has in hand."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._owner = this_owner()
        self._taken: set[str] = set()
        self._driven: dict[str, tuple[LiveRun[Any, Any], asyncio.Task[Any]]] = {}

    @property
    def owner_text(self) -> str:
        """What this engine writes into the owner column of its runs."""
        return self._owner.encode()

    @asynccontextmanager
    async def of(self, run_id: str) -> AsyncIterator[None]:
        """Keep the other tasks of this engine off a run. Raises ``RunBusyError`` when one has it."""
        if run_id in self._taken or run_id in self._driven:
            raise RunBusyError(
                f"Run {run_id} is in the hands of this engine already; wait until it has ended."
            )
        self._taken.add(run_id)
        try:
            yield
        finally:
            self._taken.discard(run_id)

    def check_unused(self, run_id: str) -> None:
        """Raise ``RunExistsError`` when this engine has a run of this id in hand, stored or not yet."""
        if run_id in self._taken or run_id in self._driven:
            raise RunExistsError(f"A run with the id {run_id!r} exists already. Choose another id.")

    async def find(self, run_id: str) -> RunRecord:
        """Return the record of a run. Raises ``RunNotFoundError``."""
        record = await self._services.storage.find(run_id)
        if record is None:
            raise RunNotFoundError(f"There is no run {run_id!r} in this store; list() shows those there are.")
        return record

    async def look(self, definition: WorkflowDefinition[Any, Any], run_id: str) -> tuple[RunRecord, Progress]:
        """Return a run and where it stands, its steps in the order of ``definition``."""
        record = await self.find(run_id)
        if record.workflow != definition.name:
            raise WorkflowMismatchError(
                f"Run {run_id} belongs to workflow {record.workflow!r}, not to {definition.name!r}. "
                f"Pass workflow {record.workflow!r}, or the id of a run of {definition.name!r}."
            )
        progress = Progress(merged_steps(definition, stored_steps(record)))
        for entry in await self._services.storage.journal(run_id):
            progress.add(entry)
        return record, progress

    async def load(self, definition: WorkflowDefinition[Any, Any], run_id: str) -> tuple[RunRecord, Progress]:
        """Return a run that may be taken. Raises ``RunBusyError`` when somebody alive has it."""
        record, progress = await self.look(definition, run_id)
        self.check_free(record)
        return record, progress

    def check_free(self, record: RunRecord) -> None:
        """Raise ``RunBusyError`` when the run's owner is alive."""
        owner = None if record.owner is None else decode_owner(record.owner)
        if owner is None or is_gone(owner) or owner.engine == self._owner.engine:
            return  # a run of this engine that is not driven was left over by a failing store
        raise RunBusyError(
            f"Run {record.id} is in the hands of process {owner.pid} on {owner.host}, which is alive. "
            "Wait until it has ended, or end that process first."
        )

    async def take(
        self,
        definition: WorkflowDefinition[InputT, DataT],
        record: RunRecord,
        progress: Progress,
        *,
        meta: dict[str, Any],
        entry: JournalEntry | None = None,
        only: Sequence[str] | None = None,
    ) -> LiveRun[InputT, DataT]:
        """Make this engine the owner, and return the run ready to be driven.

        Raises ``RunBusyError`` when another engine was faster, and ``InvalidInputError`` when the stored
        input no longer fits the workflow.
        """
        value = definition.decode_input(record.input)
        try:
            fence = await self._services.storage.claim(record.id, fence=record.fence, owner=self.owner_text)
        except OwnershipLostError as error:
            raise RunBusyError(f"Run {record.id} was taken by another engine at this moment.") from error
        taken = replace(record, owner=self.owner_text, fence=fence)
        run = LiveRun(self._services, definition, taken, progress, input=value, only=only)
        run.start(meta, entry)
        return run

    async def drive(self, run: LiveRun[InputT, DataT]) -> FluxResult[DataT]:
        """Drive a run in a task of its own. Cancelling the caller interrupts it and awaits its release."""
        task = asyncio.ensure_future(run.drive())
        self._driven[run.id] = (run, task)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            del self._driven[run.id]
        if task.cancelled() and self._services.stopping:
            return run.result()
        return task.result()

    async def release_all(self, grace: float) -> None:
        """Let every run stop at its next step boundary; after ``grace`` seconds cancel what still runs."""
        for run, task in self._driven.values():
            if run.resting:
                task.cancel()
        tasks = [task for _, task in self._driven.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
