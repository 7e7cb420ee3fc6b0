"""Controlling runs from outside: signals, pause, cancel, recovery, and waits that run out."""

import asyncio
from collections.abc import Iterable
from typing import Any

from flux_engine.arguments import Workflow, as_definition
from flux_engine.codec import encode
from flux_engine.definition import DataT, InputT, WorkflowDefinition
from flux_engine.engine_parts import EngineParts
from flux_engine.errors import FluxError
from flux_engine.execution import RunStatus, WorkflowState
from flux_engine.journal import stored_steps, waiting_of, workflow_state
from flux_engine.large_values import read_journal
from flux_engine.plan import check_goes_on, check_verdict, check_waits, check_wakes
from flux_engine.result import FluxResult
from flux_engine.running.custody import ask
from flux_engine.running.deadlines import Deadline
from flux_engine.running.live_run import Request


class RunControl(EngineParts):
    """The part of ``FluxEngine`` that reaches into runs."""

    async def signal(
        self,
        workflow: Workflow[InputT, DataT],
        run_id: str,
        name: str,
        payload: Any = None,
        *,
        allow_changed: bool = False,
    ) -> FluxResult[DataT]:
        """Send a signal to the step that waits for it, and go on with the run.

        The payload becomes the step's output and ``ctx.signals[name]``. A commit in doubt that is held
        (``on_crash="hold"``) waits for a signal with the name of the step: ``"done"`` says that it was done,
        ``"again"`` runs it again.

        Raises:
            SignalMismatchError: the run waits, but for signals of other names.
            InvalidTransitionError: the run does not wait; a signal that was sent already is one such case.
            RunBusyError: the run moves and does not wait for this signal yet; send it again later.
            SerializationError: the payload cannot be stored.
            DefinitionChangedError: the step that waits is gone, or those before it have changed;
                ``allow_changed`` goes on all the same.
            RunNotFoundError, WorkflowMismatchError.
        """
        definition = as_definition(workflow)
        text = encode(payload, root="payload")
        await self.init()
        in_hand = await self._custody.in_motion(run_id)
        if in_hand is not None:
            run, task = in_hand
            check_waits(run_id, run.status, run.waiting_signals(), name, in_hand=True)
            check_verdict(run.progress, name, payload)
            run.deliver(name, text)
            await asyncio.wait([task])
            return run.result()
        async with self._custody.of(run_id):
            record, progress = await self._custody.load(definition, run_id)
            check_waits(run_id, record.status, progress.waiting_signals(), name)
            check_verdict(progress, name, payload)
            step = progress.waiting_signals()[name]
            check_wakes(definition, stored_steps(record), step, allow_changed=allow_changed)
            meta = {"resume": True, "fromStep": step, "signal": name}
            taken = await self._custody.take(definition, record, progress, meta=meta)
            taken.deliver(name, text)
            return await self._custody.drive(taken)

    async def pause(self, run_id: str) -> WorkflowState:
        """Stop a run before its next step; ``resume`` goes on with it.

        Returns the run when it has stopped. A run in the hands of another process is asked to stop, and
        returned as it is now. Raises ``RunNotFoundError``, and ``InvalidTransitionError`` when the run is
        not moving.
        """
        return await self._stop(run_id, "pause", RunStatus.PAUSED)

    async def cancel(self, run_id: str) -> WorkflowState:
        """End a run: the step under way is cancelled, and nothing further is begun.

        Returns the run when it has ended. A run in the hands of another process is asked to, and returned
        as it is now. Raises ``RunNotFoundError``, and ``InvalidTransitionError`` when it has ended before.
        """
        return await self._stop(run_id, "cancel", RunStatus.CANCELLED)

    def hand_back(self, workflow: Workflow[Any, Any], idempotency_key: str) -> bool:
        """Let go of a run that this engine drives, at its next step boundary, or at once while it only waits.

        The ``execute`` that drives it returns with the status ``running``. The run stays so in the store, in
        nobody's hands: ``execute`` with the same key, ``resume`` and ``recover`` go on with it, here or
        elsewhere. Returns whether this engine has a run of this workflow with this key in hand.
        """
        return self._custody.release(as_definition(workflow).name, idempotency_key)

    async def _stop(self, run_id: str, request: Request, status: RunStatus) -> WorkflowState:
        await self.init()
        in_hand = await self._custody.in_motion(run_id)
        if in_hand is not None:
            ask(*in_hand, request)
            await asyncio.wait([in_hand[1]])
        else:
            await self._custody.stop(run_id, request, status)
        record = await self._custody.find(run_id)
        entries = await read_journal(self._storage, run_id)
        return workflow_state(record, entries, now=self._clock.now())

    async def recover(self, workflows: Iterable[Workflow[Any, Any]]) -> list[str]:
        """Take over the runs of these workflows whose owner is gone, and go on with them in the background.

        Returns their ids. A run whose steps before the place where it stands have changed is left alone, and
        logged. Suspended runs are watched again for the time-outs of their waits. ``close`` hands
        back what is not done.
        """
        await self.init()
        definitions = [as_definition(workflow) for workflow in workflows]
        taken: list[str] = []
        for definition in definitions:
            for record in await self._custody.abandoned_runs(definition.name):
                taken += [record.id] if await self._go_on(definition, record.id) else []
        await self.watch_waits(definitions)
        return taken

    async def watch_waits(self, workflows: Iterable[Workflow[Any, Any]]) -> None:
        """Watch the time-outs of the waits of suspended runs, without taking over any run before its time.

        An engine watches those of the runs it has suspended itself; after a restart this, or ``recover``,
        lets it know of the others. When several engines watch a wait, one of them ends it.
        """
        await self.init()
        for workflow in workflows:
            for deadline in await self._custody.open_waits(as_definition(workflow)):
                self._deadlines.add(deadline)

    async def _go_on(self, definition: WorkflowDefinition[Any, Any], run_id: str) -> bool:
        """Take over an abandoned run in the background; return whether this engine got it."""
        try:
            async with self._custody.of(run_id):
                record, progress = await self._custody.load(definition, run_id)
                if record.status is not RunStatus.RUNNING:  # it came to rest since it was listed
                    return False
                check_goes_on(definition, stored_steps(record), progress)
                meta = {"resume": True, "fromStep": progress.current_step(), "recovered": True}
                run = await self._custody.take(definition, record, progress, meta=meta)
        except FluxError as error:
            self._services.logger.warning(f"run {run_id} was not recovered: {error}")
            return False
        self._custody.drive_in_background(run)
        return True

    async def _expire(self, deadline: Deadline) -> None:
        """Fail a step that has waited too long, unless its signal has come meanwhile."""
        in_hand = await self._custody.in_motion(deadline.run_id)
        if in_hand is not None:
            in_hand[0].expire(deadline.step)
            return
        try:
            async with self._custody.of(deadline.run_id):
                record, progress = await self._custody.load(deadline.definition, deadline.run_id)
                waiting = waiting_of(progress.steps[deadline.step].last)
                if waiting is None or waiting.until is None or waiting.until > self._clock.now():
                    return
                check_wakes(deadline.definition, stored_steps(record), deadline.step)
                meta = {"resume": True, "fromStep": deadline.step, "expired": True}
                run = await self._custody.take(deadline.definition, record, progress, meta=meta)
                run.expire(deadline.step)
        except FluxError as error:
            self._services.logger.warning(f"the wait of run {deadline.run_id} could not be ended: {error}")
            return
        self._custody.drive_in_background(run)
