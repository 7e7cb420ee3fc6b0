"""``flux runs recover``: going on with every run whose process has died."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Final

import typer

from flux_engine import FluxConsoleLogger, FluxEngine, RunStatus
from flux_engine.errors import FluxError
from flux_engine.execution import RunSummary
from flux_tui.cli.definitions import workflow_paths
from flux_tui.cli.errors import RUN_FAILED, told
from flux_tui.cli.lookup import store_exists
from flux_tui.cli.options import Db, Json, Retries, Trace, Workflows, settings_with
from flux_tui.cli.terminal import Look, look_of, user_code_prints_to_stderr
from flux_tui.model.text import printable
from flux_tui.runner.collect import Workflow
from flux_tui.runner.loader import load_modules
from flux_tui.settings import Settings
from flux_tui.workspace import open_engine

PAGE: Final = 500
AT_ONCE: Final = 4


def recover(
    *,
    workflows: Workflows = None,
    db: Db = None,
    trace: Trace = None,
    retries: Retries = None,
    as_json: Json = False,
) -> None:
    """Go on with every interrupted run, each from its first step that is not done.

    The exit code is 1 when one of them fails or cannot go on.
    """
    settings = settings_with(db=db, trace=trace, default_retries=retries)
    look = look_of(sys.stderr, ascii_only=settings.ascii)
    found: dict[str, str] = {}
    with user_code_prints_to_stderr() as data:
        if store_exists(settings):
            paths = workflow_paths(workflows, settings)
            loaded = load_modules(paths, root=settings.project).workflows
            found = asyncio.run(_recover_all(settings, loaded, look))
        if not found:
            typer.echo("no run is interrupted", err=True)
        if as_json:
            data.write(json.dumps(found, indent=2) + "\n")
    ended_well = all(status not in ("failed", "interrupted") for status in found.values())
    raise typer.Exit(0 if ended_well else RUN_FAILED)


async def _recover_all(settings: Settings, loaded: Mapping[str, Workflow], look: Look) -> dict[str, str]:
    """Return how each run stands afterwards."""
    found: dict[str, str] = {}
    turns = asyncio.Semaphore(AT_ONCE)
    async with open_engine(settings, logger=FluxConsoleLogger()) as engine:

        async def go_on(run: RunSummary) -> None:
            async with turns:
                found[run.id], said = await _resume(engine, loaded.get(run.name), run)
            line = f"{look.glyph(found[run.id])} {printable(run.name)}  {run.id}  {found[run.id]}{said}"
            typer.echo(line, err=True)

        await asyncio.gather(*map(go_on, await _interrupted(engine)))
    return found


async def _resume(engine: FluxEngine, workflow: Workflow | None, run: RunSummary) -> tuple[str, str]:
    if workflow is None:
        return "interrupted", f": no module here defines {printable(run.name)}"
    try:
        result = await engine.resume(workflow, run.id)
    except FluxError as error:
        return "interrupted", f": {told(error)}"
    said = "" if result.error is None else f": {printable(str(result.error))}"
    return str(result.status), said


async def _interrupted(engine: FluxEngine) -> list[RunSummary]:
    found: list[RunSummary] = []
    page = await engine.list(status=RunStatus.RUNNING, limit=PAGE)
    while page:
        found += [run for run in page if run.interrupted]
        more = len(page) == PAGE
        page = await engine.list(status=RunStatus.RUNNING, before=page[-1], limit=PAGE) if more else []
    return found
