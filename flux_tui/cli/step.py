"""``flux runs show --step``: one step of a run, with the data that it found and that it left."""

from typing import Any

import typer

from flux_engine.execution import StepHistory, WorkflowState
from flux_tui.cli.errors import UsageError
from flux_tui.cli.plain_json import to_plain, to_text
from flux_tui.cli.terminal import Look
from flux_tui.cli.texts import error_lines
from flux_tui.model.json_text import write_json
from flux_tui.model.masked import masked_error
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import duration_text, printable


def step_of(state: WorkflowState, name: str) -> StepHistory:
    """Return a step of a run. Raises ``UsageError`` naming those that there are."""
    try:
        return state.step(name)
    except KeyError:
        names = ", ".join(entry.name for entry in state.history)
        raise UsageError(f"run {state.id} has no step {name!r}; there are: {names}") from None


def step_json(state: WorkflowState, name: str, secrets: Secrets | None) -> dict[str, Any]:
    """Return a step as JSON values, beside it ``data_before`` and ``data_after``; ``secrets`` are masked.

    Raises ``UsageError`` for a step that there is not.
    """
    found = {
        "run": state.id,
        "workflow": state.name,
        **to_plain(step_of(state, name)),
        "data_before": to_plain(state.data_before(name)),
        "data_after": to_plain(state.data_after(name)),
    }
    return found if secrets is None else dict(secrets.told(found))


def show_step(state: WorkflowState, name: str, secrets: Secrets | None, look: Look, *, as_json: bool) -> None:
    """Write a step to standard output."""
    found = step_json(state, name, secrets)
    if as_json:
        typer.echo(write_json(found))
        return
    entry = step_of(state, name)
    status = str(entry.status)
    took = "" if entry.duration is None else f"  {duration_text(entry.duration * 1000)}"
    tries = f"  {entry.attempts} attempts" if entry.attempts > 1 else ""
    typer.echo(f"{look.glyph(status)} {printable(name)}  {status}{took}{tries}  of run {state.id}")
    if entry.error is not None:
        error = entry.error if secrets is None else masked_error(entry.error, secrets)
        typer.echo("\n".join(["", "Error", *(f"  {line}" for line in error_lines(error, look))]))
    titles = {"data_before": "Data before", "data_after": "Data after", "output": "Output"}
    for key, title in titles.items():
        if key != "output" or found[key] is not None:
            typer.echo("\n".join(["", title, *(f"  {line}" for line in to_text(found[key]).splitlines())]))
