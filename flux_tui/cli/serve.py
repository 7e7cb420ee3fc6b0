"""``flux dev --port``: the dashboard in the browser."""

import os
import sys
from pathlib import Path

from flux_tui.cli.errors import UsageError
from flux_tui.settings import STANDARD_INPUT, Settings
from flux_tui.workspace import make_folders

HOST = "127.0.0.1"
TOKEN_VARIABLE = "FLUX_TOKEN"  # noqa: S105 - a name
NEEDS_EXTRA = (
    "--port needs the extra 'serve', which is not installed. In a project of uv: uv add 'flux-tui[serve]'; "
    "otherwise: pip install 'flux-tui[serve]'"
)


def serve_dashboard(
    settings: Settings,
    paths: list[Path],
    *,
    host: str,
    port: int,
    token: str | None,
    trace_only: bool,
    read_only: bool,
    restate: tuple[str, str | None] | None = None,
) -> None:
    """Serve the dashboard until Ctrl-C, of a Restate server if its admin and ingress addresses are given.

    Raises ``UsageError`` when the extra is missing, a token is too short, or the trace is standard input,
    and ``ListenError`` when the port is not to be had.
    """
    if settings.trace == STANDARD_INPUT:
        raise UsageError("--trace - cannot be served: several tabs cannot share standard input. Name a file")
    try:
        from flux_tui.serve import access, listening, opening, run  # noqa: PLC0415 - only with the extra
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("aiohttp", "textual_serve"):
            raise UsageError(NEEDS_EXTRA) from None
        raise
    token = token if token is not None else os.environ.get(TOKEN_VARIABLE) or None
    if token is not None and len(token) < access.SHORTEST_TOKEN:
        raise UsageError(
            f"--token: expected at least {access.SHORTEST_TOKEN} characters, found {len(token)}. "
            "Without --token a good one is made when one is needed"
        )
    is_local = access.is_loopback(host)
    if token is None and not is_local:
        token = access.new_token()
    if not trace_only and not read_only and restate is None:
        make_folders(settings)
    server = None if restate is None else opening.RestateServer(admin=restate[0], ingress=restate[1])
    opened = opening.Opening.of(settings, paths, trace_only=trace_only, read_only=read_only, restate=server)
    with listening.listen(host, port) as socket:
        url = listening.address(socket, host, token)
        run.serve(opened, access.Access(token=token), socket, lambda: _announce(url, is_local=is_local))


def _announce(url: str, *, is_local: bool) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    sys.stderr.write("Each tab of a browser is a dashboard of its own. Ctrl-C ends them all.\n")
    if not is_local:
        sys.stderr.write(
            "Whoever has this address can run the workflows. It is not encrypted: use it in a network that "
            "you trust.\n"
        )
