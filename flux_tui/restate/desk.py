"""What the dashboard works with on a Restate server: runs are read and moved through its own APIs."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from flux_engine.errors import FluxError, InvalidInputError
from flux_engine.integrations.restate import RestateClient, RestateWorkflow
from flux_tui.address import StoreAddress
from flux_tui.desk import Desk
from flux_tui.feed.store import StoreFeed
from flux_tui.model.run import RunView
from flux_tui.news import Change
from flux_tui.restate.store import RestateStore
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import ModuleInfo, WorkflowInfo
from flux_tui.runners import Runners
from flux_tui.settings import Settings
from flux_tui.verbs import AnyRun, signal_key

DEFINITIONS: Final = 2.0
"""Seconds between two looks at the workflows that are served."""

LOOKS: Final = (0.25, 1.0)
"""Seconds between two looks at the runs, while some are on their way and else: each asks the server."""

Answer = TypeVar("Answer")


class RestateDesk(Desk):
    """The workflows that services have registered at a server, and their runs.

    ``trace`` is a trace that those services write, if this host has it; without one, logs are not shown.
    """

    on_restate = True

    def __init__(
        self,
        settings: Settings,
        client: RestateClient,
        url: str,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._served: list[RestateWorkflow] | None = None
        super().__init__(replace(settings, db=StoreAddress(dsn=url)), (), read_only=read_only, clock=clock)

    def _new_store(self) -> StoreFeed:
        return StoreFeed(self.settings.db, opening=lambda _: RestateStore(self._client), looks=LOOKS)

    def _new_runners(self, paths: Sequence[Path]) -> Runners | None:
        del paths
        return None  # Restate calls the services

    async def start(self) -> None:
        """Begin to follow the runs and the workflows that are served."""
        self.become(note="looking for workflows…")
        await super().start()
        self._tasks.spawn(self._follow_definitions())

    async def run(self, workflow: str, input: Any) -> str:  # noqa: A002 - the field's word
        """Start a run; return its id when Restate has accepted it."""
        run_id = await self._ask(self._client.start(workflow, input))
        self._inputs.remember(workflow, input)
        return self._told(run_id)

    async def signal(self, run: RunView, name: str, payload: Any, *, allow_changed: bool = False) -> str:
        """Send a signal that a run waits for; whether its workflow has changed, its service knows."""
        del allow_changed
        await self._ask(self._client.signal(run.id, name, payload, workflow=run.workflow))
        if run.step(name) is None:
            self._inputs.remember(signal_key(run.workflow, name), payload)
        return self._told(run.id)

    async def cancel(self, run: AnyRun) -> str:
        """Ask Restate to end a run."""
        await self._ask(self._client.cancel(run.id, workflow=run.workflow))
        self._told(run.id)
        return "running"

    async def fork(self, run: RunView, step: str, *, data: dict[str, Any] | None = None) -> str:
        """Start a new run at a step of another one."""
        return self._told(await self._ask(self._client.fork(run.id, step, data=data, workflow=run.workflow)))

    async def _ask(self, request: Awaitable[Answer]) -> Answer:
        """Wait for an answer. Raises ``RunnerRefused`` as a runner's would be."""
        self.stay_busy()
        try:
            return await request
        except InvalidInputError as error:
            raise RunnerRefused("InvalidInputError", str(error), tuple(error.problems)) from None
        except FluxError as error:
            raise RunnerRefused(type(error).__qualname__, str(error)) from None

    def _told(self, run_id: str) -> str:
        self.stay_busy()
        self.tell(Change(runs=frozenset({run_id})))
        return run_id

    async def _follow_definitions(self) -> None:
        while True:
            try:
                version = await self._client.version()
                served = await self._client.workflows()
                if served != self._served:
                    self._take_definitions(served, version, await self._client.deployments())
            except FluxError as error:
                if self._served is None:
                    self.become(note=str(error).splitlines()[0])
            await asyncio.sleep(DEFINITIONS)

    def _take_definitions(
        self, served: list[RestateWorkflow], version: str, addresses: Mapping[str, str]
    ) -> None:
        self._served = served
        modules: dict[str, list[WorkflowInfo]] = defaultdict(list)
        for flow in served:
            info = WorkflowInfo(name=flow.name, variable="", description=dict(flow.description))
            where = addresses.get(flow.deployment, flow.deployment) or "Restate"
            modules[where.removeprefix("http://").rstrip("/")].append(info)
        found = [ModuleInfo(path=path, workflows=flows) for path, flows in sorted(modules.items())]
        self.definitions = self.definitions.loaded(found)
        self.become(runner="ready", note=f"Restate {version}")
