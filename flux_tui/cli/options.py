"""Options that several commands have, and the settings that they make."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from flux_engine.secrets import registered
from flux_tui.cli.completion import complete_run, complete_target
from flux_tui.concealed import conceal
from flux_tui.settings import Settings, load_settings

Db = Annotated[
    str | None,
    typer.Option(
        "--db", metavar="FILE|DSN", help="The store: a file or postgresql://… Default: .flux/flux.db"
    ),
]
Trace = Annotated[
    Path | None, typer.Option("--trace", metavar="FILE", help="The trace. Default: .flux/trace.ndjson")
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Retries = Annotated[
    int | None,
    typer.Option("--retries", min=0, metavar="N", help="Retries of the steps that do not say so themselves."),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="FILE:VAR",
        help="Where the workflow is defined.",
        autocompletion=complete_target,
    ),
]
Workflows = Annotated[
    list[Path] | None,
    typer.Option("--workflows", metavar="PATH", help="Where to search for it. Default: as configured."),
]
KeepCommits = Annotated[
    bool, typer.Option("--keep-commits", help="Use the recorded results of completed commits.")
]
AllowChanged = Annotated[
    bool, typer.Option("--allow-changed", help="Go on though earlier steps of the workflow have changed.")
]
RunId = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The id of a run, or its beginning.", autocompletion=complete_run),
]


def settings_with(**flags: Any) -> Settings:
    """Return the settings of the current folder, ``flags`` before all else; their secrets are registered."""
    settings = load_settings(Path.cwd(), flags)
    registered.add(settings.secret_values(os.environ))
    conceal(settings.db.password)
    return settings
