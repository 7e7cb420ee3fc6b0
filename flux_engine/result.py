"""What ``execute`` and the verbs like it return."""

from collections.abc import Callable
from typing import Generic

from flux_engine.definition import DataT
from flux_engine.errors import WorkflowFailedError
from flux_engine.execution import ErrorInfo, RunStatus, StepHistory


class FluxResult(Generic[DataT]):
    """Where a run stands when the verb returns.

    Attributes:
        id: the run.
        name: its workflow.
        status: mostly ``completed`` or ``failed``; ``running`` when the engine was closed meanwhile.
        data: the run's data: a dict with attribute access, or an instance of the type given to ``.data()``.
        duration: seconds, of this call.
        error: what made the run fail, or ``None``.
    """

    __slots__ = ("_exception", "_history", "data", "duration", "error", "id", "name", "status")

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the field's word
        name: str,
        status: RunStatus,
        data: DataT,
        history: Callable[[], tuple[StepHistory, ...]],
        duration: float,
        error: ErrorInfo | None,
        exception: BaseException | None,
    ) -> None:
        self.id = id
        self.name = name
        self.status = status
        self.data = data
        self._history: Callable[[], tuple[StepHistory, ...]] | tuple[StepHistory, ...] = history
        self.duration = duration
        self.error = error
        self._exception = exception

    def __repr__(self) -> str:
        ending = f": {self.error}" if self.error else ""
        return f"<{self.name} {self.id} {self.status} after {self.duration:.3g} s{ending}>"

    @property
    def history(self) -> tuple[StepHistory, ...]:
        """An entry for each step. The values in it are decoded when it is looked at first.

        Raises ``UnknownTypeError`` for a recorded value of a class that is not loaded.
        """
        if callable(self._history):
            self._history = self._history()
        return self._history

    @property
    def ok(self) -> bool:
        """Whether the run completed."""
        return self.status is RunStatus.COMPLETED

    def raise_for_status(self) -> None:
        """Raise ``WorkflowFailedError`` from the step's own exception when the run did not complete."""
        if self.status is RunStatus.COMPLETED:
            return
        where = f" at step {self.error.step!r}" if self.error and self.error.step else ""
        why = f": {self.error}" if self.error else ""
        raise WorkflowFailedError(
            f"Run {self.id} of workflow {self.name!r} is {self.status}{where}{why}"
        ) from self._exception
