"""Finding runs in the store, by the beginning of their id."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from flux_engine import FluxEngine
from flux_engine.errors import RunNotFoundError
from flux_engine.execution import RunSummary, WorkflowState
from flux_tui.cli.errors import UsageError
from flux_tui.server import is_empty
from flux_tui.settings import Settings
from flux_tui.workspace import open_for_looking

Value = TypeVar("Value")

_PAGE: Final = 500
_SHOWN: Final = 5
_GLANCE: Final = 2.0


def store_exists(settings: Settings) -> bool:
    """Say whether there is a store to look into; looking never makes one."""
    return settings.db.exists() and not (settings.db.is_server and is_empty(settings.db, _GLANCE))


def no_store(settings: Settings) -> UsageError:
    """Return what is said where there is no store."""
    return UsageError(f"there is no store at {settings.db}: no run was made here, or it is elsewhere (--db)")


def in_store(settings: Settings, ask: Callable[[FluxEngine], Awaitable[Value]]) -> Value:
    """Ask an engine that only reads the project's store."""

    async def answer() -> Value:
        async with open_for_looking(settings) as engine:
            return await ask(engine)

    return asyncio.run(answer())


def run_of(settings: Settings, beginning: str) -> WorkflowState:
    """Return the run whose id is, or begins with, ``beginning``.

    Raises ``UsageError`` when there is none, or more than one.
    """
    if not store_exists(settings):
        raise no_store(settings)

    return in_store(settings, lambda engine: find_run(engine, beginning))


async def find_run(engine: FluxEngine, beginning: str) -> WorkflowState:
    """Return the run whose id is, or begins with, ``beginning``. Raises ``UsageError`` as ``run_of``."""
    try:
        return await engine.get(beginning)
    except RunNotFoundError:
        pass
    found = await engine.list(id_prefix=beginning, limit=_PAGE)
    return await engine.get(_only(beginning, found))


def _only(beginning: str, runs: list[RunSummary]) -> str:
    if not runs:
        raise UsageError(f"no run has an id that begins with {beginning!r}. See: flux runs list")
    if len(runs) > 1:
        some = "".join(f"\n  {run.id}  {run.name}  {run.status}" for run in runs[:_SHOWN])
        more = f"\n  and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
        many = f"{len(runs)}{' or more' if len(runs) == _PAGE else ''}"
        raise UsageError(f"{many} runs have an id that begins with {beginning!r}:{some}{more}")
    return runs[0].id
