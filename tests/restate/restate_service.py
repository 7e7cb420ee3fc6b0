"""Serving workflows to a Restate server from a test, and waiting for what becomes of their runs."""

import asyncio
import json
from typing import Any, Self

from hypercorn.asyncio import serve
from hypercorn.config import Config
from restate_server import RestateServer, free_port

from flux_engine import FluxSilentLogger, JsonFileTraceSink, WorkflowState
from flux_engine.integrations.restate import RestateClient, restate_app
from flux_engine.journal import workflow_state


class Services:
    """Services of one test. ``client`` reaches their runs, ``trace_file`` is what they write."""

    def __init__(self, server: RestateServer, folder) -> None:
        self.server = server
        self.client = RestateClient(server.admin_url, server.ingress_url)
        self.trace_file = folder / "trace.ndjson"
        self._stop = asyncio.Event()
        self._apps: dict[str, Any] = {}
        self._serving: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._serving:
            _, late = await asyncio.wait(self._serving, timeout=3.0)
            for task in late:
                task.cancel()

    async def serve(self, *workflows: Any, **options: Any) -> str:
        """Serve workflows and register them; return their address."""
        config = Config()
        config.bind = [f"127.0.0.1:{free_port()}"]
        config.loglevel = "CRITICAL"
        config.graceful_timeout = 0.2
        url = f"http://{config.bind[0]}"
        self.replace(url, *workflows, **options)

        async def app(scope, receive, send):
            await self._apps[url](scope, receive, send)

        self._serving.append(asyncio.ensure_future(serve(app, config, shutdown_trigger=self._stop.wait)))
        await self.register(url)
        return url

    def replace(self, url: str, *workflows: Any, **options: Any) -> None:
        """Serve other workflows at an address, as after a restart with changed code."""
        self._apps[url] = restate_app(
            workflows,
            **{
                "trace": JsonFileTraceSink(self.trace_file),
                "logger": FluxSilentLogger(),
                "default_retries": 0,
                **options,
            },
        )

    async def register(self, url: str, **options: Any) -> None:
        """Make the services at an address known, when they answer."""
        for _ in range(600):
            try:
                await self.client.register(url, **options)
            except Exception as error:
                last = error
                await asyncio.sleep(0.05)
            else:
                return
        raise last

    async def look(self, run_id: str) -> WorkflowState:
        """Return a run as it stands."""
        found = await self.client.run(run_id)
        return workflow_state(found.record, found.entries)

    async def until(self, run_id: str, *statuses: str) -> WorkflowState:
        """Wait until a run has one of these statuses, and for an ended one until its invocation has ended."""
        for _ in range(2000):
            found = await self.client.run(run_id)
            settled = not found.record.status.ended or found.invocation.ended
            if found.record.status in statuses and settled:
                return workflow_state(found.record, found.entries)
            if found.record.status.ended and settled:
                break
            await asyncio.sleep(0.05)
        raise AssertionError(
            f"run {run_id} is {found.record.status}: {found.record.error} {found.invocation}"
        )

    async def execute(self, workflow: str, value: Any = None, **options: Any) -> WorkflowState:
        """Start a run, and wait until it has ended."""
        run_id = await self.client.start(workflow, value, **options)
        return await self.until(run_id, "completed", "failed", "cancelled")

    def events(self, run_id: str | None = None) -> list[dict[str, Any]]:
        """Return the events of the trace."""
        lines = self.trace_file.read_text().splitlines() if self.trace_file.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if run_id in (None, event["workflowId"])]

    def kinds(self, run_id: str) -> list[tuple[str, str | None]]:
        """Return type and step of a run's events."""
        return [(event["type"], event.get("stepName")) for event in self.events(run_id)]
