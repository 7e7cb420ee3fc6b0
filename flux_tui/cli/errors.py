"""What the commands say, and how they end, when something cannot be done.

Exit codes: 0 done, 1 a run failed, 2 nothing was run because of how the command was used or what it
found, 130 interrupted by Ctrl-C.
"""

from typing import Final

from flux_engine.errors import FluxError

RUN_FAILED: Final = 1
BAD_USE: Final = 2
INTERRUPTED: Final = 130


class UsageError(FluxError):
    """The command cannot do what was asked for. The message says what it needs."""


def told(error: Exception) -> str | None:
    """Return what to tell about an error, or ``None`` for one that nobody expected."""
    if isinstance(error, FluxError):
        return str(error)
    if isinstance(error, PermissionError):
        return f"no permission: {error.filename or error}"
    return None
