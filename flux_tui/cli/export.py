"""``flux export``: a run as one file."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.trace.reader import read_events
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.lookup import run_of
from flux_tui.cli.masking import known_secrets
from flux_tui.cli.options import Db, Json, RunId, Trace, settings_with
from flux_tui.feed.store import StoreFeed
from flux_tui.model.export import export_run, places
from flux_tui.model.run import RunView
from flux_tui.private_file import write_new
from flux_tui.settings import Settings

SERVER_SECONDS: Final = 15.0


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "export",
        epilog=epilog(
            "flux export 3f2a9c",
            "flux export 3f2a9c --out bug.flux",
            "flux-tui bug.flux",
            "flux import bug.flux",
        ),
    )(export)


def export(
    run: RunId,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE|-", help="The file. Default: WORKFLOW-ID.flux")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Leave the secrets in it.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that exists.")] = False,
    db: Db = None,
    trace: Trace = None,
    as_json: Json = False,
) -> None:
    """Write a run to one file that flux-tui opens read-only anywhere, without its secrets.

    flux import makes a run of it again, which goes on if no value had to be masked, or with --reveal.
    """
    settings = settings_with(db=db, trace=trace)
    run_id = run_of(settings, run).id
    view = asyncio.run(_view(settings, run_id))
    events = _events(settings.trace, run_id)
    secrets = None if reveal else known_secrets(settings)
    made = export_run(view, events, secrets, project=settings.project, now=time.time() * 1000)
    if out is not None and str(out) == "-":
        if as_json:
            raise UsageError("--out - writes the run itself to standard output: leave --json out")
        sys.stdout.buffer.write(made.content)
        return
    path = out or Path(made.name)
    try:
        write_new(path, made.content, replace=force)
    except FileExistsError:
        raise UsageError(f"{path} exists; --force replaces it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    if as_json:
        said = {"file": str(path), "run": run_id, "bytes": len(made.content)}
        typer.echo(json.dumps(said | {"masked": made.masked, "exact": made.exact}))
    about = "with its secrets" if reveal else f"secrets masked in {places(made.masked)}"
    typer.echo(f"{path}: {len(made.content):,} bytes, {about}. Open it with: flux-tui {path}", err=True)
    if not made.exact:
        typer.echo("its values are not all those of the run: imported, it is only to look at", err=True)


async def _view(settings: Settings, run_id: str) -> RunView:
    store = StoreFeed(settings.db, glance=SERVER_SECONDS)
    try:
        view = await store.run(run_id)
    finally:
        await store.close()
    if view is None:
        raise UsageError(store.damaged.get(run_id) or store.problem or f"there is no run {run_id}")
    return view


def _events(trace: Path, run_id: str) -> list[TraceEvent]:
    """Return what the trace has of the run, since a run of this id was deleted last."""
    found: list[TraceEvent] = []
    for event in read_events(trace) if trace.is_file() else ():
        if event.workflow_id == run_id and event.type == EventType.WORKFLOW_DELETE:
            found.clear()
        elif event.workflow_id == run_id:
            found.append(event)
    return found
