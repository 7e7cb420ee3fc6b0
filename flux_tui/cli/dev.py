"""``flux dev`` and ``flux-tui``: the dashboard."""

from pathlib import Path
from typing import Annotated

import typer

from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.opening import open_dashboard
from flux_tui.cli.options import Db
from flux_tui.cli.serve import HOST


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
            "flux dev --restate http://127.0.0.1:9070",
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
    restate: Annotated[
        str | None,
        typer.Option("--restate", metavar="URL", help="The admin port of a Restate server to show."),
    ] = None,
    restate_ingress: Annotated[
        str | None,
        typer.Option("--restate-ingress", metavar="URL", help="Its ingress. Default: as the server says."),
    ] = None,
) -> None:
    """Open the dashboard: watch the workflows of a project, run them, retry their steps.

    With --trace and no PATHS it shows the runs of any trace file, or of standard input, and nothing else.
    A file with an exported run, or any other trace that is named as PATH, is shown in the same way.
    With --port it is served as a web page, to this machine only unless --host says otherwise. With --restate
    it shows the workflows and runs of a Restate server; FLUX_RESTATE_TOKEN has its token, if it asks for one.
    """
    if restate is not None:
        if paths:
            raise UsageError("--restate shows what is served there, and loads no module: leave out PATHS")
        from flux_tui.restate.opening import Web, open_on_restate  # noqa: PLC0415 - for whoever asks for it

        flags = {"trace": trace, "theme": theme, "ascii": ascii_only}
        web = Web(port=port, host=host, token=token)
        raise typer.Exit(open_on_restate(restate, restate_ingress, flags, web, read_only=read_only))
    if restate_ingress is not None:
        raise UsageError("--restate-ingress goes with --restate, the address of the admin port")
    code = open_dashboard(
        paths,
        db=db,
        trace=trace,
        read_only=read_only,
        theme=theme,
        ascii_only=ascii_only,
        port=port,
        host=host,
        token=token,
    )
    raise typer.Exit(code)
