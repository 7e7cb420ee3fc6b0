"""Opening the dashboard on a Restate server."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from flux_engine.errors import FluxError
from flux_engine.integrations.restate import RestateClient
from flux_engine.secrets import SHORTEST, registered
from flux_tui import long_lived
from flux_tui.cli.errors import UsageError
from flux_tui.settings import STANDARD_INPUT, Settings, load_settings
from flux_tui.workspace import make_folder

TOKEN: Final = "FLUX_RESTATE_TOKEN"  # noqa: S105 - the name of the variable
TRACE: Final = "restate.ndjson"
"""The trace that is shown unless another one is named: the project's own has the runs of its own store."""


def open_on_restate(url: str, ingress: str | None, flags: Mapping[str, Any], *, read_only: bool) -> int:
    """Open the dashboard on the server with this admin port; return the exit code when it is closed.

    Raises ``UsageError`` for what is no address of a server, and where there is no terminal.
    """
    client = _client(url, ingress)
    settings = load_settings(Path.cwd(), flags)
    registered.add(settings.secret_values(os.environ))
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise UsageError("the dashboard needs a terminal")
    if settings.trace == STANDARD_INPUT:
        raise UsageError("--trace - shows a trace and nothing else: name a file")
    return _run(_traced(settings, flags), client, url, read_only=read_only)


def _traced(settings: Settings, flags: Mapping[str, Any]) -> Settings:
    """Make the folder for what is remembered, and choose the trace."""
    folder = settings.project / ".flux"
    make_folder(folder)
    return settings if flags.get("trace") else replace(settings, trace=folder / TRACE)


def _client(url: str, ingress: str | None) -> RestateClient:
    token = os.environ.get(TOKEN) or None
    if token is not None and len(token) >= SHORTEST:
        registered.add([token])
    try:
        return RestateClient(url, ingress, token=token)
    except FluxError as error:
        raise UsageError(f"--restate: {error}") from None


def _run(settings: Settings, client: RestateClient, url: str, *, read_only: bool) -> int:
    long_lived.begin()
    from flux_tui.app import run_app  # noqa: PLC0415 - Textual is for dashboards only
    from flux_tui.restate.desk import RestateDesk  # noqa: PLC0415 - as above

    return run_app(RestateDesk(settings, client, url, read_only=read_only))
