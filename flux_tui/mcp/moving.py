"""The tools that start runs, send them on and stop them."""

from typing import Annotated, Any

from pydantic import Field

from flux_tui.mcp import told
from flux_tui.mcp.guard import Guard
from flux_tui.mcp.looking import Looking, MaybeStep, RunId, Scope, Step, Workflow
from flux_tui.mcp.workshop import Workshop

Wait = Annotated[
    float,
    Field(ge=0, le=3600, description="Seconds to wait for the run to end, pause or suspend."),
]
Data = Annotated[
    dict[str, Any] | None, Field(description="Merged over the data that the step finds; recorded as an edit.")
]
AllowChanged = Annotated[
    bool, Field(description="Go on though steps before the starting point have changed since.")
]


class Moving:
    """The tools of a workshop that write. All of them answer with the run as it stands then."""

    def __init__(self, workshop: Workshop, looking: Looking, guard: Guard) -> None:
        self._workshop = workshop
        self._looking = looking
        self._guard = guard

    async def run_workflow(
        self,
        workflow: Workflow,
        input: Annotated[  # noqa: A002 - the field's word
            Any, Field(description="As the input schema of describe_workflow has it.")
        ] = None,
        wait_seconds: Wait = 30.0,
    ) -> dict[str, Any]:
        """Start a run of a workflow, with the code as it is saved now."""
        await self._workshop.modules()
        run_id = await self._workshop.pool.run(workflow, {} if input is None else input)
        return await self._outcome(run_id, wait_seconds)

    async def retry_step(
        self,
        run_id: RunId,
        *,
        step: MaybeStep = None,
        scope: Scope = "downstream",
        data: Data = None,
        keep_commits: Annotated[
            bool, Field(description="Use the recorded results of completed commits behind the step.")
        ] = False,
        confirm_repeated_commits: Annotated[
            bool, Field(description="Repeat completed commits, after their plan was told.")
        ] = False,
        allow_changed: AllowChanged = False,
        wait_seconds: Wait = 30.0,
    ) -> dict[str, Any]:
        """Run a step again with the data it had before it, and go on from there, with the code as it is now.

        When completed commits would be repeated, nothing is done and the plan is told; only then can it be
        confirmed.
        """
        plan = await self._looking.plan_of(run_id, step, scope)
        if not keep_commits:
            self._guard.check_retry(plan, confirmed=confirm_repeated_commits)
        state = await self._workshop.run_of(run_id)
        self._workshop.begins(state.id)
        await self._workshop.pool.retry(
            state.name,
            state.id,
            plan.step,
            scope=scope,
            data=data,
            keep_commits=keep_commits,
            allow_changed=allow_changed,
        )
        return await self._outcome(state.id, wait_seconds)

    async def resume(
        self,
        run_id: RunId,
        *,
        data: Data = None,
        allow_changed: AllowChanged = False,
        wait_seconds: Wait = 30.0,
    ) -> dict[str, Any]:
        """Go on with an interrupted, paused or failed run from its first step that is not done."""
        await self._workshop.modules()
        state = await self._workshop.run_of(run_id)
        self._workshop.begins(state.id)
        await self._workshop.pool.resume(state.name, state.id, data=data, allow_changed=allow_changed)
        return await self._outcome(state.id, wait_seconds)

    async def signal(
        self,
        run_id: RunId,
        name: Annotated[str, Field(description="The signal that the run waits for, as get_run tells.")],
        payload: Annotated[Any, Field(description="Becomes the output of the step that waits.")] = None,
        *,
        allow_changed: AllowChanged = False,
        wait_seconds: Wait = 30.0,
    ) -> dict[str, Any]:
        """Send a signal to a suspended run, which goes on with it.

        A commit in doubt waits for a signal with its own name and the payload "done" or "again".
        """
        await self._workshop.modules()
        state = await self._workshop.run_of(run_id)
        self._workshop.begins(state.id)
        await self._workshop.pool.signal(state.name, state.id, name, payload, allow_changed=allow_changed)
        return await self._outcome(state.id, wait_seconds)

    async def pause(self, run_id: RunId) -> dict[str, Any]:
        """Stop a run before its next step; resume goes on with it."""
        await self._workshop.modules()
        state = await self._workshop.run_of(run_id)
        await self._workshop.pool.pause(state.id)
        return await self._looking.get_run(state.id)

    async def cancel(
        self, run_id: RunId, *, confirm: Annotated[bool, Field(description="Really end it.")] = False
    ) -> dict[str, Any]:
        """End a run for good. Only with confirm=true."""
        state = await self._workshop.run_of(run_id)
        self._guard.check_cancel(state.id, confirmed=confirm)
        await self._workshop.modules()
        await self._workshop.pool.cancel(state.id)
        return await self._looking.get_run(state.id)

    async def fork(
        self, run_id: RunId, step: Step, data: Data = None, wait_seconds: Wait = 30.0
    ) -> dict[str, Any]:
        """Start a new run at a step of another one, with the data that step was given there."""
        await self._workshop.modules()
        state = await self._workshop.run_of(run_id)
        new = await self._workshop.pool.fork(state.name, state.id, step, data=data)
        return await self._outcome(new, wait_seconds)

    async def _outcome(self, run_id: str, seconds: float) -> dict[str, Any]:
        """Wait for the run, and return it; ``still_running`` says that it goes on meanwhile."""
        ended = await self._workshop.ended(run_id, seconds)
        found = told.whole_run(await self._workshop.run_of(run_id), self._workshop.secrets)
        if ended is None:
            found |= {"still_running": True, "what_to_do": "get_run tells later how it went"}
        elif ended:
            found["left_because"] = self._workshop.secrets.text(ended)
        return found
