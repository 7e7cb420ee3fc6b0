"""What Restate keeps of an attempt: its outcome as a value, so that no failure is left for Restate to retry.

Whatever a handler raised, returned and changed was described when it ran. A replay finds the same here, and
decides the same: also whether there is another attempt, and when.
"""

import time

import msgspec
from msgspec import Struct

from flux_engine.codec import decode
from flux_engine.data import decode_delta
from flux_engine.execution import ErrorInfo
from flux_engine.failure import RecordedError
from flux_engine.running.attempt import Outcome
from flux_engine.waiting import Sleep, Wait


class FailedAttemptError(RecordedError):
    """A failed attempt. ``delay`` is the back-off before the next one, ``None`` when there is none."""

    def __init__(self, info: ErrorInfo, delay: float | None) -> None:
        super().__init__(info)
        self.delay = delay


class Recorded(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of an attempt, or of a condition, that ended ``at`` (seconds since the epoch).

    ``interrupted`` is set instead of the rest when the attempt was begun before and its process did not
    live to tell how it ended; it names the execution that found that.
    """

    at: float
    changes: str | None = None
    output: str | None = None
    signal: str | None = None
    timeout: float | None = None
    seconds: float | None = None
    error: ErrorInfo | None = None
    delay: float | None = None
    answer: bool | None = None
    interrupted: str | None = None

    def encode(self) -> bytes:
        """Return it as Restate keeps it."""
        return msgspec.json.encode(self)

    def outcome(self) -> Outcome:
        """Return the outcome of the attempt, as the engine takes it."""
        delta = decode_delta(self.changes)
        if self.error is not None:
            return Outcome(delta=delta, error=FailedAttemptError(self.error, self.delay))
        return Outcome(
            delta=delta,
            values={key: decode(text) for key, text in delta.set.items()},
            output=self.output,
            waits_for=self._waits_for(),
        )

    def _waits_for(self) -> Wait | Sleep | None:
        if self.seconds is not None:
            return Sleep(seconds=self.seconds)
        return None if self.signal is None else Wait(signal=self.signal, timeout=self.timeout)


def record(outcome: Outcome, error: ErrorInfo | None, delay: float | None) -> Recorded:
    """Return what is to be kept of an attempt that has just ended."""
    waits = outcome.waits_for
    return Recorded(
        at=time.time(),
        changes=outcome.delta.encode() if outcome.delta else None,
        output=outcome.output,
        signal=waits.signal if isinstance(waits, Wait) else None,
        timeout=waits.timeout if isinstance(waits, Wait) else None,
        seconds=waits.seconds if isinstance(waits, Sleep) else None,
        error=error,
        delay=delay,
    )


def decode_recorded(text: bytes) -> Recorded:
    """Read what Restate kept."""
    return msgspec.json.decode(text, type=Recorded)
