"""The list of runs: what the trace and the store tell, merged, newest run first.

A run keeps its place in the list from when it is first heard of. Adding one costs a search and a
shift of pointers, whatever the number of runs.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from flux_tui.model.filter import Filter
from flux_tui.model.run import RunRowView

Key = tuple[float, str]

_SLACK = 250.0
_OPEN = frozenset({"pending", "running"})


class RunsModel:
    """The runs known so far, and those of them that the filter lets through.

    Rows are counted from 0, the newest run. ``version`` changes with every change of what is shown.
    """

    def __init__(self) -> None:
        self.version = 0
        self.filter = Filter()
        self.counts: Counter[str] = Counter()
        self._traced: dict[str, RunRowView] = {}
        self._stored: dict[str, RunRowView] = {}
        self._rows: dict[str, RunRowView] = {}
        self._keys: dict[str, Key] = {}
        self._hidden: frozenset[str] = frozenset()
        self._order: list[Key] = []
        self._shown: list[Key] = self._order

    def __len__(self) -> int:
        """How many runs the filter lets through."""
        return len(self._shown)

    @property
    def total(self) -> int:
        """How many runs are known."""
        return len(self._order)

    @property
    def running(self) -> int:
        """How many of all runs are on their way."""
        return self.counts["running"] + self.counts["pending"]

    @property
    def failed(self) -> int:
        """How many of all runs have failed."""
        return self.counts["failed"]

    def row(self, index: int) -> RunRowView:
        """Return a row by its place in the list. Raises ``IndexError``."""
        if not 0 <= index < len(self._shown):
            raise IndexError(index)
        return self._rows[self._shown[-1 - index][1]]

    def rows(self, start: int, stop: int) -> list[RunRowView]:
        """Return the rows from ``start`` up to but not including ``stop``, as far as there are any."""
        return [self.row(index) for index in range(max(start, 0), min(stop, len(self._shown)))]

    def known(self) -> list[RunRowView]:
        """Return the rows of all runs that are known, shown or not, newest first."""
        return [self._rows[run_id] for _, run_id in reversed(self._order)]

    def get(self, run_id: str) -> RunRowView | None:
        """Return the row of a run, shown or not; ``None`` when the run is not known."""
        return self._rows.get(run_id)

    def newest(self, workflow: str) -> RunRowView | None:
        """Return the newest run of a workflow, shown or not."""
        rows = (self._rows[run_id] for _, run_id in reversed(self._order))
        return next((row for row in rows if row.workflow == workflow), None)

    def index_of(self, run_id: str) -> int | None:
        """Return the place of a run in the list; ``None`` when it is not shown."""
        key = self._keys.get(run_id)
        if key is None:
            return None
        at = bisect_left(self._shown, key)
        found = at < len(self._shown) and self._shown[at] == key
        return len(self._shown) - 1 - at if found else None

    def beginning_with(self, text: str, limit: int) -> list[RunRowView]:
        """Return the newest runs whose id begins with a text, in whatever case, shown or not."""
        low = text.casefold()
        ids = (run_id for _, run_id in reversed(self._order) if run_id[: len(text)].casefold() == low)
        found = (self._rows[run_id] for run_id in ids if run_id not in self._hidden)
        return list(islice(found, limit))

    def place_below(self, row: RunRowView) -> int:
        """Return where in the list the runs begin that are older than this one, shown or not."""
        return len(self._shown) - bisect_left(self._shown, (row.started_at, row.id))

    def merge_trace(self, rows: Iterable[RunRowView]) -> bool:
        """Take over what the trace tells of runs; return whether a row changed."""
        return self._merge(self._traced, rows)

    def merge_store(self, rows: Iterable[RunRowView]) -> bool:
        """Take over a page of the store; return whether a row changed."""
        return self._merge(self._stored, rows)

    def remove(self, run_id: str) -> bool:
        """Forget a run; return whether it was known."""
        key = self._keys.pop(run_id, None)
        if key is None:
            return False
        self.counts[self._rows.pop(run_id).status] -= 1
        self._traced.pop(run_id, None)
        self._stored.pop(run_id, None)
        _discard(self._order, key)
        if self._shown is not self._order:
            _discard(self._shown, key)
        self.version += 1
        return True

    def forget_trace(self) -> None:
        """Forget what the trace told, because its file was begun anew; the runs of the store stay."""
        self._forget(self._traced)

    def forget_store(self) -> None:
        """Forget what the store told, because its file was replaced; the runs of the trace stay."""
        self._forget(self._stored)

    def set_filter(self, chosen: Filter) -> None:
        """Show only the runs that match."""
        if chosen == self.filter:
            return
        self.filter = chosen
        self._choose_shown()

    @property
    def hidden(self) -> frozenset[str]:
        """The runs that are not shown whatever the filter says: they are about to be deleted."""
        return self._hidden

    def hide(self, run_ids: Iterable[str]) -> None:
        """Show all runs but these, as far as the filter lets them through."""
        hidden = frozenset(run_ids)
        if hidden != self._hidden:
            self._hidden = hidden
            self._choose_shown()

    def stored_between(self, newest: float | None, oldest: float | None) -> list[str]:
        """Return the runs that the store has told of and that began within this time.

        Times are milliseconds since the epoch; ``None`` sets no end.
        """
        start = 0 if oldest is None else bisect_left(self._order, (oldest - _SLACK, ""))
        stop = len(self._order) if newest is None else bisect_left(self._order, (newest + _SLACK, ""))
        found = (self._stored.get(run_id) for _, run_id in self._order[start:stop])
        return [
            row.id
            for row in found
            if row is not None
            and (oldest is None or row.started_at > oldest)
            and (newest is None or row.started_at < newest)
        ]

    def _choose_shown(self) -> None:
        self._shown = self._order
        if self.filter or self._hidden:
            self._shown = [key for key in self._order if self._lets_through(self._rows[key[1]])]
        self.version += 1

    def _lets_through(self, row: RunRowView) -> bool:
        return row.id not in self._hidden and self.filter.matches(row)

    def _forget(self, source: dict[str, RunRowView]) -> None:
        gone = list(source)
        source.clear()
        for run_id in gone:
            if run_id in self._traced or run_id in self._stored:
                self._show(run_id)
            else:
                self.remove(run_id)

    def _merge(self, source: dict[str, RunRowView], rows: Iterable[RunRowView]) -> bool:
        changed = False
        for row in rows:
            if source.get(row.id) != row:
                source[row.id] = row
                changed = self._show(row.id) or changed
        return changed

    def _show(self, run_id: str) -> bool:
        row = newer_row(self._traced.get(run_id), self._stored.get(run_id))
        old = self._rows.get(run_id)
        if row is None or row == old:
            return False
        self._rows[run_id] = row
        self.counts[row.status] += 1
        if old is None:
            key = (row.started_at, run_id)
            self._keys[run_id] = key
            insort(self._order, key)
        else:
            self.counts[old.status] -= 1
            key = self._keys[run_id]
        if self._shown is not self._order:
            self._refilter(key, row)
        self.version += 1
        return True

    def _refilter(self, key: Key, row: RunRowView) -> None:
        at = bisect_left(self._shown, key)
        shown = at < len(self._shown) and self._shown[at] == key
        wanted = self._lets_through(row)
        if wanted and not shown:
            self._shown.insert(at, key)
        elif shown and not wanted:
            del self._shown[at]


def newer_row(from_trace: RunRowView | None, from_store: RunRowView | None) -> RunRowView | None:
    """Choose which account of a run to list: the later one, and of two equally late the trace's.

    That nobody has a run in hand any more only the store knows.
    """
    if from_trace is None or from_store is None:
        return from_trace or from_store
    lead = from_store.updated_at - from_trace.updated_at
    if from_trace.status in _OPEN:
        if from_store.status == "interrupted" and lead > -_SLACK:
            return from_store
        if from_store.status not in _OPEN and lead >= 0:
            return from_store
    return from_store if lead > _SLACK else from_trace


def _discard(keys: list[Key], key: Key) -> None:
    at = bisect_left(keys, key)
    if at < len(keys) and keys[at] == key:
        del keys[at]
