"""What the commands say, and how they end, when something cannot be done.

Exit codes: 0 done, 1 a run failed, 2 nothing was run because of how the command was used or what it
found, 130 interrupted by Ctrl-C.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flux_engine.errors import DefinitionChangedError, FluxError
from flux_tui.model.text import printable

RUN_FAILED: Final = 1
BAD_USE: Final = 2
INTERRUPTED: Final = 130

_CHANGED: Final = (
    "Retry the run from an earlier step, start a new one, or go on all the same: flux runs retry, resume and "
    "signal do so with --allow-changed."
)


class UsageError(FluxError):
    """The command cannot do what was asked for. The message says what it needs."""


def told(error: Exception) -> str | None:
    """Return what to tell about an error, or ``None`` for one that nobody expected."""
    if isinstance(error, DefinitionChangedError):
        return f"{printable(error.found)} {_CHANGED}"
    if isinstance(error, FluxError):
        return "\n".join(map(printable, str(error).split("\n")))
    if isinstance(error, PermissionError):
        return f"no permission: {printable(str(error.filename or error))}"
    return None


@contextmanager
def errors_told() -> Iterator[None]:
    """End the process with a message and an exit code, not a traceback, for what Flux raises on purpose."""
    try:
        yield
    except Exception as error:
        message = told(error)
        if message is None:
            raise
        sys.stdout.flush()
        sys.stderr.write(f"flux: {message}\n")
        raise SystemExit(BAD_USE) from None
