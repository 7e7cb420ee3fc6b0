"""What callers hand to the engine, checked and brought into one form.

Mistakes are told before anything is stored: what was expected, and what was found.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flux_engine.builder import WorkflowBuilder
from flux_engine.data import Delta, is_text
from flux_engine.definition import DataT, InputT, WorkflowDefinition
from flux_engine.errors import InvalidInputError
from flux_engine.execution import RunStatus
from flux_engine.hooks import Hooks
from flux_engine.storage.base import WorkflowStorage

Workflow = WorkflowBuilder[InputT, DataT] | WorkflowDefinition[InputT, DataT]


def check_parts(storage: object, trace: object, on: object) -> None:
    """Raise ``TypeError`` for a part of an engine that is of another kind."""
    if storage is not None and not isinstance(storage, WorkflowStorage):
        raise TypeError(
            "storage= takes a store such as SQLiteStorage('.flux/flux.db') or MemoryStorage(), "
            f"found {storage!r}"
        )
    if trace is not None and (isinstance(trace, type) or not callable(getattr(trace, "emit", None))):
        raise TypeError(
            "trace= takes an object with emit(event), such as JsonFileTraceSink('.flux/trace.ndjson'), "
            f"found {trace!r}"
        )
    if on is not None and not isinstance(on, Hooks):
        raise TypeError(f"on= takes Hooks(step_start=…, …), found {on!r}")


def as_definition(workflow: Workflow[InputT, DataT]) -> WorkflowDefinition[InputT, DataT]:
    """Return the workflow's frozen definition. Raises ``DefinitionError`` when it cannot be built."""
    if isinstance(workflow, WorkflowBuilder):
        return workflow.build()
    if isinstance(workflow, WorkflowDefinition):
        return workflow
    raise TypeError(f"expected a workflow made with create_workflow(), found {workflow!r}")


def check_run_id(workflow: str, run_id: object) -> None:
    """Raise ``InvalidInputError`` for an id that no store can keep."""
    if run_id is None or (isinstance(run_id, str) and run_id.strip() and is_text(run_id)):
        return
    problem = f"a run's id is a string that is not empty and has no surrogates, not {run_id!r}"
    raise InvalidInputError(workflow, [("run_id", problem)])


def as_edit(definition: WorkflowDefinition[Any, Any], data: Mapping[str, Any] | None) -> Delta | None:
    """Return a caller's edit of the data as changes; ``None`` for none. Raises as ``DataShape.edit``."""
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise TypeError(f"data= takes a mapping of top-level keys to values, found {data!r}")
    return definition.shape.edit(data) if data else None


def as_statuses(status: RunStatus | str | Iterable[RunStatus | str] | None) -> tuple[RunStatus, ...]:
    """Return the statuses to filter by, none for all."""
    if status is None:
        return ()
    return (RunStatus(status),) if isinstance(status, str) else tuple(RunStatus(entry) for entry in status)
