"""Where a run pauses by itself: the engine's ``pause_before``, asked about steps that are about to start."""

from collections.abc import Callable, Container

from flux_engine.running.problems import Problems

PauseBefore = Callable[[str, str, str], bool]
"""Says of a workflow, a run and a step whether the run pauses before that step."""


def guarded(ask: PauseBefore, problems: Problems) -> PauseBefore:
    """Return ``ask`` so that one that raises is counted and lets the run go on."""

    def asked(workflow: str, run_id: str, step: str) -> bool:
        try:
            return bool(ask(workflow, run_id, step))
        except Exception as error:  # noqa: BLE001 - it is the user's code
            problems.count("pause_before", error)
            return False

    return asked


class Stops:
    """Where one pass of a run stops: ``before`` has the steps that were not begun for it.

    ``passed`` are the steps that the pass begins with: whoever sends a run on from there wants them to run.
    """

    def __init__(self, ask: PauseBefore | None, workflow: str, run_id: str) -> None:
        self.before: list[str] = []
        self.passed: Container[str] = ()
        self._ask = ask
        self._workflow = workflow
        self._run_id = run_id

    @property
    def asked_for(self) -> bool:
        """Whether there is anybody to ask."""
        return self._ask is not None

    def at(self, step: str) -> bool:
        """Say whether the run stops before a step that is about to start, and note it."""
        if self._ask is None or step in self.passed or not self._ask(self._workflow, self._run_id, step):
            return False
        self.before.append(step)
        return True
