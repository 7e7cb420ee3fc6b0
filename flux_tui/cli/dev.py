"""``flux dev`` and ``flux-tui``: the dashboard."""

from pathlib import Path
from typing import Annotated

import typer

from flux_tui.cli.definitions import workflow_paths
from flux_tui.cli.errors import UsageError
from flux_tui.cli.options import Db, settings_with
from flux_tui.settings import STANDARD_INPUT, Settings
from flux_tui.workspace import make_folders


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command("dev")(dev)


def dev(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATHS]...", help="Workflow modules, or folders. Default: as configured."),
    ] = None,
    *,
    db: Db = None,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE|-", help="The trace; without PATHS only this trace is shown."),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="No action that writes.")] = False,
    theme: Annotated[str | None, typer.Option("--theme", metavar="NAME", help="The colours.")] = None,
    ascii_only: Annotated[bool | None, typer.Option("--ascii", help="Draw with ASCII only.")] = None,
) -> None:
    """Open the dashboard: watch the workflows of a project, run them, retry their steps.

    With --trace and no PATHS it shows the runs of any trace file, or of standard input, and nothing else.
    """
    settings = settings_with(db=db, trace=trace, theme=theme, ascii=ascii_only)
    trace_only = trace is not None and not paths
    if trace_only:
        check_trace(settings)
    elif settings.trace == STANDARD_INPUT:
        raise UsageError("--trace - shows a trace from standard input, and nothing else: leave the paths out")
    searched = [] if trace_only else workflow_paths(paths, settings)
    if not trace_only and not read_only:
        make_folders(settings)
    from flux_tui.app import run_dashboard  # noqa: PLC0415 - Textual is for this command only

    raise typer.Exit(run_dashboard(settings, searched, trace_only=trace_only, read_only=read_only))


def check_trace(settings: Settings) -> None:
    """Raise ``UsageError`` unless the trace to show can be read."""
    if settings.trace == STANDARD_INPUT:
        return
    try:
        with settings.trace.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"--trace: {settings.trace} cannot be read: {error.strerror}") from None
