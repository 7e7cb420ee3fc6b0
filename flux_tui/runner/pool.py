"""The dashboard's runners: one that serves, a warm spare, and old ones that finish what they have in hand."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flux_engine.secrets import registered
from flux_tui.runner.client import RunnerProcess
from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.member import Member, Role, RunnerRefused
from flux_tui.runner.messages import (
    PROTOCOL,
    Accepted,
    Blocked,
    Breakpoints,
    Deleted,
    Ended,
    Hello,
    Load,
    Loaded,
    Loading,
    Output,
    Plan,
    Refused,
    Replayed,
    Report,
    Secrets,
    Started,
    WatchWaits,
)
from flux_tui.runner.pool_events import (
    PoolEvent,
    Reloaded,
    RunBegan,
    RunEnded,
    RunnerDied,
    RunnerRestarted,
    StillLoading,
)
from flux_tui.runner.requests import Requests
from flux_tui.runner.routes import Routes, crash_module

STILL_LOADING_SECONDS = 5.0
ABANDON_SECONDS = 0.5
SETTLE_SECONDS = 2.0
FIRST_LOAD_SECONDS = 20.0
MAX_CRASHING_MODULES = 3
QUICK_DEATH_SECONDS = 5.0
MAX_QUICK_DEATHS = 3


class RunnerPool(Requests):
    """Keeps runners, and gives each run to the one that has its workflow's last good code.

    Everything is called on one event loop, and ``on_event`` is called there too.
    """

    def __init__(self, config: RunnerConfig, on_event: Callable[[PoolEvent], None]) -> None:
        super().__init__()
        self._config = config
        self._emit = on_event
        self._members: dict[RunnerProcess, Member] = {}
        self._routes = Routes()
        self._spare: asyncio.Task[Member] | None = None
        self._loader: Member | None = None
        self._loaded: asyncio.Future[Loaded | None] | None = None
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._crashing: dict[str, str] = {}
        self._requested_at = 0.0
        self._restarting = False
        self._quick_deaths = 0
        self._breakpoints = Breakpoints(stops={})

    # What the dashboard asks

    async def start(self) -> None:
        """Start the first runner and let it load; ``Reloaded`` tells when new runs are possible."""
        self._spawn_spare()
        await self.reload()
        self._supervisor = asyncio.create_task(self._supervise(), name="runner pool")

    async def reload(self) -> None:
        """Ask for the modules to be loaded anew, and return at once. Several requests may share one load."""
        self._crashing.clear()
        self._quick_deaths = 0
        self._want()

    async def restart(self) -> None:
        """Kill every runner that has loaded user code, whatever it does, and start afresh."""
        self._restarting = True
        self._crashing.clear()
        self._quick_deaths = 0
        for member in list(self._members.values()):
            if member.role is not Role.SPARE:
                member.dismiss()
        self._want()

    async def stop(self) -> None:
        """End all runners; runs in hand are handed back at a step boundary, within the grace."""
        for task in (self._supervisor, self._spare):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        for member in self._members.values():
            member.turn(Role.DISMISSED)
        await asyncio.gather(*(process.stop(self._config.grace) for process in list(self._members)))

    def stop_before(self, breakpoints: Mapping[str, Iterable[str]]) -> None:
        """Stop all runs before these steps, by workflow, and before no others from now on."""
        self._breakpoints = Breakpoints(stops={name: sorted(steps) for name, steps in breakpoints.items()})
        for member in self._members.values():
            if member.role in (Role.LOADING, Role.SERVING, Role.DRAINING):
                member.process.send(self._breakpoints)

    @property
    def runs_in_hand(self) -> tuple[str, ...]:
        """The ids of the runs that the runners move now."""
        return tuple(run_id for member in self._members.values() for run_id in member.in_hand)

    @property
    def is_outdated(self) -> bool:
        """Whether the modules were asked to be loaded anew while they were being loaded."""
        return self._wanted.is_set()

    @property
    def is_loading(self) -> bool:
        """Whether the modules are being loaded."""
        return not self._settled.is_set()

    # Requests

    def _holder(self, run_id: str) -> Member | None:
        return next((member for member in self._members.values() if run_id in member.in_hand), None)

    async def _any_member(self) -> Member:
        await self._settle(SETTLE_SECONDS)
        current = None if self._routes.current is None else self._members.get(self._routes.current)
        serving = (member for member in self._members.values() if member.role is Role.SERVING)
        member = current or next(serving, None)
        if member is None:
            raise RunnerRefused("RunnerDied", "No runner is ready: it is starting, or has died.")
        return member

    async def _settle(self, seconds: float) -> None:
        """Give a load under way its chance to end."""
        if not self._settled.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), seconds)

    async def _member_for(self, workflow: str) -> Member:
        """Find who has the workflow, after a load under way has had its chance to end.

        It has longer when nobody has the workflow yet: on a slow machine the first load takes some seconds.
        """
        await self._settle(SETTLE_SECONDS)
        if self._routes.runner_of(workflow) is None:
            await self._settle(FIRST_LOAD_SECONDS)
        process = self._routes.runner_of(workflow)
        member = self._members.get(process) if process is not None else None
        if member is None:
            known = ", ".join(self._routes.names) or "none"
            why = "The modules are still loading." if self.is_loading else f"Loaded workflows: {known}."
            raise RunnerRefused("WorkflowNotFoundError", f"No workflow {workflow!r} is loaded. {why}")
        return member

    # Loading

    def _want(self) -> None:
        self._requested_at = time.monotonic()
        self._settled.clear()
        self._wanted.set()

    async def _supervise(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._load()
            except OSError as error:
                self._emit(RunnerDied(description=f"No runner can be started: {error}", output=""))
            if not self._wanted.is_set():
                self._settled.set()

    async def _load(self) -> None:
        """Load in the spare and switch to it; a module that ends the runner is left out the next time."""
        while True:
            member = await self._take_spare()
            self._loader = member
            self._loaded = asyncio.get_running_loop().create_future()
            member.turn(Role.LOADING)
            paths, skip = list(self._config.paths), list(self._crashing)
            load = Load(paths=paths, skip=skip, owners=self._routes.owners, db=self._config.told)
            member.process.send(load)
            member.process.send(self._breakpoints)
            if member.process.has_ended:
                self._end_load(member, None)
            loaded = await self._outcome(member, self._loaded)
            if loaded is not None:
                self._switch(member, loaded)
                return
            if self._wanted.is_set() or member.role is Role.DISMISSED or not self._leave_out(member):
                return

    async def _outcome(self, member: Member, loaded: "asyncio.Future[Loaded | None]") -> Loaded | None:
        """Wait for the end of a load. One that takes long is given up for a newer request."""
        again = asyncio.ensure_future(self._wanted.wait())
        try:
            await _first(loaded, again, timeout=STILL_LOADING_SECONDS)
            if not member.loading_path:  # the process itself took its time to start
                await _first(loaded, again, timeout=STILL_LOADING_SECONDS)
            if not loaded.done() and not again.done():
                waited = time.monotonic() - member.since
                self._emit(StillLoading(path=member.loading_path, seconds=waited))
                await _first(loaded, again)
            if not loaded.done():
                chance = ABANDON_SECONDS - (time.monotonic() - member.since)
                await asyncio.wait({loaded}, timeout=max(0.0, chance))
        finally:
            again.cancel()
        if loaded.done():
            return loaded.result()
        member.dismiss()
        return None

    def _leave_out(self, member: Member) -> bool:
        """Take note of the module that ended the runner; return whether to try again without it."""
        words, path = member.process.exit_words, member.loading_path
        during = f"while it imported {path}" if path else "before it could load anything"
        description = f"The runner ended {during}: {words}."
        self._emit(RunnerDied(description=description, output=member.process.output))
        if not path or path in self._crashing or len(self._crashing) >= MAX_CRASHING_MODULES:
            return False
        self._crashing[path] = words
        return True

    def _switch(self, member: Member, loaded: Loaded) -> None:
        member.turn(Role.SERVING)
        modules = (*loaded.modules, *(crash_module(path, words) for path, words in self._crashing.items()))
        self._routes = self._routes.after(member.process, modules)
        if self._restarting:
            self._restarting = False
            self._emit(RunnerRestarted())
        milliseconds = (time.monotonic() - self._requested_at) * 1000
        files = tuple(sorted({*loaded.files, *self._crashing}))
        stale = self._routes.stale(member.process)
        self._emit(Reloaded(modules=modules, milliseconds=milliseconds, files=files, stale=stale))
        for other in list(self._members.values()):
            if other.role is Role.SERVING and other is not member and not self._routes.uses(other.process):
                other.drain()
        self._spawn_spare()

    def _spawn_spare(self) -> None:
        if self._spare is None:
            self._spare = asyncio.create_task(self._spawn(), name="warm spare")

    async def _take_spare(self) -> Member:
        task, self._spare = self._spare, None
        if task is not None:
            member = await task
            if not member.process.has_ended:
                return member
        return await self._spawn()

    async def _spawn(self) -> Member:
        process = await RunnerProcess.spawn(self._config, self)
        return self._members.setdefault(process, Member(process))

    # What runners report

    def reported(self, runner: RunnerProcess, report: Report) -> None:
        """Take a report of a runner."""
        member = self._members.setdefault(runner, Member(runner))
        match report:
            case Hello():
                self._greeted(member, report)
            case Loading():
                member.loading_path = report.path
            case Loaded():
                self._end_load(member, report)
            case Started() | Accepted() | Plan() | Replayed() | Deleted() | Refused():
                member.answered(report)
                if isinstance(report, Started) and not report.request:
                    self._emit(RunBegan(run_id=report.run_id))
            case Ended():
                self._run_ended(member, report)
            case Secrets():
                registered.add(report.values)
            case Output():
                self._emit(report)
            case Blocked():
                member.blocked = report if report.seconds else None
                self._emit(report)

    def ended(self, runner: RunnerProcess) -> None:
        """Take note of a runner's end, and replace it when it was needed."""
        member = self._members.pop(runner, None)
        if member is None:
            return
        member.died()
        was_blocked, member.blocked = member.blocked, None
        if was_blocked is not None:
            self._emit(Blocked(seconds=0, run_id=was_blocked.run_id, step=was_blocked.step))
        self._end_load(member, None)
        if member.role is Role.SERVING or (member.role is Role.DRAINING and member.in_hand):
            self._mourn(member)
        else:
            for run_id in member.in_hand:
                self._emit(RunEnded(run_id=run_id, status="interrupted"))

    def _run_ended(self, member: Member, report: Ended) -> None:
        """Take a run out of hand. The wait of one that an old runner suspends is watched by the others."""
        member.run_ended(report)
        if report.status == "suspended" and member.role is Role.DRAINING:
            for other in self._members.values():
                if other.role is Role.SERVING:
                    other.process.send(WatchWaits())
        self._emit(RunEnded(run_id=report.run_id, status=report.status, error=report.error))

    def _greeted(self, member: Member, hello: Hello) -> None:
        if hello.protocol == PROTOCOL:
            return
        member.dismiss()
        description = (
            f"The runner speaks version {hello.protocol} of the protocol, this dashboard {PROTOCOL}. "
            "Flux was probably updated meanwhile: close the dashboard and start it again."
        )
        self._emit(RunnerDied(description=description, output=""))
        self._end_load(member, None)

    def _end_load(self, member: Member, loaded: Loaded | None) -> None:
        if self._loader is member and self._loaded is not None and not self._loaded.done():
            self._loaded.set_result(loaded)

    def _mourn(self, member: Member) -> None:
        was_needed = member.role is Role.SERVING
        lived = time.monotonic() - member.since
        runs = tuple(member.in_hand)
        words = member.process.exit_words
        is_current = was_needed and self._routes.current is member.process
        self._routes = self._routes.without(member.process)
        replaced = is_current and self._may_replace(lived, had_runs=bool(runs))
        hint = "" if replaced or not is_current else " A save or a restart starts another one."
        description = f"The runner ended: {words}.{hint}"
        self._emit(RunnerDied(description=description, output=member.process.output, run_ids=runs))
        if replaced:
            self._restarting = True
            self._want()

    def _may_replace(self, lived: float, *, had_runs: bool) -> bool:
        """Say whether to start again at once: not when runners keep dying with nothing to do."""
        if had_runs or lived > QUICK_DEATH_SECONDS:
            self._quick_deaths = 0
        else:
            self._quick_deaths += 1
        return self._quick_deaths < MAX_QUICK_DEATHS


async def _first(*futures: "asyncio.Future[Any]", timeout: float | None = None) -> None:  # noqa: ASYNC109
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
