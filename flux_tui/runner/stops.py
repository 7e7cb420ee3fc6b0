"""Where runs stop in a runner: at breakpoints, and after each step of those that take one at a time."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


class Stops:
    """Answers the engine's question whether a run pauses before a step."""

    def __init__(self) -> None:
        self._breakpoints: dict[str, frozenset[str]] = {}
        self._stepping: set[str] = set()

    def put(self, breakpoints: Mapping[str, Iterable[str]]) -> None:
        """Have these breakpoints, by workflow, and no others from now on."""
        self._breakpoints = {workflow: frozenset(steps) for workflow, steps in breakpoints.items()}

    @contextmanager
    def stepping(self, run_id: str) -> Iterator[None]:
        """Have a run stop before the steps behind those that it begins with."""
        self._stepping.add(run_id)
        try:
            yield
        finally:
            self._stepping.discard(run_id)

    def before(self, workflow: str, run_id: str, step: str) -> bool:
        """Say whether a run pauses before a step."""
        return run_id in self._stepping or step in self._breakpoints.get(workflow, ())
