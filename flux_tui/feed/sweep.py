"""Finds out which of the runs that a store told of are no longer in it, and how the others stand now.

Whoever deletes a run leaves no note of it in the store. So what is known is held against the store, a page
at a time: the newest page whenever the store has changed, the older ones as time allows.
"""

from collections.abc import Sequence
from typing import Final

from flux_engine.storage.base import RunQuery
from flux_tui.feed.store import StoreFeed
from flux_tui.model.run import RunRowView
from flux_tui.model.runs import RunsModel

SWEPT_AT_ONCE: Final = 1000
"""How many runs of the store one look covers."""


def missing(
    runs: RunsModel, page: Sequence[RunRowView], *, before: RunRowView | None, is_last: bool
) -> list[str]:
    """Return the runs that ought to be in a page of the store, all runs taken, and are not.

    ``before`` is the run that the page follows, ``is_last`` says that no page follows it.
    """
    newest = None if before is None else before.started_at
    oldest = None if is_last or not page else page[-1].started_at
    there = {row.id for row in page}
    return [run_id for run_id in runs.stored_between(newest, oldest) if run_id not in there]


class Sweep:
    """Goes through the store once after each time that ``begin`` was called, as far as runs are known."""

    def __init__(self, runs: RunsModel) -> None:
        self._runs = runs
        self._before: RunRowView | None = None
        self._wanted = False
        self._under_way = False

    @property
    def is_due(self) -> bool:
        """Whether there is something to look at."""
        return self._wanted or self._under_way

    def begin(self) -> None:
        """Ask for a round; one that is under way is finished first."""
        self._wanted = True

    async def look(self, store: StoreFeed) -> tuple[list[RunRowView], list[str]]:
        """Look at one page; return its runs that are known, and the known runs that are gone from it."""
        if not self._under_way:
            self._wanted, self._under_way, self._before = False, True, None
        page = await store.page(RunQuery(), before=self._before, limit=SWEPT_AT_ONCE)
        if store.problem is not None or not store.exists:
            self._under_way = False
            return [], []
        is_last = len(page) < SWEPT_AT_ONCE
        gone = missing(self._runs, page, before=self._before, is_last=is_last)
        self._before = page[-1] if page else None
        older = [] if is_last or not page else self._runs.stored_between(page[-1].started_at, None)
        self._under_way = bool(older)
        return [row for row in page if self._runs.get(row.id) is not None], gone
