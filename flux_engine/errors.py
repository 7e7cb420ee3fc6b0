"""Every error that Flux raises on purpose.

Each message says what was expected, what was found and what to do next.

    FluxError
    ├── DefinitionError            a workflow that cannot be built
    ├── InvalidInputError          input that does not fit; no run was created
    ├── RunNotFoundError           no run has this id
    ├── RunExistsError             the id asked for is taken
    ├── WorkflowMismatchError      the run belongs to another workflow
    ├── StepNotFoundError          the workflow has no such step
    ├── DefinitionChangedError     the workflow's steps are no longer those of the run
    ├── RunBusyError               another engine owns the run
    ├── MaskedRunError             the run is for looking at: values in it are masked
    ├── OwnershipLostError         this engine no longer owns the run
    ├── InvalidTransitionError     the status does not allow it
    ├── SignalMismatchError        the run waits for another signal
    ├── DataConflictError          two concurrent steps changed the same key
    ├── WaitTimeoutError           a signal did not come in time
    ├── WorkflowFailedError        a failed result, raised by ``raise_for_status``
    ├── SerializationError         a value that cannot be stored
    ├── UnknownTypeError           a stored value whose class is not loaded
    ├── TransactionError           ctx.tx where there is none, or used as it must not be
    ├── StepTimeoutError           an attempt that ran longer than its time-out
    ├── FatalError                 raised by handlers: do not try this step again
    └── StorageError               the store cannot be read or written
        └── SchemaVersionError     the store was written by another version of Flux
"""

from collections.abc import Sequence
from typing import ClassVar


class FluxError(Exception):
    """The base of all errors of Flux."""


class DefinitionError(FluxError):
    """A workflow that cannot be built: no steps, a name used twice, an option out of range."""


class InvalidInputError(FluxError):
    """Input that does not fit the workflow. Raised before a run exists.

    ``problems`` has one ``(location, message)`` pair for each field that does not fit; the location
    is a dotted path such as ``items.0.price``, empty for the input as a whole.
    """

    def __init__(self, workflow: str, problems: Sequence[tuple[str, str]]) -> None:
        self.workflow = workflow
        self.problems = tuple(problems)
        lines = "".join(f"\n  {where or 'input'}: {what}" for where, what in self.problems)
        super().__init__(f"The input does not fit workflow {workflow!r}; nothing was run.{lines}")


class RunNotFoundError(FluxError):
    """No run has this id."""


class RunExistsError(FluxError):
    """A run with this id exists already."""


class WorkflowMismatchError(FluxError):
    """The run belongs to another workflow than the one given."""


class StepNotFoundError(FluxError):
    """The workflow has no step of this name."""


class DefinitionChangedError(FluxError):
    """The steps before the starting point are no longer those that the run was made with.

    The message is what was ``found``, and the ``advice`` to a program.
    """

    advice: ClassVar[str] = "Go on from an earlier step, start a new run, or pass allow_changed=True."

    def __init__(
        self, found: str, *, added: Sequence[str], removed: Sequence[str], moved: Sequence[str]
    ) -> None:
        self.added = tuple(added)
        self.removed = tuple(removed)
        self.moved = tuple(moved)
        self.found = found
        super().__init__(f"{found} {self.advice}")


class RunBusyError(FluxError):
    """Another engine owns the run and is alive."""


class MaskedRunError(FluxError):
    """The run was imported from an export whose secrets were masked, so it can only be looked at."""


class OwnershipLostError(FluxError):
    """This engine no longer owns the run: another one took it over, and nothing was written."""


class InvalidTransitionError(FluxError):
    """The status of the run or step does not allow what was asked."""


class SignalMismatchError(FluxError):
    """The run is suspended and waits for a signal of another name."""


class DataConflictError(FluxError):
    """Two steps that ran at the same time changed the same top-level key of ``ctx.data``."""


class WaitTimeoutError(FluxError, TimeoutError):
    """A step waited for a signal longer than its time-out. Also a ``TimeoutError``."""


class WorkflowFailedError(FluxError):
    """A run that failed, raised by ``FluxResult.raise_for_status`` from the step's own exception."""


class SerializationError(FluxError):
    """A value that cannot be stored so that the same value of the same type comes back."""


class UnknownTypeError(FluxError):
    """A stored value whose class is not among the modules loaded in this process."""


class TransactionError(FluxError):
    """``ctx.tx`` was used where there is none, after its end, or for what handlers may not do there."""


class StepTimeoutError(FluxError, TimeoutError):
    """An attempt that ran longer than the time-out of its step. Also a ``TimeoutError``."""


class FatalError(FluxError):
    """Raise it in a handler to fail the step at once, without the retries that are left."""


class StorageError(FluxError):
    """The store cannot be read or written."""


class SchemaVersionError(StorageError):
    """The store has a schema that this version of Flux does not know."""
