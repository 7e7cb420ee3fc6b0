"""One attempt of a step: call the handler, within its time-out, and see what came of it."""

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any

from msgspec import Struct

from flux_engine.codec import encode
from flux_engine.context import Context, CurrentStep, current_step
from flux_engine.data import UNCHANGED, DataShape, Delta, RunData
from flux_engine.definition import Handler, StepDefinition
from flux_engine.errors import SerializationError, StepTimeoutError
from flux_engine.running.threads import drop, end_child, run_in_thread
from flux_engine.running.time_limit import TimeLimit
from flux_engine.waiting import Sleep, Wait

_WAITS = (Wait, Sleep)


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of an attempt. ``output`` is JSON text; ``values`` has the touched keys of the data."""

    delta: Delta = UNCHANGED
    values: dict[str, Any] = {}
    output: str | None = None
    waits_for: Wait | Sleep | None = None
    error: BaseException | None = None


async def run_attempt(
    step: StepDefinition,
    ctx: Context[Any, Any],
    *,
    shape: DataShape,
    data: RunData,
    limit: TimeLimit,
    timeout: float | None,  # noqa: ASYNC109 - the field's word
    handler: Handler | None = None,
) -> Outcome:
    """Call the step's handler, or the one given, once.

    Only a cancellation from outside is raised; all else is in the outcome.
    """
    token = current_step.set(
        CurrentStep(
            run_id=ctx.id, workflow=ctx.name, step=step.name, step_index=step.index, attempt=ctx.attempt
        )
    )
    call = handler or step.handler
    returned, process = None, os.getpid()
    try:
        try:
            with limit.of(timeout):
                returned = await (call(ctx) if is_async(call) else _in_thread(call, ctx))
        finally:
            if os.getpid() != process:  # a child that the handler forked, and that has come back here
                end_child(sys.exception())
        if limit.expired:
            raise _too_long(step, ctx, timeout)  # noqa: TRY301 - an outcome like what the handler raises
        waits_for = returned if isinstance(returned, _WAITS) else None
        output = None if returned is None or waits_for is not None else _encode_output(step, returned)
        delta, values = _changes(step, shape, ctx, data)
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        if isinstance(error, KeyboardInterrupt) or _cancelled_from_outside():
            raise
        return Outcome(error=error, delta=_kept_changes(shape, ctx, data))
    except BaseException as error:  # noqa: BLE001 - a handler may raise anything, SystemExit too
        return Outcome(error=error, delta=_kept_changes(shape, ctx, data))
    else:
        return Outcome(delta=delta, values=values, output=output, waits_for=waits_for)
    finally:
        current_step.reset(token)


async def _in_thread(handler: Callable[[Any], Any], ctx: Context[Any, Any]) -> Any:
    future = run_in_thread(functools.partial(handler, ctx))
    try:
        returned = await future
    except asyncio.CancelledError:
        if future.done() and not future.cancelled() and future.exception() is None:
            drop(future.result())  # it came at the same moment
        raise
    return await returned if isinstance(returned, Awaitable) else returned


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether calling it gives a coroutine, so that it runs on the event loop."""
    if type(function) is FunctionType and function.__code__.co_flags & inspect.CO_COROUTINE:
        return True
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - the method itself is asked for
    )


def _too_long(step: StepDefinition, ctx: Context[Any, Any], seconds: float | None) -> StepTimeoutError:
    return StepTimeoutError(
        f"step {step.name!r} ran longer than its time-out of {seconds or 0.0:g} s (attempt {ctx.attempt}); "
        "raise the step's timeout= if it needs longer"
    )


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _encode_output(step: StepDefinition, returned: Any) -> str:
    try:
        return encode(returned)
    except SerializationError as error:
        raise SerializationError(f"what step {step.name!r} returned cannot be stored: {error}") from error


def _changes(
    step: StepDefinition, shape: DataShape, ctx: Context[Any, Any], data: RunData
) -> tuple[Delta, dict[str, Any]]:
    try:
        return shape.changes(ctx.data, data)
    except SerializationError as error:
        raise SerializationError(f"step {step.name!r}: {error}") from error


def _kept_changes(shape: DataShape, ctx: Context[Any, Any], data: RunData) -> Delta:
    """Return what a failed attempt had changed, for inspection, as far as it can be stored."""
    try:
        return shape.changes(ctx.data, data)[0]
    except Exception:  # noqa: BLE001 - the attempt has its own error, which counts
        return UNCHANGED
