"""One step of a workflow alone, on data that is given: for tests of a handler as the engine calls it."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field, structs

from flux_engine.arguments import Workflow, as_definition
from flux_engine.codec import decode
from flux_engine.definition import StepDefinition, WorkflowDefinition
from flux_engine.engine import FluxEngine
from flux_engine.execution import Changes, ErrorInfo, StepStatus
from flux_engine.logger import FluxSilentLogger
from flux_engine.result import FluxResult
from flux_engine.storage.memory import MemoryStorage
from flux_engine.waiting import Wait, wait

_MARK = "recorded "
"""How the steps begin that put in what is recorded."""


class StepOutcome(Struct, frozen=True, kw_only=True):
    """What a step came to. ``data`` is all data after it, ``changes`` what the step itself did to it."""

    status: StepStatus
    data: Any = None
    changes: Changes = field(default_factory=Changes)
    output: Any = None
    error: ErrorInfo | None = None
    result: FluxResult[Any]

    def raise_for_error(self) -> None:
        """Raise ``WorkflowFailedError``, from the exception of the handler, when the step failed."""
        if self.status is StepStatus.FAILED:
            self.result.raise_for_status()


async def run_step(
    workflow: Workflow[Any, Any],
    step: str,
    *,
    input: Any = None,  # noqa: A002 - the field's word
    data: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    signals: Mapping[str, Any] | None = None,
    run_id: str | None = None,
) -> StepOutcome:
    """Run one attempt of a step, its ``when`` included, and return what came of it; nothing is stored.

    The handler is called as in a run, so a commit has its effects. A step that waits is ``suspended``.

    Args:
        workflow: the workflow of the step.
        step: its name.
        input: what ``ctx.input`` is made from.
        data: what ``ctx.data`` holds before the step, by key.
        outputs: what ``ctx.outputs`` holds, by step.
        signals: what ``ctx.signals`` holds, by name.
        run_id: the run to be, which decides over ``ctx.idempotency_key``.

    Raises:
        StepNotFoundError, InvalidInputError.
    """
    whole = as_definition(workflow)
    target = structs.replace(whole.step(step), retries=0, compensate=None)
    before = dict(_before(target, data or {}, outputs or {}, signals or {}))
    alone = _definition(whole, before, target)
    engine = FluxEngine(storage=MemoryStorage(), logger=FluxSilentLogger())
    async with engine:
        result = await engine.execute(alone, input, run_id=run_id)
        for name, payload in (signals or {}).items():
            result = await engine.signal(alone, result.id, name, payload)
    entry = next(entry for entry in result.history if entry.name == target.name)
    return StepOutcome(
        status=entry.status,
        data=result.data,
        changes=entry.changes,
        output=entry.output,
        error=entry.error,
        result=result,
    )


def run_step_sync(workflow: Workflow[Any, Any], step: str, **given: Any) -> StepOutcome:
    """Do what ``run_step`` does, in a program without an event loop."""
    return asyncio.run(run_step(workflow, step, **given))


def recorded(value: Any) -> Any:
    """Return values copied from a record: what JSON has not stands there as ``{"$type": …, "value": …}``.

    Raises ``UnknownTypeError`` for a class whose module is not imported.
    """
    return decode(json.dumps(value))


def _before(
    target: StepDefinition,
    data: Mapping[str, Any],
    outputs: Mapping[str, Any],
    signals: Mapping[str, Any],
) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield what happens before the step: outputs, signals and data are put in as steps of their own."""
    for name, output in outputs.items():
        if name != target.name:
            yield name, _returning(output)
    for name in signals:
        yield f"{_MARK}{name}", _waiting(name)
    yield f"{_MARK}data", _setting(data)


def _definition(
    whole: WorkflowDefinition[Any, Any], before: Mapping[str, Callable[[Any], Any]], target: StepDefinition
) -> WorkflowDefinition[Any, Any]:
    names = [*before, target.name]
    blank = structs.replace(target, commit=False, when=None, on_crash="retry", fingerprint="")
    steps = [structs.replace(blank, name=name, handler=handler) for name, handler in before.items()]
    placed = [
        structs.replace(each, index=index, after=tuple(names[index - 1 : index]), chained=True)
        for index, each in enumerate([*steps, target])
    ]
    return whole.made_of(tuple(placed))


def _returning(output: Any) -> Callable[[Any], Any]:
    async def put_in(_: Any) -> Any:
        return output

    return put_in


def _waiting(name: str) -> Callable[[Any], Any]:
    async def put_in(_: Any) -> Wait:
        return wait(name)

    return put_in


def _setting(data: Mapping[str, Any]) -> Callable[[Any], Any]:
    async def put_in(ctx: Any) -> None:
        for key, value in data.items():
            if isinstance(ctx.data, dict):
                ctx.data[key] = value
            else:
                setattr(ctx.data, key, value)

    return put_in
