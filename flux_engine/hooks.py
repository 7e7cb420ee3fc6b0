"""Hooks: functions that are told what happens in the runs of an engine."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from flux_engine.execution import ErrorInfo


class HookEvent(Struct, frozen=True, kw_only=True):
    """What a hook is given: one value.

    ``event`` is the name of the hook. ``step``, ``attempt`` and ``output`` are of step events only;
    ``duration`` is seconds; ``error`` and ``exception`` (the object itself) are of error events only.
    """

    event: str
    run_id: str
    workflow: str
    status: str
    step: str | None = None
    attempt: int | None = None
    duration: float | None = None
    output: Any = None
    data: Any = None
    error: ErrorInfo | None = None
    exception: BaseException | None = None


Hook = Callable[[HookEvent], Any]


class Hooks(Struct, frozen=True, kw_only=True):
    """Functions to call, sync or async, each with one ``HookEvent``, after the event is stored.

    A hook that raises never breaks a run: its first error is logged, all are counted in
    ``FluxEngine.problems``. An async hook is awaited before the run goes on.
    """

    step_start: Hook | None = None
    step_complete: Hook | None = None
    step_error: Hook | None = None
    workflow_complete: Hook | None = None
    workflow_error: Hook | None = None
