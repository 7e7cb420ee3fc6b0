"""Copying to the clipboard by the system's own tool, where there is one.

The terminal's own way (OSC 52) works through SSH but not in every terminal, and nothing tells whether
it did. So both are used, and the user hears which.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

TIMEOUT = 2.0
"""Seconds that a clipboard tool gets."""


def tool(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> Sequence[str] | None:
    """Return the command that fills this desktop's clipboard from its standard input, or ``None``."""
    environ = os.environ if environ is None else environ
    commands: list[Sequence[str]] = []
    if platform == "darwin":
        commands.append(("pbcopy",))
    if environ.get("WAYLAND_DISPLAY"):
        commands.append(("wl-copy",))
    if environ.get("DISPLAY"):
        commands += [("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input")]
    path = environ.get("PATH")
    return next((command for command in commands if shutil.which(command[0], path=path)), None)


def fill(command: Sequence[str], text: str) -> str | None:
    """Give ``text`` to a clipboard tool; return why that failed, or ``None``. Blocks: call it in a thread."""
    try:
        subprocess.run(  # noqa: S603
            command,
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None
