"""``flux dev`` and ``flux-tui``: the dashboard."""

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from flux_engine.trace.events import decode_event
from flux_tui import long_lived
from flux_tui.cli.definitions import workflow_paths
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.options import Db, settings_with
from flux_tui.cli.serve import HOST, serve_dashboard
from flux_tui.settings import STANDARD_INPUT, Settings
from flux_tui.workspace import make_folders

LONGEST_LINE = 64 * 1024 * 1024


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "dev",
        epilog=epilog(
            "flux dev",
            "flux dev examples --read-only",
            "flux dev --trace trace.ndjson",
            "ssh host tail -f trace.ndjson | flux-tui --trace -",
            "flux dev --port 4280",
        ),
    )(dev)


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
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", min=0, max=65_535, help="Serve it to browsers. 0: any port."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="HOST", help=f"With --port: where to listen. Default: {HOST}"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="TEXT", help="With --port: what a browser needs to be let in."),
    ] = None,
) -> None:
    """Open the dashboard: watch the workflows of a project, run them, retry their steps.

    With --trace and no PATHS it shows the runs of any trace file, or of standard input, and nothing else.
    A file with an exported run, or any other trace that is named as PATH, is shown in the same way.
    With --port it is served as a web page, to this machine only unless --host says otherwise.
    """
    if trace is None and (exported := exported_run(paths)) is not None:
        trace, paths = exported, None
    settings = settings_with(db=db, trace=trace, theme=theme, ascii=ascii_only)
    trace_only = trace is not None and not paths
    if trace_only:
        check_trace(settings)
    elif settings.trace == STANDARD_INPUT:
        raise UsageError("--trace - shows a trace from standard input, and nothing else: leave the paths out")
    searched = [] if trace_only else workflow_paths(paths, settings)
    if port is None and (host is not None or token is not None):
        raise UsageError("--host and --token are for the dashboard in a browser: give --port too")
    if port is not None:
        serve_dashboard(
            settings,
            searched,
            host=host or HOST,
            port=port,
            token=token,
            trace_only=trace_only,
            read_only=read_only,
        )
        return
    if settings.trace == STANDARD_INPUT:
        leave_standard_input_to_the_trace()
    elif not sys.stdin.isatty() or not sys.stderr.isatty():
        raise UsageError("the dashboard needs a terminal. Without one there are: flux run, flux runs list")
    if not trace_only and not read_only:
        make_folders(settings)
    long_lived.begin()
    from flux_tui.app import run_dashboard  # noqa: PLC0415 - Textual is for this command only

    raise typer.Exit(run_dashboard(settings, searched, trace_only=trace_only, read_only=read_only))


def exported_run(paths: list[Path] | None) -> Path | None:
    """Return the path, if it is the only one and is a trace and no module: an exported run, most likely."""
    if paths is None or len(paths) != 1 or paths[0].suffix == ".py" or not paths[0].is_file():
        return None
    with paths[0].open("rb") as file:
        line = file.readline(LONGEST_LINE)
    try:
        decode_event(line)
    except msgspec.MsgspecError:
        raise UsageError(
            f"{paths[0]} is neither a Python module nor a trace: its first line is no event"
        ) from None
    return paths[0]


def check_trace(settings: Settings) -> None:
    """Raise ``UsageError`` unless the trace to show can be read."""
    if settings.trace == STANDARD_INPUT:
        return
    try:
        with settings.trace.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"--trace: {settings.trace} cannot be read: {error.strerror}") from None


def leave_standard_input_to_the_trace() -> None:
    """Read the keyboard from the terminal itself, so that ``sys.stdin`` can be a trace.

    Raises ``UsageError`` when there is no trace on standard input, or no terminal.
    """
    if sys.stdin.isatty():
        raise UsageError("--trace - reads a trace from standard input: pipe one in, or name a file")
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise UsageError("the dashboard needs a terminal to read the keyboard from") from None
    trace = os.dup(0)
    os.dup2(terminal, 0)
    os.close(terminal)
    sys.stdin = os.fdopen(trace, encoding="utf-8")
