"""What a handler returns to wait: for a signal, or for time to pass."""

import math
from typing import Any

from msgspec import Struct

from flux_engine.errors import DefinitionError


class Wait(Struct, frozen=True, kw_only=True):
    """Suspend the run until ``engine.signal`` sends ``signal``. Make it with ``wait``."""

    signal: str
    timeout: float | None = None


class Sleep(Struct, frozen=True, kw_only=True):
    """Let the step end after so many seconds, also across a restart. Make it with ``sleep``."""

    seconds: float


class Waiting(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a suspended step waits for, as the journal keeps it.

    ``signal`` is ``None`` for a timer. ``until`` is seconds since the epoch. ``in_doubt`` marks a commit
    whose process died before its result was stored: it waits for a signal with its own name, whose
    payload is one of ``VERDICTS``.
    """

    signal: str | None = None
    until: float | None = None
    in_doubt: bool = False


VERDICTS = ("done", "again")
"""What can be said of a commit in doubt: that it was done, or that it is to be run again."""


def wait(signal: Any, *, timeout: float | None = None) -> Wait:
    """Return it from a handler to suspend the run until ``engine.signal(workflow, run_id, signal, payload)``.

    The payload becomes the step's output and ``ctx.signals[signal]``. After ``timeout`` seconds the step
    fails with ``WaitTimeoutError``. Raises ``DefinitionError`` for a name or a time-out that is none.
    """
    if not isinstance(signal, str) or not signal:
        raise DefinitionError(f"wait() takes the name of a signal, not {signal!r}")
    return Wait(signal=signal, timeout=None if timeout is None else _seconds("wait(timeout=…)", timeout))


def sleep(seconds: float) -> Sleep:
    """Return it from a handler to end the step after so many seconds.

    The timer is durable: when the process ends meanwhile, whoever recovers the run waits out the rest.
    """
    return Sleep(seconds=_seconds("sleep(…)", seconds))


def _seconds(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise DefinitionError(f"{what} takes seconds from 0, not {value!r}")
    return float(value)
