"""``flux runs``: the runs in the store."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from flux_engine import FluxEngine, RunStatus
from flux_engine.execution import RunSummary
from flux_tui.cli import compare, control, recover, retry
from flux_tui.cli.filtering import filter_of, filtered
from flux_tui.cli.lookup import in_store, run_of, store_exists
from flux_tui.cli.options import Db, Json, RunId, settings_with
from flux_tui.cli.plain_json import to_plain
from flux_tui.cli.terminal import look_of, width
from flux_tui.cli.texts import listing_lines, run_lines, shown_path
from flux_tui.model.secrets import Secrets


def add_to(app: typer.Typer) -> None:
    """Add the group of commands to an app."""
    group = typer.Typer(
        help="List and show runs, and act on them.", rich_markup_mode=None, no_args_is_help=True
    )
    group.command("list")(list_runs)
    group.command("show")(show)
    group.command("compare")(compare.compare_runs)
    group.command("retry")(retry.retry)
    group.command("resume")(retry.resume)
    group.command("recover")(recover.recover)
    group.command("signal")(control.signal)
    group.command("pause")(control.pause)
    group.command("cancel")(control.cancel)
    group.command("fork")(control.fork)
    group.command("delete")(control.delete)
    app.add_typer(group, name="runs")


def list_runs(
    *,
    workflow: Annotated[
        str | None, typer.Option("--workflow", "-w", help="Only runs of this workflow.")
    ] = None,
    status: Annotated[list[RunStatus] | None, typer.Option("--status", "-s", help="Only these.")] = None,
    text: Annotated[
        str,
        typer.Option(
            "--filter",
            "-f",
            help="As in the dashboard: 'status:failed since:2h workflow:order !gateway'.",
        ),
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    settings = settings_with(db=db)
    chosen = filter_of(text)
    look = look_of(sys.stdout, ascii_only=settings.ascii)
    runs: list[RunSummary] = []
    if store_exists(settings):

        async def listed(engine: FluxEngine) -> list[RunSummary]:
            return await filtered(engine, chosen, workflow, status or (), limit)

        runs = in_store(settings, listed)
    if as_json:
        typer.echo(json.dumps(to_plain(runs), indent=2, ensure_ascii=False))
        return
    cells = width() if sys.stdout.isatty() else None
    for line in listing_lines(runs, datetime.now(UTC), look, cells):
        typer.echo(line)
    if not runs:
        fitting = " that fit" if workflow or status or chosen else ""
        typer.echo(
            f"no runs{fitting} in {shown_path(settings.db)}; start one with: flux run FILE:VAR", err=True
        )


def show(
    run: RunId,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show secrets too.")] = False,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Show one run: its steps, its error, its input and data, with secrets masked."""
    settings = settings_with(db=db)
    look = look_of(sys.stdout, ascii_only=settings.ascii)
    state = run_of(settings, run)
    secrets = None if reveal else Secrets(settings.redact)
    if as_json:
        plain = to_plain(state)
        plain = plain if secrets is None else secrets.redact(plain)
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    for line in run_lines(state, look, secrets):
        typer.echo(line)
