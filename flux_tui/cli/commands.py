"""Which commands there are, and where each is found.

Only the module of the command that was asked for is imported; all of them for the general help.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated, Final

import typer

from flux_tui.cli.errors import errors_told

COMMAND_MODULES: Final = {
    "dev": "flux_tui.cli.dev",
    "run": "flux_tui.cli.run",
    "runs": "flux_tui.cli.runs",
    "replay": "flux_tui.cli.replay",
    "describe": "flux_tui.cli.describe",
    "graph": "flux_tui.cli.graph",
    "trace": "flux_tui.cli.trace",
    "export": "flux_tui.cli.export",
    "import": "flux_tui.cli.importing",
    "prune": "flux_tui.cli.prune",
    "config": "flux_tui.cli.config",
    "doctor": "flux_tui.cli.doctor",
    "mcp": "flux_tui.cli.mcp",
}


def run_flux() -> None:
    """Run the command that the arguments of this process ask for."""
    app = root_app()
    asked_for = next((word for word in _words(sys.argv, os.environ) if not word.startswith("-")), "")
    for name in [asked_for] if asked_for in COMMAND_MODULES else COMMAND_MODULES:
        import_module(COMMAND_MODULES[name]).add_to(app)
    with errors_told():
        app(prog_name="flux")


def _words(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Return the words behind ``flux``; while the shell completes a line, those before the cursor."""
    if "_FLUX_COMPLETE" not in environ:
        return list(arguments[1:])
    line = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS") or ""
    words = line.split()
    return words[1:] if line[-1:].isspace() or environ.get("COMP_WORDS") else words[1:-1]


def run_dashboard_command() -> None:
    """Run ``flux dev`` under the name of ``flux-tui``."""
    app = _empty_app()
    import_module(COMMAND_MODULES["dev"]).add_to(app)
    with errors_told():
        app(prog_name="flux-tui")


def root_app() -> typer.Typer:
    """Return ``flux`` without its commands."""
    app = _empty_app()
    app.callback(no_args_is_help=True)(_flux)
    return app


def _empty_app() -> typer.Typer:
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - the form of a callback
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - slow to import, rarely wanted

        typer.echo(f"flux {version('flux-tui')}")
        raise typer.Exit


def _flux(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Write, run and watch workflows."""
