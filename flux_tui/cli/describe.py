"""``flux describe``: what a workflow consists of."""

import sys
from typing import Annotated

import typer

from flux_tui.cli.completion import complete_target
from flux_tui.cli.definitions import target_at
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.options import Json, settings_with
from flux_tui.cli.terminal import look_of, user_code_prints_to_stderr
from flux_tui.cli.texts import workflow_lines
from flux_tui.model.json_text import write_json
from flux_tui.model.secrets import Secrets


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "describe", epilog=epilog("flux describe shop.py:order_flow", "flux describe shop.py --json")
    )(describe)


def describe(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="FILE.py:VAR, or FILE.py if it has one workflow.",
            autocompletion=complete_target,
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Show a workflow: its steps, branches and options, and the input it takes."""
    settings = settings_with()
    look = look_of(sys.stdout, ascii_only=settings.ascii)
    with user_code_prints_to_stderr() as data:
        description = Secrets(settings.redact).described(target_at(target).workflow.describe())
        if as_json:
            data.write(write_json(description) + "\n")
        else:
            data.write("\n".join(workflow_lines(description, look)) + "\n")
