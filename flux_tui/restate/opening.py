"""Opening the dashboard on a Restate server."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from flux_engine.errors import FluxError
from flux_engine.integrations.restate import RestateClient
from flux_engine.secrets import SHORTEST, registered
from flux_tui import long_lived
from flux_tui.cli.errors import UsageError
from flux_tui.cli.serve import HOST, serve_dashboard
from flux_tui.settings import STANDARD_INPUT, Settings, load_settings
from flux_tui.workspace import make_folder

TOKEN: Final = "FLUX_RESTATE_TOKEN"  # noqa: S105 - the name of the variable
TRACE: Final = "restate.ndjson"
"""The trace that is shown unless another one is named: the project's own has the runs of its own store."""


class Web(Struct, frozen=True, kw_only=True):
    """Where the dashboard is served to browsers, if it is: with a ``port``."""

    port: int | None = None
    host: str | None = None
    token: str | None = None


def open_on_restate(
    url: str, ingress: str | None, flags: Mapping[str, Any], web: Web, *, read_only: bool
) -> int:
    """Open the dashboard on the server with this admin port; return the exit code when it is closed.

    Raises ``UsageError`` for what is no address of a server, and where there is no terminal.
    """
    _client(url, ingress)
    settings = load_settings(Path.cwd(), flags)
    registered.add(settings.secret_values(os.environ))
    if web.port is None and (web.host is not None or web.token is not None):
        raise UsageError("--host and --token are for the dashboard in a browser: give --port too")
    if web.port is None and not _at_a_terminal():
        raise UsageError("the dashboard needs a terminal. Without one there is --port, for browsers")
    if settings.trace == STANDARD_INPUT:
        raise UsageError("--trace - shows a trace and nothing else: name a file")
    shown = _traced(settings, flags)
    if web.port is None:
        return run_on_restate(shown, url, ingress, read_only=read_only)
    serve_dashboard(
        shown,
        [],
        host=web.host or HOST,
        port=web.port,
        token=web.token,
        trace_only=False,
        read_only=read_only,
        restate=(url, ingress),
    )
    return 0


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


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


def run_on_restate(settings: Settings, url: str, ingress: str | None, *, read_only: bool) -> int:
    """Run the dashboard of a server in this process; return its exit code."""
    client = _client(url, ingress)
    long_lived.begin()
    from flux_tui.app import run_app  # noqa: PLC0415 - Textual is for dashboards only
    from flux_tui.restate.desk import RestateDesk  # noqa: PLC0415 - as above

    return run_app(RestateDesk(settings, client, url, read_only=read_only))
