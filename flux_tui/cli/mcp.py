"""``flux mcp``: a server with the actions of the dashboard, for coding assistants and other programs."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from flux_tui.cli.definitions import workflow_paths
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import INTERRUPTED, UsageError
from flux_tui.cli.options import Db, Retries, Trace, settings_with

NEEDS_EXTRA: Final = (
    "flux mcp needs the extra 'mcp', which is not installed. In a project of uv: uv add 'flux-tui[mcp]'; "
    "otherwise: pip install 'flux-tui[mcp]'"
)


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "mcp",
        epilog=epilog("flux mcp", "flux mcp workflows --read-only", codes={INTERRUPTED: "ended by Ctrl-C"}),
    )(mcp)


def mcp(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATHS]...", help="Workflow modules, or folders. Default: as configured."),
    ] = None,
    *,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="No tool that writes, and no runner.")
    ] = False,
    db: Db = None,
    trace: Trace = None,
    retries: Retries = None,
) -> None:
    """Serve the project to a client of the Model Context Protocol, on standard input and output.

    A client starts this command itself; see docs/mcp.md. It ends when the client closes its end.
    """
    settings = settings_with(db=db, trace=trace, default_retries=retries)
    searched = [path.absolute() for path in workflow_paths(paths, settings)]
    try:
        from flux_tui.mcp.server import serve  # noqa: PLC0415 - only with the extra
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("mcp", "mcp_types"):
            raise UsageError(NEEDS_EXTRA) from None
        raise
    if sys.stdin.isatty():
        typer.echo("waiting for a client on standard input; Ctrl-C ends it", err=True)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a wait for a line hears of Ctrl-C only behind it
    serve(settings, searched, read_only=read_only)
