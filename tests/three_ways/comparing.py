"""What is compared between places: a run and its trace, without what differs from run to run anywhere."""

from typing import Any

from flux_engine import WorkflowState

_TIMES = {"timestamp", "duration", "until"}
_BESIDE = {"ask-post", "ask-van"}
"""The steps that run at the same time: of their events, only the order for each step is fixed."""


def standing(run: WorkflowState) -> dict[str, Any]:
    """Return what a run came to: status, data with its types, history with every attempt and error."""
    return {
        "status": str(run.status),
        "data": {key: repr(value).replace(run.id, "ID") for key, value in sorted(run.data.items())},
        "error": run.error and (run.error.type, run.error.message, run.error.step),
        "steps": {step.name: _step(step, run.id) for step in run.history},
    }


def _step(step: Any, run_id: str) -> dict[str, Any]:
    return {
        "status": str(step.status),
        "attempts": step.attempts,
        "output": repr(step.output).replace(run_id, "ID"),
        "error": step.error and (step.error.type, step.error.message),
        "reason": step.reason,
        "log": [
            (str(each.status), each.error and (each.error.type, each.error.message))
            for each in step.attempt_log
        ],
    }


def told(events: list[dict[str, Any]], runs: list[str]) -> list[dict[str, Any]]:
    """Return a run's events without times and ids; those of steps beside each other, step by step."""
    names = {run_id: f"RUN-{n}" for n, run_id in enumerate(runs)}
    plain = [_plain(event, names) for event in events]
    beside = [n for n, event in enumerate(plain) if event.get("stepName") in _BESIDE]
    for n, event in zip(
        beside, sorted((plain[n] for n in beside), key=lambda event: event["stepName"]), strict=True
    ):
        plain[n] = event
    return plain


def _plain(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, names) for key, item in value.items() if key not in _TIMES}
    if isinstance(value, list):
        return [_plain(item, names) for item in value]
    if isinstance(value, str):
        for run_id, name in names.items():
            value = value.replace(run_id, name)
    return value
