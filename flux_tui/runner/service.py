"""What a loaded runner does: it starts runs on one engine, and tells how each of them went."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, assert_never

import msgspec

from flux_engine import FluxEngine
from flux_engine.errors import FluxError, InvalidInputError, RunNotFoundError
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.runner.capture import replaying
from flux_tui.runner.collect import Workflow
from flux_tui.runner.edited import edited_value, edited_values
from flux_tui.runner.messages import (
    Accepted,
    Breakpoints,
    Cancel,
    Command,
    Delete,
    Deleted,
    Drain,
    Ended,
    Fork,
    Load,
    Message,
    Pause,
    Plan,
    PreviewRetry,
    Refused,
    Replay,
    Replayed,
    Resume,
    Retry,
    Run,
    Signal,
    Started,
    Stop,
    WatchWaits,
)
from flux_tui.runner.replayed import packed
from flux_tui.runner.stops import Stops
from flux_tui.runner.trace import starting

Moving = Run | Retry | Resume | Signal | Fork
"""What sends a run on its way."""

Stopping = Cancel | Pause
Looking = PreviewRetry | Replay
Request = Moving | Stopping | Looking | Delete


class WorkflowNotFoundError(FluxError):
    """No workflow of this name is loaded."""


class RunnerService:
    """Answers commands. All of it runs on the event loop.

    ``report`` sends a message to the dashboard; ``working`` is told whether there are runs in hand.
    ``stops`` is what the engine asks whether a run pauses. ``trace`` writes an event that no engine tells.
    """

    def __init__(
        self,
        engine: FluxEngine,
        workflows: Mapping[str, Workflow],
        report: Callable[[Message], None],
        working: Callable[[bool], None],
        stops: Stops,
        *,
        trace: Callable[[TraceEvent], None],
    ) -> None:
        self._engine = engine
        self._workflows = workflows
        self._report = report
        self._working = working
        self._stops = stops
        self._trace = trace
        self._tasks: set[asyncio.Task[None]] = set()
        self._moving: set[str] = set()
        self._unasked: set[str] = set()
        self._reaching: set[asyncio.Task[Any]] = set()
        self._draining = False
        self._stopped = asyncio.Event()
        self._opening = asyncio.Lock()
        self._open = False

    async def serve(self) -> None:
        """Work until told to stop, or to drain; then hand back what is in hand and close the engine."""
        await self._watch_waits()
        await self._stopped.wait()
        await self._engine.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch_waits(self) -> None:
        """Watch the time-outs of the waits of suspended runs; a store that fails is told to whoever asks."""
        with contextlib.suppress(FluxError, OSError):
            await self._ready()
            await self._engine.watch_waits(self._workflows.values())

    def take(self, command: Command) -> None:
        """Take one command."""
        match command:
            case Stop():
                self._draining = True
                self._stopped.set()
            case Drain():
                self._draining = True
                self._stop_when_idle()
            case WatchWaits():
                self._keep(asyncio.create_task(self._watch_waits(), name="waits"))
            case Breakpoints():
                self._stops.put(command.stops)
            case Load():
                self._report(Refused(request=0, error="AlreadyLoaded", message="A runner loads once."))
            case (
                Run()
                | Retry()
                | Resume()
                | Signal()
                | Fork()
                | Cancel()
                | Pause()
                | PreviewRetry()
                | Replay()
                | Delete()
            ):
                if self._draining and not self._concerns_run_in_hand(command):
                    self._refuse(command, "RunnerDraining", "This runner takes no new work.")
                else:
                    self._spawn(command)
            case _:
                assert_never(command)

    def moved(self, event: TraceEvent) -> None:
        """Take note of a run that the engine has sent on its way by itself, and of its end.

        It does so when the wait of a suspended run has run out.
        """
        run_id = event.workflow_id
        if event.type == EventType.WORKFLOW_START:
            if run_id not in self._moving:
                self._moving.add(run_id)
                self._unasked.add(run_id)
                self._working(True)  # noqa: FBT003 - the only argument
                self._report(Started(request=0, run_id=run_id))
        elif run_id in self._unasked:
            self._moving.discard(run_id)
            self._unasked.discard(run_id)
            self._report(Ended(request=0, run_id=run_id, status=event.status or "interrupted"))
            self._look_for_work()

    def _concerns_run_in_hand(self, request: Request) -> bool:
        return isinstance(request, Signal | Cancel | Pause) and request.run_id in self._moving

    def _spawn(self, request: Request) -> None:
        self._keep(asyncio.create_task(self._answer(request), name=f"request {request.request}"))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        self._working(True)  # noqa: FBT003 - the only argument
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._look_for_work()

    def _look_for_work(self) -> None:
        if not self._tasks and not self._unasked:
            self._working(False)  # noqa: FBT003 - the only argument
        self._stop_when_idle()

    def _stop_when_idle(self) -> None:
        if self._draining and not self._tasks and not self._unasked:
            self._stopped.set()

    async def _answer(self, request: Request) -> None:
        try:
            await self._ready()
            if isinstance(request, Cancel | Pause):
                await self._stop(request)
            elif isinstance(request, Delete):
                await self._delete(request)
            else:
                await self._answer_of(self._workflow(request.workflow), request)
        except InvalidInputError as error:
            self._refuse(request, "InvalidInputError", str(error), error.problems)
        except Exception as error:  # noqa: BLE001 - told to whoever asked, with its type
            self._refuse(request, type(error).__qualname__, str(error))

    async def _ready(self) -> None:
        async with self._opening:
            if not self._open:
                await self._engine.init()
                self._open = True

    def _workflow(self, name: str) -> Workflow:
        found = self._workflows.get(name)
        if found is None:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise WorkflowNotFoundError(f"No workflow {name!r} is loaded; there are: {known}.")
        return found

    async def _answer_of(self, workflow: Workflow, request: Moving | Looking) -> None:
        if isinstance(request, PreviewRetry):
            await self._preview(workflow, request)
        elif isinstance(request, Replay):
            replaying.set(True)
            report = await self._engine.replay(workflow, request.run_id)
            self._report(Replayed(request=request.request, report=packed(report)))
        elif isinstance(request, Signal) and request.run_id in self._moving:
            await self._reach(self._signal(workflow, request))
            self._report(Started(request=request.request, run_id=request.run_id))
        else:
            await self._run(workflow, request)

    async def _stop(self, request: Stopping) -> None:
        """Ask a run to stop. One in hand is not waited for: it may take until the end of its step."""
        verb = self._engine.cancel if isinstance(request, Cancel) else self._engine.pause
        if request.run_id in self._moving:
            await self._reach(verb(request.run_id))
            status = "running"
        else:
            status = str((await verb(request.run_id)).status)
        self._report(Accepted(request=request.request, run_id=request.run_id, status=status))

    async def _reach(self, verb: Coroutine[Any, Any, Any]) -> None:
        """Begin a verb on a run that is in hand. What it raises at once goes through.

        The engine passes the request on at once and then waits for the run, whose end is reported to who
        sent it on its way.
        """
        task = asyncio.create_task(verb)
        self._reaching.add(task)
        task.add_done_callback(self._reached)
        await asyncio.sleep(0)
        if task.done():
            task.result()

    def _reached(self, task: asyncio.Task[Any]) -> None:
        self._reaching.discard(task)
        if not task.cancelled():
            task.exception()  # a later one is that of the run, which is reported with its end

    async def _preview(self, workflow: Workflow, request: PreviewRetry) -> None:
        plan = await self._engine.preview_retry(workflow, request.run_id, request.step, scope=request.scope)
        self._report(Plan(request=request.request, plan=msgspec.to_builtins(plan)))

    async def _delete(self, request: Delete) -> None:
        """Remove each run that nobody has in hand. Together they share the transactions of the store."""
        outcomes = await asyncio.gather(*map(self._engine.delete, request.run_ids), return_exceptions=True)
        pairs = list(zip(request.run_ids, outcomes, strict=True))
        deleted = [run_id for run_id, outcome in pairs if _is_gone(outcome)]
        refused = {run_id: str(outcome) for run_id, outcome in pairs if not _is_gone(outcome)}
        for run_id, outcome in pairs:
            if isinstance(outcome, RunNotFoundError):  # then only the trace knows of it
                self._trace(_deletion(run_id))
        self._report(Deleted(request=request.request, deleted=deleted, refused=refused))

    async def _run(self, workflow: Workflow, request: Moving) -> None:
        """Start the run and see it to its end. What is raised before it began goes through."""
        run_id = ""

        def began(started: str) -> None:
            nonlocal run_id
            if not run_id:
                run_id = started
                self._moving.add(run_id)
                self._report(Started(request=request.request, run_id=run_id))

        starting.set(began)
        try:
            with self._pace(request):
                result = await self._verb(workflow, request)
        except (Exception, asyncio.CancelledError) as error:
            if not run_id:
                raise
            told = "" if isinstance(error, asyncio.CancelledError) else f"{type(error).__qualname__}: {error}"
            self._report(Ended(request=request.request, run_id=run_id, status="interrupted", error=told))
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        finally:
            self._moving.discard(run_id)
        began(result.id)
        self._moving.discard(run_id)
        status = "interrupted" if result.status == "running" else str(result.status)
        self._report(Ended(request=request.request, run_id=run_id, status=status))

    def _pace(self, request: Moving) -> AbstractContextManager[None]:
        """Have the run stop behind its next steps while it is moved, if that is asked for."""
        if isinstance(request, Resume | Retry) and request.stepping and request.run_id not in self._moving:
            return self._stops.stepping(request.run_id)
        return nullcontext()

    def _verb(self, workflow: Workflow, request: Moving) -> Awaitable[Any]:
        match request:
            case Run():
                return self._engine.execute(workflow, request.input, run_id=request.run_id)
            case Fork():
                data = None if request.data is None else edited_values(request.data)
                return self._engine.fork(workflow, request.run_id, request.step, data=data)
            case Resume():
                data = None if request.data is None else edited_values(request.data)
                return self._engine.resume(
                    workflow, request.run_id, data=data, allow_changed=request.allow_changed
                )
            case Signal():
                return self._signal(workflow, request)
            case Retry():
                return self._engine.retry_step(
                    workflow,
                    request.run_id,
                    request.step,
                    scope=request.scope,
                    data=None if request.data is None else edited_values(request.data),
                    ignore_when=request.ignore_when,
                    keep_commits=request.keep_commits,
                    allow_changed=request.allow_changed,
                )
            case _:
                assert_never(request)

    def _signal(self, workflow: Workflow, request: Signal) -> Coroutine[Any, Any, Any]:
        payload = edited_value(request.payload)
        return self._engine.signal(
            workflow, request.run_id, request.name, payload, allow_changed=request.allow_changed
        )

    def _refuse(
        self, request: Request, error: str, message: str, problems: tuple[tuple[str, str], ...] = ()
    ) -> None:
        refusal = Refused(request=request.request, error=error, message=message, problems=list(problems))
        self._report(refusal)


def _deletion(run_id: str) -> TraceEvent:
    return TraceEvent(type=EventType.WORKFLOW_DELETE, timestamp=round(time.time() * 1000), workflow_id=run_id)


def _is_gone(outcome: BaseException | None) -> bool:
    """Say whether a run is deleted, be it by somebody else."""
    return outcome is None or isinstance(outcome, RunNotFoundError)
