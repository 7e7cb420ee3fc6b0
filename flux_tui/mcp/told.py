"""What the tools answer: runs, steps and modules as JSON values, without secrets, and not without end."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flux_engine.execution import ErrorInfo, RetryPlan, RunSummary, StepHistory, WorkflowState
from flux_engine.masked import MASKED
from flux_tui.cli.plain_json import to_plain
from flux_tui.model.secrets import Secrets
from flux_tui.runner.messages import ModuleInfo, Problem

LARGEST: Final = 60_000
"""Characters of JSON that one value may have in an answer."""


def bounded(value: Any) -> Any:
    """Return the value, or in the place of a very large one what it is and how to look at parts of it."""
    size = len(json.dumps(value, ensure_ascii=False))
    if size <= LARGEST:
        return value
    about: dict[str, Any] = {
        "left_out": f"{size:,} characters; ask for single keys with data_at_step(keys=[…])"
    }
    if isinstance(value, Mapping):
        about["keys"] = {key: len(json.dumps(item, ensure_ascii=False)) for key, item in value.items()}
    return about


def summary(run: RunSummary, secrets: Secrets) -> dict[str, Any]:
    """Return a row of a listing."""
    return {
        "id": run.id,
        "workflow": run.name,
        "status": status(run),
        "created_at": run.created_at.isoformat(),
        "updated_at": run.updated_at.isoformat(),
        "current_step": run.current_step,
        "error": None if run.error is None else secrets.text(run.error),
    }


def status(run: RunSummary | WorkflowState) -> str:
    """Return the status of a run; one that was left in the middle is *interrupted*."""
    return "interrupted" if run.interrupted else str(run.status)


def whole_run(run: WorkflowState, secrets: Secrets) -> dict[str, Any]:
    """Return a run with its steps, its input and data, and its error."""
    return {
        "id": run.id,
        "workflow": run.name,
        "status": status(run),
        "created_at": run.created_at.isoformat(),
        "input": bounded(secrets.told(to_plain(run.input))),
        "data": bounded(secrets.told(to_plain(run.data))),
        "steps": [_step(entry, secrets) for entry in run.history],
        "error": None if run.error is None else error(run.error, secrets),
        "what_to_do": what_to_do(run),
    }


def _step(entry: StepHistory, secrets: Secrets) -> dict[str, Any]:
    wait = entry.waits_for
    found = {
        "name": entry.name,
        "status": str(entry.status),
        "commit": entry.commit or None,
        "attempts": entry.attempts,
        "seconds": entry.duration,
        "changed": sorted(entry.changes.set),
        "deleted": list(entry.changes.deleted),
        "reason": entry.reason,
        "error": None if entry.error is None else secrets.text(str(entry.error)),
        "waits_for": None if wait is None else to_plain(wait),
    }
    return {key: value for key, value in found.items() if value not in (None, [], {})}


def error(found: ErrorInfo, secrets: Secrets) -> dict[str, Any]:
    """Return an exception with the places in the user's code, the innermost last."""
    frames = [frame for frame in found.frames if frame.user]
    return {
        "type": found.type,
        "message": secrets.text(found.message),
        "step": found.step,
        "at": [
            f"{frame.file}:{frame.line} in {frame.function}: {secrets.text(frame.code)}" for frame in frames
        ],
    }


def what_to_do(run: WorkflowState) -> str:
    """Return which tools go on with a run as it stands."""
    if run.graph.get(MASKED) is True:
        return "look at it: its values were masked in its export, so no tool goes on with it"
    if run.interrupted or run.status == "paused":
        return "resume goes on from the first step that is not done"
    if run.status == "failed":
        step = next((entry.name for entry in run.history if entry.status == "failed"), None)
        return f"correct the code, then retry_step from {step!r}" if step else ""
    waits = [entry.waits_for.signal for entry in run.history if entry.waits_for and entry.waits_for.signal]
    return f"signal it: {', '.join(waits)}" if waits else ""


def plan(found: RetryPlan) -> dict[str, Any]:
    """Return what a retry would do."""
    return {
        "run_id": found.run_id,
        "step": found.step,
        "scope": found.scope,
        "runs_again": list(found.runs_again),
        "kept": list(found.kept),
        "repeated_commits": [
            {"step": commit.step, "idempotency_key": commit.idempotency_key}
            for commit in found.repeated_commits
        ],
        "changed_code": list(found.changed_code),
    }


def problems(modules: Sequence[ModuleInfo]) -> list[dict[str, Any]]:
    """Return the modules that do not load, each with the place and the line, and a caret below its column."""
    return [
        {"module": module.path, "at": _place(module, problem), "problem": _lines(problem)}
        for module in modules
        if (problem := module.problem) is not None
    ]


def _place(module: ModuleInfo, problem: Problem) -> str:
    numbers = [str(number) for number in (problem.line, problem.column) if number is not None]
    return ":".join([problem.file or module.path, *numbers])


def _lines(problem: Problem) -> str:
    lines = [f"{problem.kind}: {problem.message}"]
    if problem.code.strip():
        code = problem.code.expandtabs(1)
        indent = len(code) - len(code.lstrip())
        lines.append(f"  {code.strip()}")
        if problem.column:
            lines.append(f"  {' ' * max(problem.column - 1 - indent, 0)}^")
    return "\n".join(lines)
