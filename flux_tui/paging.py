"""How far down the store the list of runs was read, and which failure comes next, read or not."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_tui.feed.store import PAGE, StoreFeed
from flux_tui.model.failures import FAILED
from flux_tui.model.run import RunRowView
from flux_tui.model.runs import RunsModel

ENOUGH: Final = 50
"""How many more runs are shown before reading older ones rests."""

SIFTED: Final = 1000
"""How many runs are looked through at a time for those that the filter lets through."""

MOST_PAGES: Final = 20
"""How many pages are read before others have their turn."""

FAILURES_A_PAGE: Final = 50


class Paging:
    """Reads the runs of the store from the newest to older ones, as far as the filter of now.

    ``older`` says that there are some that were not read yet, ``looked_at`` how many the filter has sifted.
    """

    def __init__(self, runs: RunsModel) -> None:
        self.older = False
        self.looked_at = 0
        self._runs = runs
        self._begun = False
        self._last: RunRowView | None = None

    def begin(self) -> None:
        """Begin at the top again: the filter is another one."""
        self._begun, self._last, self.looked_at = False, None, 0

    def top(self, rows: Sequence[RunRowView]) -> None:
        """Take note of the newest page. What was read below it before stays read."""
        if not self._begun:
            self._begun, self.older = True, len(rows) == PAGE
            self._last = rows[-1] if rows else None
            self.looked_at = len(rows)

    @property
    def wanting(self) -> bool:
        """Whether the filter leaves so few of the runs that were read that more should be."""
        return self.older and bool(self._runs.filter) and len(self._runs) < ENOUGH

    async def read(self, store: StoreFeed, take: Callable[[Sequence[RunRowView]], None]) -> None:
        """Read older runs until enough of them are shown, and have ``take`` take those that are."""
        chosen, shown = self._runs.filter, len(self._runs)
        limit = SIFTED if chosen else PAGE
        for _ in range(MOST_PAGES):
            rows = await store.page(chosen, before=self._last, limit=limit)
            if chosen is not self._runs.filter:
                return
            self.older = len(rows) == limit
            self._last = rows[-1] if rows else self._last
            self.looked_at += len(rows)
            take([row for row in rows if chosen.matches(row)])
            if not self.older or len(self._runs) >= shown + ENOUGH:
                return


class Failure(Struct, frozen=True, kw_only=True):
    """The run to go to, and whether the way there began at the newest run again."""

    run: str
    wrapped: bool


class Failures:
    """Finds failed and interrupted runs in the order of the list, under its filter.

    ``take`` is given what the store has of a run that was not known.
    """

    def __init__(
        self, runs: RunsModel, store: StoreFeed | None, take: Callable[[Sequence[RunRowView]], None]
    ) -> None:
        self._runs = runs
        self._store = store
        self._take = take

    async def after(self, run_id: str | None) -> Failure | None:
        """Return the next failure below a run in the list, or after the last one the first."""
        here = None if run_id is None else self._runs.get(run_id)
        for start in (None,) if here is None else (here, None):
            found = self._listed(start)
            stored = await self._stored(start)
            if stored is not None and (found is None or _place(stored) > _place(found)):
                self._take([stored])
                found = stored
            if found is not None:
                wrapped = here is not None and start is None
                return None if found.id == run_id else Failure(run=found.id, wrapped=wrapped)
        return None

    def _listed(self, start: RunRowView | None) -> RunRowView | None:
        first = 0 if start is None else self._runs.place_below(start)
        rows = (self._runs.row(index) for index in range(first, len(self._runs)))
        return next((row for row in rows if row.status in FAILED), None)

    async def _stored(self, start: RunRowView | None) -> RunRowView | None:
        if self._store is None:
            return None
        chosen = self._runs.filter
        query = chosen.query()
        wanted = tuple(
            status
            for status in (RunStatus.FAILED, RunStatus.RUNNING)
            if not query.statuses or status in query.statuses
        )
        for _ in range(MOST_PAGES if wanted else 0):
            rows = await self._store.page(
                replace(query, statuses=wanted), before=start, limit=FAILURES_A_PAGE
            )
            shown = (row for row in rows if row.id not in self._runs.hidden)
            found = next((row for row in shown if row.status in FAILED and chosen.matches(row)), None)
            if found is not None or len(rows) < FAILURES_A_PAGE:
                return found
            start = rows[-1]
        return None


async def beginning_with(runs: RunsModel, store: StoreFeed | None, text: str, limit: int) -> list[RunRowView]:
    """Return the newest runs whose id begins with a text: those that are known, and those of the store."""
    found = {row.id: row for row in runs.beginning_with(text, limit)}
    if store is not None:
        page = await store.page(RunQuery(id_prefix=text), limit=limit)
        found = {row.id: row for row in page if row.id not in runs.hidden} | found
    return sorted(found.values(), key=_place, reverse=True)[:limit]


def _place(row: RunRowView) -> tuple[float, str]:
    return row.started_at, row.id
