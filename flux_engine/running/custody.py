"""Who may move a run: taking it in hand, driving it, letting it go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from msgspec.structs import replace

from flux_engine.definition import DataT, InputT, WorkflowDefinition
from flux_engine.errors import (
    FluxError,
    InvalidTransitionError,
    OwnershipLostError,
    RunBusyError,
    RunExistsError,
    RunNotFoundError,
    WorkflowMismatchError,
)
from flux_engine.execution import RunStatus
from flux_engine.journal import INTERRUPTED, Progress, decode_error, progress_of, stored_steps, waiting_of
from flux_engine.large_values import read_journal
from flux_engine.ledger import Ledger
from flux_engine.masked import check_unmasked, is_masked
from flux_engine.plan import check_goes_on, merged_steps
from flux_engine.result import FluxResult
from flux_engine.running.deadlines import Deadline
from flux_engine.running.live_run import LiveRun, Request
from flux_engine.running.ownership import decode_owner, is_gone, this_owner
from flux_engine.running.services import Services
from flux_engine.storage.base import JournalEntry, RunQuery, RunRecord, RunRow, RunWrite
from flux_engine.transitions import transition


class Custody:
    """The runs that one engine has in hand.

    ``owner_text`` is what it writes into the owner column of its runs.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._owner = this_owner()
        self.owner_text = self._owner.encode()
        self._taken: set[str] = set()
        self._driven: dict[str, tuple[LiveRun[Any, Any], asyncio.Task[Any]]] = {}
        self._stranded: list[LiveRun[Any, Any]] = []
        self._renewing: asyncio.Task[None] | None = None

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

    def lease_until(self) -> float:
        """Return until when a run that is written now stays with this engine, unheard of."""
        return self._services.clock.now() + self._services.lease

    def in_hand(self, run_id: str) -> tuple[LiveRun[Any, Any], asyncio.Task[Any]] | None:
        """Return a run that this engine drives at the moment, and its task."""
        return self._driven.get(run_id)

    async def in_motion(self, run_id: str) -> tuple[LiveRun[Any, Any], asyncio.Task[Any]] | None:
        """Return a run that this engine drives and that can be reached into; await one that is concluding."""
        while (found := self._driven.get(run_id)) is not None and found[0].concluding:
            await asyncio.wait([found[1]])
            await asyncio.sleep(0)  # whoever drives it takes note of its end
        return found

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
        """Return a run and where it stands, its steps in the order of ``definition``.

        Raises ``RunNotFoundError``, ``WorkflowMismatchError`` and ``MaskedRunError``.
        """
        record = await self.find(run_id)
        if record.workflow != definition.name:
            raise WorkflowMismatchError(
                f"Run {run_id} belongs to workflow {record.workflow!r}, not to {definition.name!r}. "
                f"Pass workflow {record.workflow!r}, or the id of a run of {definition.name!r}."
            )
        check_unmasked(record)
        progress = Progress(merged_steps(definition, stored_steps(record)))
        for entry in await read_journal(self._services.storage, run_id):
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
        if record.lease_until is not None and record.lease_until < self._services.clock.now():
            return
        raise RunBusyError(
            f"Run {record.id} is in the hands of process {owner.pid} on {owner.host}, which is alive. "
            "Wait until it has ended, or end that process first; a process that hangs loses it in time."
        )

    async def _claim(self, record: RunRecord) -> int:
        try:
            return await self._services.storage.claim(
                record.id, fence=record.fence, owner=self.owner_text, lease_until=self.lease_until()
            )
        except OwnershipLostError as error:
            raise RunBusyError(f"Run {record.id} was taken by another engine at this moment.") from error

    async def take(
        self,
        definition: WorkflowDefinition[InputT, DataT],
        record: RunRecord,
        progress: Progress,
        *,
        meta: dict[str, Any],
        entry: JournalEntry | None = None,
        edit: JournalEntry | None = None,
        only: Sequence[str] | None = None,
    ) -> LiveRun[InputT, DataT]:
        """Make this engine the owner, and return the run ready to be driven.

        ``entry`` sends the run back; ``edit`` only changes the data that a step finds.

        Raises ``RunBusyError`` when another engine was faster, or the former owner still moved the run, and
        ``InvalidInputError`` when the stored input no longer fits the workflow.
        """
        definition.decode_input(record.input)
        taken = replace(record, owner=self.owner_text, fence=await self._claim(record))
        if record.owner is not None:
            await self._check_unmoved(definition, taken, progress)
        run = LiveRun(self._services, definition, taken, progress, only=only)
        run.ledger.begin_with([] if edit is None else [edit])
        run.start(meta, entry)
        return run

    async def _check_unmoved(
        self, definition: WorkflowDefinition[Any, Any], taken: RunRecord, progress: Progress
    ) -> None:
        """Raise ``RunBusyError`` when the former owner wrote between the look at the run and the claim.

        An owner whose lease has ended can be alive. Now that the claim is made it writes no more; what it
        wrote before must not be run again.
        """
        current, now = await self.look(definition, taken.id)
        if (current.status, now.standing()) == (taken.status, progress.standing()):
            return
        await self._put_back(current)
        raise RunBusyError(f"Run {taken.id} was still moved by its former owner at this moment. Try again.")

    async def _put_back(self, claimed: RunRecord) -> None:
        """Let go of a run that was claimed, and leave it as it stands."""
        await self._services.storage.save(
            RunWrite(
                run_id=claimed.id,
                fence=claimed.fence,
                status=claimed.status,
                updated_at=claimed.updated_at,
                completed_at=claimed.completed_at,
                current_step=claimed.current_step,
                error=claimed.error,
                error_summary=claimed.error_summary,
            )
        )

    def adopt(
        self,
        definition: WorkflowDefinition[InputT, DataT],
        record: RunRecord,
        entries: Sequence[JournalEntry],
        *,
        meta: dict[str, Any] | None = None,
    ) -> LiveRun[InputT, DataT]:
        """Return a new run, not stored yet, that begins with these entries."""
        self.check_unused(record.id)
        progress = Progress(merged_steps(definition, ()))
        definition.decode_input(record.input)
        run = LiveRun(self._services, definition, record, progress, is_new=True)
        run.ledger.begin_with(entries)
        run.start(meta)
        return run

    async def rejoin(
        self, definition: WorkflowDefinition[InputT, DataT], record: RunRecord
    ) -> FluxResult[DataT]:
        """Return a run as it stands: awaited when it is in hand, gone on with when it was abandoned."""
        in_hand = self.in_hand(record.id)
        if in_hand is not None:
            run, task = in_hand
            await asyncio.wait([task])
            return run.result()
        record, progress = await self.look(definition, record.id)
        if record.status is RunStatus.RUNNING and self._is_free(record):
            async with self.of(record.id):
                check_goes_on(definition, stored_steps(record), progress)
                meta = {"resume": True, "fromStep": progress.current_step()}
                taken = await self.take(definition, record, progress, meta=meta)
                return await self.drive(taken)
        seen = LiveRun(self._services, definition, record, progress)
        seen.ledger.error = decode_error(record.error)
        return seen.result()

    async def stop(self, run_id: str, request: Request, status: RunStatus) -> None:
        """Pause or cancel a run that this engine does not drive; its living owner is asked to."""
        async with self.of(run_id):
            record = await self.find(run_id)
            transition(record.status, status)
            try:
                self.check_free(record)
            except RunBusyError:
                await self._services.storage.request(run_id, request)
                return
            await self._claim(record)
            taken = replace(await self.find(run_id), owner=self.owner_text)  # its former owner writes no more
            try:
                transition(taken.status, status)
            except InvalidTransitionError:
                await self._put_back(taken)
                raise
            progress = progress_of(taken, await read_journal(self._services.storage, run_id))
            ledger = Ledger(self._services, taken, progress, graph=record.graph, is_new=False)
            kind = "Cancelled" if request == "cancel" else INTERRUPTED
            ledger.cancel_attempts(kind, f"the run was {status}", waiting=request == "cancel")
            ledger.end(status, duration=0.0, data=None)
            await ledger.commit(release=True)

    async def abandoned_runs(self, workflow: str) -> list[RunRecord]:
        """Return the runs of a workflow that count as running though nobody has them in hand."""
        found: list[RunRecord] = []
        for row in await self._all(workflow, RunStatus.RUNNING):
            record = await self._services.storage.find(row.id)
            if record is None or record.status is not RunStatus.RUNNING or is_masked(record):
                continue
            if self._is_free(record):
                found.append(record)
        return [record for record in found if self.in_hand(record.id) is None]

    async def open_waits(self, definition: WorkflowDefinition[Any, Any]) -> list[Deadline]:
        """Return when the waits of suspended runs of a workflow run out."""
        deadlines: list[Deadline] = []
        for row in await self._all(definition.name, RunStatus.SUSPENDED):
            for entry in await read_journal(self._services.storage, row.id):
                waiting = waiting_of(entry)
                if waiting is not None and waiting.until is not None and entry.step in definition.names:
                    deadlines.append(Deadline(waiting.until, row.id, entry.step, definition))
        return deadlines

    async def _all(self, workflow: str, status: RunStatus) -> list[RunRow]:
        rows: list[RunRow] = []
        while True:
            before = (rows[-1].created_at, rows[-1].id) if rows else None
            query = RunQuery(workflow=workflow, statuses=(status,), before=before, limit=500)
            page = await self._services.storage.list(query)
            rows += page
            if len(page) < query.limit:
                return rows

    def _is_free(self, record: RunRecord) -> bool:
        try:
            self.check_free(record)
        except RunBusyError:
            return False
        return True

    def _begin(self, run: LiveRun[InputT, DataT]) -> "asyncio.Task[FluxResult[DataT]]":
        task = asyncio.ensure_future(run.drive())
        self._driven[run.id] = (run, task)
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.ensure_future(self._renew())
        return task

    async def _renew(self) -> None:
        """Extend the leases of the runs in hand, and hear what others ask of them."""
        while self._driven:
            await asyncio.sleep(self._services.lease / 6)
            if not self._driven:
                return
            try:
                asked = await self._services.storage.renew(self.owner_text, self.lease_until())
            except FluxError as error:
                self._services.logger.warning(f"the leases could not be renewed: {error}")
                continue
            for run_id, request in asked.items():
                if run_id in self._driven:
                    ask(*self._driven[run_id], request)
            await self._let_go_of_stranded()

    async def _let_go_of_stranded(self) -> None:
        """Release the runs that could not be: else their leases would last as long as there are others."""
        with suppress(FluxError):  # the next time, then
            while self._stranded:
                await self._stranded[-1].let_go()
                self._stranded.pop()

    def drive_in_background(self, run: LiveRun[Any, Any]) -> None:
        """Drive a run without anybody waiting for it. What goes wrong is logged."""
        task = self._begin(run)
        task.add_done_callback(lambda ended: self._ended_in_background(run.id, ended))

    def _ended_in_background(self, run_id: str, task: asyncio.Task[Any]) -> None:
        self._put_down(run_id)
        self._log_failure(run_id, task)

    def _put_down(self, run_id: str) -> None:
        found = self._driven.pop(run_id, None)
        if found is not None and found[0].stranded:
            self._stranded.append(found[0])

    def _log_failure(self, run_id: str, task: asyncio.Task[Any]) -> None:
        """Tell what nobody waits for any more."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._services.logger.error(f"run {run_id}: {type(error).__qualname__}: {error}")

    async def drive(self, run: LiveRun[InputT, DataT]) -> FluxResult[DataT]:
        """Drive a run in a task of its own. Cancelling the caller interrupts it and awaits its release."""
        caller = asyncio.current_task()
        before = 0 if caller is None else caller.cancelling()
        task = self._begin(run)
        try:
            result = await task  # a cancellation of the caller is passed on to it
        except BaseException:
            if caller is not None and caller.cancelling() > before:
                self._log_failure(run.id, task)
                raise asyncio.CancelledError from None
            if task.cancelled() and (run.released or self._services.stopping):
                return run.result()
            raise
        finally:
            self._put_down(run.id)
        if caller is not None and caller.cancelling() > before:
            raise asyncio.CancelledError
        return result

    def release(self, workflow: str, key: str) -> bool:
        """Let the run with this key stop at its next step boundary; return whether it is in hand."""
        for run, task in self._driven.values():
            if (run.workflow, run.idempotency_key) == (workflow, key):
                run.release()
                if run.resting:
                    task.cancel()
                return True
        return False

    async def release_all(self, grace: float) -> None:
        """Let every run stop at its next step boundary; after ``grace`` seconds cancel what still runs."""
        if self._renewing is not None:
            self._renewing.cancel()
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


def ask(run: LiveRun[Any, Any], task: asyncio.Task[Any], request: str) -> None:
    """Pass a request on to a run that is driven: a pause waits for the next boundary, a cancel does not."""
    run.ask("cancel" if request == "cancel" else "pause")
    if request == "cancel" or run.resting:
        task.cancel()
