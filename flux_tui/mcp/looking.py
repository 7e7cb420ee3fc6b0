"""The tools that change nothing."""

import asyncio
from typing import Annotated, Any, Literal

from msgspec import convert
from pydantic import Field

from flux_engine import FluxEngine
from flux_engine.execution import RetryPlan, RunSummary
from flux_engine.trace.events import TraceEvent
from flux_engine.trace.reader import read_events
from flux_tui.cli.errors import UsageError
from flux_tui.cli.filtering import filter_of, filtered
from flux_tui.cli.retry import failed_step
from flux_tui.cli.step import step_json
from flux_tui.mcp import told
from flux_tui.mcp.guard import Guard
from flux_tui.mcp.workshop import Workshop
from flux_tui.model import parse
from flux_tui.model.masked import masked_logs

RunId = Annotated[str, Field(description="The id of a run, or its beginning.")]
Workflow = Annotated[str, Field(description="The name of a workflow, as list_workflows has it.")]
Step = Annotated[str, Field(description="The name of a step.")]
MaybeStep = Annotated[str | None, Field(description="The name of a step. Default: the one that failed.")]
Scope = Annotated[
    Literal["downstream", "only"],
    Field(description="'downstream': the step and all that depend on it; 'only': that step alone."),
]

_NAMES = 40


class Looking:
    """The tools of a workshop that only look."""

    def __init__(self, workshop: Workshop, guard: Guard) -> None:
        self._workshop = workshop
        self._guard = guard

    async def list_workflows(self) -> dict[str, Any]:
        """List the workflows of the project: name, module, steps. Modules are loaded anew if they changed."""
        loaded = await self._workshop.modules()
        workflows = [
            {
                "name": flow.name,
                "module": module.path,
                "variable": flow.variable,
                "description": flow.description.get("description") or "",
                "steps": [step["name"] for step in flow.description["steps"]],
                "stale": flow.name in loaded.stale,
            }
            for module in loaded.modules
            for flow in module.workflows
        ]
        broken = [module.path for module in loaded.modules if module.problem is not None]
        return {"workflows": workflows, "stale": list(loaded.stale), "modules_that_do_not_load": broken}

    async def describe_workflow(self, workflow: Workflow) -> dict[str, Any]:
        """Describe a workflow: its steps with options and sources, edges, and the schema of its input."""
        loaded = await self._workshop.modules()
        found = {flow.name: flow.description for module in loaded.modules for flow in module.workflows}
        if workflow not in found:
            there = ", ".join(sorted(found)[:_NAMES]) or "none"
            raise UsageError(f"no workflow {workflow!r} is loaded; there are: {there}. See reload_errors")
        return found[workflow]

    async def reload_errors(self) -> dict[str, Any]:
        """Load changed modules anew and tell which do not load: file:line:column, the line with a caret."""
        loaded = await self._workshop.modules()
        return {"ok": not told.problems(loaded.modules), "errors": told.problems(loaded.modules)}

    async def list_runs(
        self,
        filter: Annotated[  # noqa: A002 - the field's word
            str,
            Field(
                description="Terms separated by spaces, all of which must match: status:failed,interrupted "
                "workflow:order since:2h before:2026-11-01 took:>5s id:3f2a, or any text; !term inverts."
            ),
        ] = "",
        limit: Annotated[int, Field(ge=1, le=500)] = 20,
    ) -> dict[str, Any]:
        """List runs, newest first."""
        chosen = filter_of(filter)

        async def listed(engine: FluxEngine) -> list[RunSummary]:
            return await filtered(engine, chosen, None, (), limit)

        runs = await self._workshop.ask(listed) if self._workshop.settings.db.exists() else []
        return {"runs": [told.summary(run, self._workshop.secrets) for run in runs]}

    async def get_run(self, run_id: RunId) -> dict[str, Any]:
        """Show a run: status, steps, input, data, the error and where it was raised. Secrets are masked."""
        await self._workshop.modules()  # what they register as secret is masked
        return told.whole_run(await self._workshop.run_of(run_id), self._workshop.secrets)

    async def data_at_step(
        self,
        run_id: RunId,
        step: Step,
        keys: Annotated[list[str] | None, Field(description="Only these top-level keys.")] = None,
    ) -> dict[str, Any]:
        """Show the data that a step found and left, its output, changes and attempts. Secrets are masked."""
        await self._workshop.modules()
        state = await self._workshop.run_of(run_id)
        found = step_json(state, step, self._workshop.secrets)
        for side in ("data_before", "data_after"):
            data = found[side]
            found[side] = told.bounded(
                data if keys is None else {key: data[key] for key in keys if key in data}
            )
        shown = ("run", "workflow", "name", "status", "attempts", "reason", "data_before", "data_after")
        return {key: found[key] for key in shown} | {
            "output": told.bounded(found["output"]),
            "changed": sorted(found["changes"]["set"]),
            "deleted": found["changes"]["deleted"],
        }

    async def get_logs(
        self,
        run_id: RunId,
        step: Annotated[str | None, Field(description="Only what this step wrote.")] = None,
        limit: Annotated[int, Field(ge=1, le=2000)] = 200,
    ) -> dict[str, Any]:
        """Show the last lines that the handlers of a run printed and logged. Secrets are masked."""
        await self._workshop.modules()
        state = await self._workshop.run_of(run_id)
        events = await asyncio.to_thread(self._events, state.id)
        lines = [line for line in parse.logs(events) if step is None or line.step == step]
        shown = masked_logs(lines[-limit:], self._workshop.secrets)
        return {"lines": [{"step": line.step, "stream": line.stream, "text": line.text} for line in shown]}

    def _events(self, run_id: str) -> list[TraceEvent]:
        trace = self._workshop.settings.trace
        return (
            [event for event in read_events(trace) if event.workflow_id == run_id] if trace.is_file() else []
        )

    async def preview_retry(
        self, run_id: RunId, step: MaybeStep = None, scope: Scope = "downstream"
    ) -> dict[str, Any]:
        """Tell what retry_step would do: steps that run again, commits that are repeated, changed code."""
        found = await self.plan_of(run_id, step, scope)
        self._guard.tell(found)
        return told.plan(found)

    async def plan_of(self, run_id: str, step: str | None, scope: Literal["downstream", "only"]) -> RetryPlan:
        """Return the plan of a retry, of the failed step if none is named."""
        await self._workshop.modules()
        state = await self._workshop.run_of(run_id)
        found = await self._workshop.pool.preview_retry(
            state.name, state.id, step or failed_step(state), scope=scope
        )
        return convert(found, RetryPlan)
