"""Large values are stored once, by the hash of their text, however many steps of however many runs set them.

In an entry of the journal such a value is ``{"$type":"blob","value":"<sha256>"}``. No value of a user looks
like that: the codec wraps dicts that have a key ``$type``.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from flux_engine.data import decode_delta
from flux_engine.storage.base import JournalEntry, WorkflowStorage

LARGE = 65_536
"""From how many characters of JSON text on a value is large."""

_REFERENCE = re.compile(r'\{"\$type":"blob","value":"([0-9a-f]{64})"\}')


def take_out(entries: Sequence[JournalEntry]) -> tuple[Sequence[JournalEntry], dict[str, str]]:
    """Return the entries with references in place of large values, and those values' texts by hash."""
    for entry in entries:
        if len(entry.output or "") >= LARGE or len(entry.changes or "") >= LARGE:
            break
    else:
        return entries, {}
    blobs: dict[str, str] = {}
    return [
        entry
        if _is_short(entry.output) and _is_short(entry.changes)
        else structs.replace(
            entry,
            output=None if entry.output is None else _reference(entry.output, blobs),
            changes=None if entry.changes is None else _short_changes(entry.changes, blobs),
        )
        for entry in entries
    ], blobs


def _is_short(text: str | None) -> bool:
    return text is None or len(text) < LARGE


def _short_changes(text: str, blobs: dict[str, str]) -> str:
    if _is_short(text):
        return text
    delta = decode_delta(text)
    short = {key: _reference(value, blobs) for key, value in delta.set.items()}
    return structs.replace(delta, set=short).encode()


def _reference(text: str, blobs: dict[str, str]) -> str:
    if _is_short(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    blobs[digest] = text
    return f'{{"$type":"blob","value":"{digest}"}}'


async def read_journal(storage: WorkflowStorage, run_id: str) -> list[JournalEntry]:
    """Return the entries of a run with their large values in place."""
    entries = await storage.journal(run_id)
    if not any(_refers(entry) for entry in entries):
        return entries
    return fill_in(entries, await storage.blobs(run_id))


def fill_in(entries: Iterable[JournalEntry], blobs: Mapping[str, str]) -> list[JournalEntry]:
    """Return the entries with the large values, found by their hash, in place."""
    return [_filled(entry, blobs) for entry in entries]


def _refers(entry: JournalEntry) -> bool:
    return any(text is not None and _REFERENCE.search(text) for text in (entry.output, entry.changes))


def _filled(entry: JournalEntry, blobs: Mapping[str, str]) -> JournalEntry:
    if not _refers(entry):
        return entry
    return structs.replace(entry, output=_fill(entry.output, blobs), changes=_fill(entry.changes, blobs))


def _fill(text: str | None, blobs: Mapping[str, str]) -> str | None:
    return None if text is None else _REFERENCE.sub(lambda found: blobs.get(found[1], found[0]), text)
