"""Where a workflow runs: an engine with a store, or a Restate server, behind the same few verbs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from restate_service import Services

from flux_engine import FluxEngine, FluxSilentLogger, JsonFileTraceSink, RunNotFoundError, WorkflowState
from flux_engine.storage.base import WorkflowStorage

OPTIONS: dict[str, Any] = {"default_retries": 0, "default_timeout": 20.0}
ENDED = ("completed", "failed", "cancelled")


class OnEngine:
    """Runs on an engine of this process. ``flow`` is what runs."""

    def __init__(self, engine: FluxEngine, flow: Any, trace_file: Path) -> None:
        self.engine = engine
        self._flow = flow
        self._trace_file = trace_file
        self._begun: list[asyncio.Task[Any]] = []

    async def start(self, value: Any, run_id: str) -> None:
        """Start a run, without waiting for it."""
        self._begun.append(asyncio.create_task(self.engine.execute(self._flow, value, run_id=run_id)))

    async def start_keyed(self, value: Any, key: str) -> str:
        """Start a run with an idempotency key; return its id."""
        return (await self.engine.execute(self._flow, value, idempotency_key=key)).id

    async def signal(self, run_id: str, name: str, payload: Any) -> None:
        """Send a signal."""
        await self.engine.signal(self._flow, run_id, name, payload)

    async def cancel(self, run_id: str) -> None:
        """Ask a run to end."""
        await self.engine.cancel(run_id)

    async def fork(self, run_id: str, step: str, data: dict[str, Any]) -> str:
        """Begin a new run at a step of this one; return its id."""
        return (await self.engine.fork(self._flow, run_id, step, data=data)).id

    async def until(self, run_id: str, *statuses: str) -> WorkflowState:
        """Wait until the run has one of these statuses."""

        async def look() -> WorkflowState | None:
            try:
                found = await self.engine.get(run_id)
            except RunNotFoundError:
                return None  # its task has not begun
            return found if found.status in statuses else None

        if self._begun and "suspended" not in statuses:
            await asyncio.wait(self._begun)
        return await until(look, f"{run_id} to be {statuses}")

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Return what the trace tells of a run."""
        return events_of(self._trace_file, run_id)

    async def close(self) -> None:
        """Let the runs come to their ends."""
        await asyncio.gather(*self._begun, return_exceptions=True)


class OnRestate:
    """Runs on a Restate server, served by this process."""

    def __init__(self, services: Services, flow: Any) -> None:
        self._services = services
        self._flow = flow
        self.client = services.client

    async def start(self, value: Any, run_id: str) -> None:
        """Start a run, without waiting for it."""
        await self.client.start(self._flow.name, value, run_id=run_id)

    async def start_keyed(self, value: Any, key: str) -> str:
        """Start a run with an idempotency key; return its id when it has ended."""
        run_id = await self.client.start(self._flow.name, value, idempotency_key=key)
        await self.until(run_id, *ENDED)
        return run_id

    async def signal(self, run_id: str, name: str, payload: Any) -> None:
        """Send a signal."""
        await self.client.signal(run_id, name, payload)

    async def cancel(self, run_id: str) -> None:
        """Ask a run to end."""
        await self.client.cancel(run_id)

    async def fork(self, run_id: str, step: str, data: dict[str, Any]) -> str:
        """Begin a new run at a step of this one; return its id."""
        return await self.client.fork(run_id, step, data=data)

    async def until(self, run_id: str, *statuses: str) -> WorkflowState:
        """Wait until the run has one of these statuses."""
        return await self._services.until(run_id, *statuses)

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Return what the trace tells of a run."""
        return self._services.events(run_id)


async def until(look: Callable[[], Any], what: str) -> Any:
    """Look until there is something to see."""
    for _ in range(2000):
        found = look()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def events_of(file: Path, run_id: str) -> list[dict[str, Any]]:
    """Return the events of a run in a trace file."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [event for event in map(json.loads, lines) if event["workflowId"] == run_id]


@asynccontextmanager
async def on_engine(storage: WorkflowStorage, flow: Any, folder: Path) -> AsyncIterator[OnEngine]:
    """Open an engine on a store."""
    file = folder / "engine.ndjson"
    async with FluxEngine(
        storage=storage, trace=JsonFileTraceSink(file), logger=FluxSilentLogger(), **OPTIONS
    ) as engine:
        place = OnEngine(engine, flow, file)
        yield place
        await place.close()
