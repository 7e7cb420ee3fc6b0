"""How many runs each workflow has, and which is its newest."""

from collections import Counter
from collections.abc import Iterable

from flux_tui.model.run import RunRowView
from flux_tui.model.runs import RunsModel


class Census:
    """Counts runs as they come into the list and leave it."""

    def __init__(self, runs: RunsModel) -> None:
        self.counts: Counter[str] = Counter()
        self._runs = runs
        self._latest: dict[str, tuple[float, str]] = {}

    def count(self, rows: Iterable[RunRowView]) -> None:
        """Count those that are not in the list yet."""
        for row in {row.id: row for row in rows}.values():
            if self._runs.get(row.id) is None:
                self.counts[row.workflow] += 1
                before = self._latest.get(row.workflow, (0.0, ""))
                self._latest[row.workflow] = max(before, (row.started_at, row.id))

    def forget(self, row: RunRowView) -> None:
        """Count a run no more."""
        self.counts[row.workflow] -= 1
        if self._latest.get(row.workflow, (0.0, ""))[1] == row.id:
            del self._latest[row.workflow]

    def latest(self, workflow: str) -> str | None:
        """Return the id of the newest run of a workflow that is not about to be deleted, or ``None``."""
        _, run_id = self._latest.get(workflow, (0.0, ""))
        if run_id and run_id not in self._runs.hidden:
            return run_id
        newest = self._runs.newest(workflow) if self.counts[workflow] else None
        if newest is None:
            return None
        if not run_id:
            self._latest[workflow] = (newest.started_at, newest.id)
        return newest.id
