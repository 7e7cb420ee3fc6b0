"""Runs that can only be looked at, because their values were masked before they came here."""

from typing import Final

from flux_engine.errors import MaskedRunError
from flux_engine.journal import stored_graph
from flux_engine.storage.base import RunRecord

MASKED: Final = "masked"
"""The key in the graph of such a run."""


def is_masked(record: RunRecord) -> bool:
    """Say whether the values of a run are not its own."""
    return MASKED in record.graph and stored_graph(record).get(MASKED) is True


def check_unmasked(record: RunRecord) -> None:
    """Raise ``MaskedRunError`` for a run that can only be looked at."""
    if is_masked(record):
        raise MaskedRunError(
            f"Run {record.id} is for looking at: it comes from an export in which values of it were "
            f"masked, or paths in them shortened. Where it came from, 'flux export {record.id} "
            "--reveal' writes them; put that file here with 'flux import FILE --overwrite'."
        )
