"""The pause behind a failed attempt, in the journal: so a store alone tells when the next one begins."""

import msgspec
from msgspec import Struct

from flux_engine.execution import StepStatus
from flux_engine.storage.base import JournalEntry


class BackOff(Struct, frozen=True, kw_only=True):
    """After how many seconds a failed attempt is tried again."""

    delay: float


def back_off_of(entry: JournalEntry | None) -> BackOff | None:
    """Return the back-off behind an attempt; ``None`` when none follows, or it was not noted."""
    if entry is None or entry.status is not StepStatus.FAILED or not entry.attempt or entry.detail is None:
        return None
    return msgspec.json.decode(entry.detail, type=BackOff)
