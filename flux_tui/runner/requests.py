"""What can be asked of the runners: each request goes to the one that can answer it."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from flux_tui.runner.member import Answer, Member, RunnerRefused
from flux_tui.runner.messages import (
    Accepted,
    Cancel,
    Delete,
    Deleted,
    Fork,
    Message,
    Pause,
    Plan,
    PreviewRetry,
    Replay,
    Replayed,
    Resume,
    Retry,
    Run,
    Scope,
    Signal,
    Started,
)


class Requests(ABC):
    """The requests of a ``RunnerPool``. All raise ``RunnerRefused`` for what cannot be done."""

    def __init__(self) -> None:
        self._requests = itertools.count(1)

    @abstractmethod
    async def _member_for(self, workflow: str) -> Member:
        """Find who has the workflow, after a load under way has had its chance to end."""

    @abstractmethod
    def _holder(self, run_id: str) -> Member | None:
        """Return who has a run in hand, be it an old runner."""

    @abstractmethod
    async def _any_member(self) -> Member:
        """Find a runner for what concerns no workflow, as ``_member_for`` does."""

    async def run(self, workflow: str, input: Any, *, run_id: str | None = None) -> str:  # noqa: A002 - the field's word
        """Start a run and return its id when it exists."""
        number = next(self._requests)
        command = Run(request=number, workflow=workflow, input=input, run_id=run_id)
        return await self._begin(workflow, number, command)

    async def retry(
        self,
        workflow: str,
        run_id: str,
        step: str,
        *,
        scope: Scope = "downstream",
        data: dict[str, Any] | None = None,
        ignore_when: bool = False,
        keep_commits: bool = False,
        stepping: bool = False,
        allow_changed: bool = False,
    ) -> str:
        """Retry a run from a step; return its id when it moves again."""
        number = next(self._requests)
        command = Retry(
            request=number,
            workflow=workflow,
            run_id=run_id,
            step=step,
            scope=scope,
            data=data,
            ignore_when=ignore_when,
            keep_commits=keep_commits,
            stepping=stepping,
            allow_changed=allow_changed,
        )
        return await self._begin(workflow, number, command)

    async def resume(
        self,
        workflow: str,
        run_id: str,
        *,
        data: dict[str, Any] | None = None,
        stepping: bool = False,
        allow_changed: bool = False,
    ) -> str:
        """Go on with an interrupted or paused run; return its id when it moves again."""
        number = next(self._requests)
        command = Resume(
            request=number,
            workflow=workflow,
            run_id=run_id,
            data=data,
            stepping=stepping,
            allow_changed=allow_changed,
        )
        return await self._begin(workflow, number, command)

    async def signal(
        self, workflow: str, run_id: str, name: str, payload: Any = None, *, allow_changed: bool = False
    ) -> str:
        """Send a signal to a run that waits for it; return its id when it has been delivered.

        Values of the payload that JSON has not are in the tagged form of the codec.
        """
        number = next(self._requests)
        command = Signal(
            request=number,
            workflow=workflow,
            run_id=run_id,
            name=name,
            payload=payload,
            allow_changed=allow_changed,
        )
        if await self._asked_of_holder(run_id, number, command) is None:
            await (await self._member_for(workflow)).ask(number, command)
        return run_id

    async def cancel(self, run_id: str) -> str:
        """End a run; return the status it has now: one in hand is asked to, and ``running`` for a while."""
        number = next(self._requests)
        return await self._stop(run_id, number, Cancel(request=number, run_id=run_id))

    async def pause(self, run_id: str) -> str:
        """Stop a run before its next step; return the status it has now, as ``cancel``."""
        number = next(self._requests)
        return await self._stop(run_id, number, Pause(request=number, run_id=run_id))

    async def preview_retry(
        self, workflow: str, run_id: str, step: str, *, scope: Scope = "downstream"
    ) -> dict[str, Any]:
        """Return what a retry would do: a ``RetryPlan`` as a dict."""
        number = next(self._requests)
        command = PreviewRetry(request=number, workflow=workflow, run_id=run_id, step=step, scope=scope)
        answer = await (await self._member_for(workflow)).ask(number, command)
        return answer.plan if isinstance(answer, Plan) else {}

    async def fork(self, workflow: str, run_id: str, step: str, *, data: dict[str, Any] | None = None) -> str:
        """Start a new run at a step of another one; return its id when it exists."""
        number = next(self._requests)
        command = Fork(request=number, workflow=workflow, run_id=run_id, step=step, data=data)
        return await self._begin(workflow, number, command)

    async def replay(self, workflow: str, run_id: str) -> dict[str, Any]:
        """Run the plain steps of a run again, as the code is now; return what came of it as JSON."""
        number = next(self._requests)
        command = Replay(request=number, workflow=workflow, run_id=run_id)
        answer = await (await self._member_for(workflow)).ask(number, command, patience=None)
        return answer.report if isinstance(answer, Replayed) else {}

    async def delete(self, run_ids: Sequence[str]) -> Deleted:
        """Remove runs from the store; return which are gone, and why others are not."""
        number = next(self._requests)
        answer = await (await self._any_member()).ask(number, Delete(request=number, run_ids=list(run_ids)))
        return answer if isinstance(answer, Deleted) else Deleted(request=number, deleted=[])

    async def _begin(self, workflow: str, number: int, command: Message) -> str:
        answer = await (await self._member_for(workflow)).ask(number, command)
        return answer.run_id if isinstance(answer, Started) else ""

    async def _stop(self, run_id: str, number: int, command: Cancel | Pause) -> str:
        """Ask the runner that has the run in hand, else any: to stop a run, nobody needs its workflow."""
        answer = await self._asked_of_holder(run_id, number, command)
        return _status_in(answer or await (await self._any_member()).ask(number, command))

    async def _asked_of_holder(self, run_id: str, number: int, command: Message) -> Answer | None:
        """Ask the runner that has the run in hand, be it an old one; ``None`` when none has it."""
        holder = self._holder(run_id)
        if holder is None:
            return None
        try:
            return await holder.ask(number, command)
        except RunnerRefused as refused:
            if refused.error != "RunnerDraining":  # else the run has left it at this moment
                raise
            return None


def _status_in(answer: Answer) -> str:
    return answer.status if isinstance(answer, Accepted) else "running"
