"""What a handler sees: ``ctx``."""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Generic, Protocol

from msgspec import Struct

from flux_engine.codec import decode
from flux_engine.definition import DataT, InputT, StepDefinition
from flux_engine.errors import TransactionError
from flux_engine.execution import RunStatus, StepHistory
from flux_engine.logger import FluxLogger
from flux_engine.transaction import AttemptTransaction, Transaction


class CurrentStep(Struct, frozen=True, kw_only=True):
    """Which attempt the code that asks is part of."""

    run_id: str
    workflow: str
    step: str
    step_index: int
    attempt: int


current_step: ContextVar[CurrentStep | None] = ContextVar("flux_current_step", default=None)
"""The attempt under way in this task or worker thread; ``None`` outside handlers."""


_UNREAD = object()


class RunSeenByHandler(Protocol):
    """What the context asks of the run it belongs to."""

    id: str
    workflow: str

    @property
    def status(self) -> RunStatus:
        """The status of the run."""
        ...

    def history(self) -> tuple[StepHistory, ...]:
        """Return an entry for each step."""
        ...

    def output_text(self, step: str) -> str | None:
        """Return a done step's output as JSON text."""
        ...

    def steps_with_output(self) -> list[str]:
        """Return the names of the steps that are done."""
        ...

    def signal_texts(self) -> Mapping[str, str]:
        """Return the payloads of received signals as JSON text, by name."""
        ...

    def read_input(self) -> Any:
        """Return a copy of the input, as the type that the workflow states."""
        ...

    def logger_of(self, step: StepDefinition, attempt: int) -> FluxLogger:
        """Return the logger of an attempt. May be called from any thread."""
        ...


class Outputs(Mapping[str, Any]):
    """What the handlers of completed steps returned, by name. Each look gives a fresh copy."""

    __slots__ = ("_run",)

    def __init__(self, run: RunSeenByHandler) -> None:
        self._run = run

    def __getitem__(self, step: str) -> Any:
        text = self._run.output_text(step)
        if text is None:
            raise KeyError(f"step {step!r} has not completed in this run")
        return decode(text)

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.steps_with_output())

    def __len__(self) -> int:
        return len(self._run.steps_with_output())


class Context(Generic[InputT, DataT]):
    """What a handler is given.

    Attributes:
        input: the run's input, as the type stated with ``.input()``; each attempt has a copy of its own.
        data: the run's data; see ``flux_engine.data``. What a handler changes here is stored when it
            returns, and dropped when it raises.
        current_step: the name of the step this handler belongs to.
        attempt: the number of this attempt, from 1, over the run's life: a retry by hand counts on.
        idempotency_key: the same for a run and step over attempts, resumes and retries.
        outputs: what the handlers of completed steps returned, by step name.
        signals: the payloads of the signals that the run has received, by name.
        tx: in a commit, a connection whose writes are one transaction with the record of the commit.
        logger: writes to the engine's logger, and to the trace as ``step:log``.
    """

    __slots__ = ("_input", "_logger", "_run", "_step", "_transaction", "attempt", "current_step", "data")

    def __init__(
        self,
        *,
        run: RunSeenByHandler,
        data: DataT,
        step: StepDefinition,
        attempt: int,
        transaction: AttemptTransaction | None = None,
    ) -> None:
        self._run = run
        self._step = step
        self._input: Any = _UNREAD
        self._logger: FluxLogger | None = None
        self.data = data
        self.current_step = step.name
        self.attempt = attempt
        self._transaction = transaction

    def __repr__(self) -> str:
        return f"<context of {self.name} {self.id}, step {self.current_step!r}, attempt {self.attempt}>"

    @property
    def input(self) -> InputT:
        """The run's input."""
        if self._input is _UNREAD:
            self._input = self._run.read_input()
        found: InputT = self._input
        return found

    @property
    def logger(self) -> FluxLogger:
        """Writes to the engine's logger, and to the trace as ``step:log``."""
        if self._logger is None:
            self._logger = self._run.logger_of(self._step, self.attempt)
        return self._logger

    @property
    def id(self) -> str:
        """The id of the run."""
        return self._run.id

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return self._run.workflow

    @property
    def status(self) -> RunStatus:
        """The status of the run."""
        return self._run.status

    @property
    def history(self) -> tuple[StepHistory, ...]:
        """An entry for each step of the run, those that have not started included."""
        return self._run.history()

    @property
    def idempotency_key(self) -> str:
        """The key to pass to a service, so that it recognises a repetition of this step of this run."""
        return idempotency_key(self._run.id, self.current_step)

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What the handlers of completed steps returned, by step name."""
        return Outputs(self._run)

    @property
    def tx(self) -> Transaction:
        """A connection whose writes are one transaction with the record of this commit.

        Raises ``TransactionError`` outside the handler of a commit, and when the store has no transactions.
        """
        if self._transaction is None:
            raise TransactionError(
                f"step {self.current_step!r} has no ctx.tx: only the handler of a commit has one. "
                "Add the step with .commit() instead of .step()."
            )
        return self._transaction.for_handler()

    @property
    def signals(self) -> Mapping[str, Any]:
        """The payloads of the signals that the run has received, by name; fresh copies."""
        return {name: decode(text) for name, text in self._run.signal_texts().items()}


def idempotency_key(run_id: str, step: str) -> str:
    """Return the key that a step of a run keeps for its whole life."""
    return f"{run_id}:{step}"
