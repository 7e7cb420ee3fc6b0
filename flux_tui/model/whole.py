"""The whole of what is looked at, as text to copy, with the secrets taken out."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from flux_engine.trace.events import TraceEvent
from flux_tui.model.event_json import event_line
from flux_tui.model.json_text import indented
from flux_tui.model.run import LogLine, RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.model.tree import bare


def run_text(run: RunView, secrets: Secrets) -> str:
    """Return a run as JSON: its input, its steps with their results, its data and its error."""
    data = run.final_data
    if data is None and run.knows_data and run.steps:
        data = run.data_after(run.steps[-1].name)
    whole = {
        "id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "started_at": _time(run.started_at),
        "duration_ms": run.duration,
        "error": None if run.error is None else str(run.error),
        "input": run.input,
        "steps": [_step(step) for step in run.steps],
        "data": data,
    }
    return value_text(secrets.redact(whole))


def data_text(run: RunView, step: StepView | None, secrets: Secrets) -> str:
    """Return the data that a step left, or found if it is not done; without a step, the data of the run."""
    data = run.final_data or {} if step is None else run.data_after(step.name)
    return value_text(secrets.redact(data))


def logs_text(lines: Iterable[LogLine], step: StepView | None) -> str:
    """Return what a step printed and logged, or the whole run. The lines are masked already."""
    return "\n".join(line.text for line in lines if step is None or line.step == step.name)


def events_text(events: Iterable[TraceEvent], secrets: Secrets) -> str:
    """Return events as lines of JSON, as the trace has them."""
    return "\n".join(event_line(event, secrets) for event in events)


def workflow_text(description: Mapping[str, Any], secrets: Secrets) -> str:
    """Return the description of a workflow as JSON."""
    return value_text(secrets.described(description))


def value_text(value: Any) -> str:
    """Return a value as JSON to read: without the tags that keep the types."""
    return indented(bare(value))


def _step(step: StepView) -> dict[str, Any]:
    changes = step.changes
    return {
        "name": step.name,
        "status": step.status,
        "attempts": step.attempt,
        "duration_ms": step.duration,
        "error": None if step.error is None else str(step.error),
        "output": step.output,
        "set": None if changes is None else dict(changes.set),
        "deleted": None if changes is None else list(changes.deleted),
    }


def _time(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
