"""The runs that are marked, to be acted on together."""

from collections.abc import Iterable, Iterator


class Marks:
    """A set of runs, in the order in which they were marked."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __len__(self) -> int:
        """How many runs are marked."""
        return len(self._ids)

    def __contains__(self, run_id: object) -> bool:
        """Whether a run is marked."""
        return run_id in self._ids

    def __iter__(self) -> Iterator[str]:
        """Go through the marked runs."""
        return iter(tuple(self._ids))

    def toggle(self, run_id: str) -> None:
        """Mark a run, or take its mark away."""
        if run_id in self._ids:
            del self._ids[run_id]
        else:
            self._ids[run_id] = None

    def add(self, run_ids: Iterable[str]) -> None:
        """Mark runs."""
        self._ids.update(dict.fromkeys(run_ids))

    def remove(self, run_ids: Iterable[str]) -> None:
        """Take marks away."""
        for run_id in run_ids:
            self._ids.pop(run_id, None)

    def clear(self) -> None:
        """Take all marks away."""
        self._ids.clear()
