"""Opening the dashboard, once it is known what the command line asks for.

Nothing here needs the parser of the commands, so that ``plain_start`` can do without it.
"""

import os
import sys
from pathlib import Path

import msgspec

from flux_engine.secrets import registered
from flux_engine.trace.events import decode_event
from flux_tui import long_lived
from flux_tui.cli.definitions import workflow_paths
from flux_tui.cli.errors import UsageError
from flux_tui.cli.serve import HOST, serve_dashboard
from flux_tui.concealed import conceal
from flux_tui.settings import STANDARD_INPUT, Settings, load_settings
from flux_tui.workspace import make_folders

LONGEST_LINE = 64 * 1024 * 1024


def open_dashboard(
    paths: list[Path] | None = None,
    *,
    db: str | None = None,
    trace: Path | None = None,
    read_only: bool = False,
    theme: str | None = None,
    ascii_only: bool | None = None,
    port: int | None = None,
    host: str | None = None,
    token: str | None = None,
) -> int:
    """Open the dashboard as ``flux dev`` says, and return the exit code when it is closed.

    Raises ``UsageError``, and ``SettingsError`` and ``StorageError`` of what is opened.
    """
    if trace is None and (exported := exported_run(paths)) is not None:
        trace, paths = exported, None
    flags = {"db": db, "trace": trace, "theme": theme, "ascii": ascii_only}
    settings = load_settings(Path.cwd(), flags)
    registered.add(settings.secret_values(os.environ))
    conceal(settings.db.password)
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
        return 0
    if settings.trace == STANDARD_INPUT:
        leave_standard_input_to_the_trace()
    elif not sys.stdin.isatty() or not sys.stderr.isatty():
        raise UsageError("the dashboard needs a terminal. Without one there are: flux run, flux runs list")
    if not trace_only and not read_only:
        make_folders(settings)
    long_lived.begin()
    from flux_tui.app import run_dashboard  # noqa: PLC0415 - Textual is for this command only

    return run_dashboard(settings, searched, trace_only=trace_only, read_only=read_only)


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
