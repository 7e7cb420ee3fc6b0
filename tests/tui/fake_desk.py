"""A desk without files and processes, for tests of the screen: what it has is put there by the test."""

import itertools
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from flux_engine.errors import DefinitionChangedError
from flux_engine.execution import RetryPlan
from flux_engine.replay_report import ReplayReport
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.desk import Desk
from flux_tui.feed.trace import TraceNews
from flux_tui.model.run import RunView
from flux_tui.model.tally import Tally, count, tally
from flux_tui.news import Change, DeskState
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import Deleted, ModuleInfo, Problem, WorkflowInfo
from flux_tui.settings import Settings
from flux_tui.verbs import AnyRun

NOW = 1_767_225_600.0
"""The time on the desk's clock, in seconds."""


def described(name: str, *steps: str, commit: str = "") -> dict[str, Any]:
    """Return what ``describe()`` says of a workflow that is a chain of steps."""
    return {
        "name": name,
        "steps": [{"name": step, "index": at, "commit": step == commit} for at, step in enumerate(steps)],
        "edges": [list(pair) for pair in itertools.pairwise(steps)],
        "input_schema": {"type": "object", "properties": {}},
    }


def module(name: str, *workflows: dict[str, Any], problem: Problem | None = None) -> ModuleInfo:
    """Return a module as the runner reports it."""
    infos = [WorkflowInfo(name=each["name"], variable="flow", description=each) for each in workflows]
    return ModuleInfo(path=f"/shop/{name}", workflows=infos, problem=problem)


class FakeDesk(Desk):
    """A desk that does nothing but remember what was asked of it, in ``asked``."""

    def __init__(self, **options: Any) -> None:
        settings = Settings(project=Path("/shop"), **options.pop("settings", {})).anchored()
        super().__init__(settings, [], clock=lambda: NOW, **options)
        self.asked: list[tuple[Any, ...]] = []
        self.plan: RetryPlan | None = None
        self.refused: dict[str, str] = {}
        self.changed: set[str] = set()
        self.replays: dict[str, Awaitable[ReplayReport]] = {}
        self._tallies: dict[str, Tally] = {}
        self._unread.clear()

    async def start(self) -> None:
        """Start nothing."""

    async def stop(self) -> None:
        """Stop nothing."""

    def look_at(self, run_id: str) -> None:
        """Say that the run is there."""
        self.tell(Change(runs=frozenset({run_id})))

    def load(self, *modules: ModuleInfo) -> None:
        """Load modules, as a ready runner."""
        self.definitions = self.definitions.loaded(list(modules))
        self.state = DeskState(runner="ready")
        self.tell(Change())

    def trace(self, *events: TraceEvent) -> None:
        """Take events, as if the trace had them."""
        rows = []
        for event in events:
            kept = self._tallies.setdefault(event.workflow_id, tally(event))
            count(kept, event)
            rows.append(kept.row())
        self._take_trace(TraceNews(events=list(events), rows=rows))

    async def run(self, workflow: str, input: Any) -> str:  # noqa: A002
        """Remember it."""
        self.asked.append(("run", workflow, input))
        return "run-new"

    async def preview(self, run: AnyRun, step: str, *, scope: str = "downstream") -> RetryPlan:
        """Return the plan of the test, or one that repeats nothing."""
        return self.plan or RetryPlan(run_id=run.id, step=step, scope=scope, runs_again=(step,), kept=())

    async def fork(self, run: RunView, step: str, *, data: dict[str, Any] | None = None) -> str:
        """Remember it."""
        self.asked.append(("fork", run.id, step, data))
        return "run-new"

    async def replay(self, run: RunView) -> ReplayReport:
        """Return what the test has for it."""
        return await self.replays[run.id]

    async def delete(self, run_ids: Sequence[str]) -> Deleted:
        """Remember it."""
        self.asked.append(("delete", *run_ids))
        return Deleted(request=1, deleted=list(run_ids))

    async def retry(self, run: AnyRun, step: str, **options: Any) -> str:
        """Remember it, unless the test has it refused."""
        if run.id in self.refused:
            raise RunnerRefused("RunBusyError", self.refused[run.id])
        self.asked.append(("retry", run.id, step, options["scope"], options["data"]))
        return run.id

    async def resume(self, run: AnyRun, **options: Any) -> str:
        """Remember it."""
        self.asked.append(("resume", run.id, options.get("data"), options.get("stepping", False)))
        return run.id

    async def signal(self, run: RunView, name: str, payload: Any, *, allow_changed: bool = False) -> str:
        """Remember it, unless the test has the workflow of the run changed."""
        if run.id in self.changed and not allow_changed:
            found = "Workflow 'claim' has changed (added: check)."
            error = DefinitionChangedError(found, added=["check"], removed=(), moved=())
            raise RunnerRefused("DefinitionChangedError", str(error))
        self.asked.append(("signal", run.id, name, payload))
        return run.id

    async def cancel(self, run: AnyRun) -> str:
        """Remember it."""
        self.asked.append(("cancel", run.id))
        return "running"

    async def pause(self, run: RunView) -> str:
        """Remember it."""
        self.asked.append(("pause", run.id))
        return "running"


def started(run_id: str, workflow: dict[str, Any], *, ago: float = 10.0) -> TraceEvent:
    """Return the start of a run, ``ago`` seconds before now."""
    return TraceEvent(
        type=EventType.WORKFLOW_START,
        timestamp=(NOW - ago) * 1000,
        workflow_id=run_id,
        workflow_name=workflow["name"],
        graph={"steps": workflow["steps"], "edges": workflow["edges"]},
        input={},
    )


def step_events(start: TraceEvent, steps: Sequence[str], *, fails: str = "") -> list[TraceEvent]:
    """Return the events of steps one after the other, 100 ms each; ``fails`` ends the run."""
    events = []
    at = start.timestamp
    common: dict[str, Any] = {"workflow_id": start.workflow_id, "workflow_name": start.workflow_name}
    for index, name in enumerate(steps):
        step = common | {"step_name": name, "step_index": index, "attempt": 1, "retries": 0, "max_retries": 0}
        events.append(TraceEvent(type=EventType.STEP_START, timestamp=at, **step))
        at += 100
        if name == fails:
            error = "ValueError: the box is too small"
            events.append(
                TraceEvent(type=EventType.STEP_ERROR, timestamp=at, duration=100, error=error, **step)
            )
            events.append(
                TraceEvent(
                    type=EventType.WORKFLOW_ERROR, timestamp=at, error=error, status="failed", **common
                )
            )
            break
        changes = {"set": {name: index}, "deleted": []}
        events.append(
            TraceEvent(type=EventType.STEP_COMPLETE, timestamp=at, duration=100, changes=changes, **step)
        )
    return events


def completed(start: TraceEvent, *, took: float = 300.0) -> TraceEvent:
    """Return the end of a run that completed."""
    return TraceEvent(
        type=EventType.WORKFLOW_COMPLETE,
        timestamp=start.timestamp + took,
        workflow_id=start.workflow_id,
        workflow_name=start.workflow_name,
        status="completed",
        duration=took,
    )
