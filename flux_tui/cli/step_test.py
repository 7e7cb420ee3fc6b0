"""``flux runs test``: a recorded step as a pytest test."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from flux_engine.trace.events import TraceEvent
from flux_engine.trace.reader import read_events
from flux_tui.cli.completion import complete_step
from flux_tui.cli.definitions import workflow_paths
from flux_tui.cli.errors import UsageError
from flux_tui.cli.lookup import run_of
from flux_tui.cli.masking import known_secrets
from flux_tui.cli.options import Db, RunId, Trace, Workflows, settings_with
from flux_tui.cli.step import step_of
from flux_tui.cli.terminal import user_code_prints_to_stderr
from flux_tui.model.step_test import Origin, has_waited, signals_of, step_test
from flux_tui.model.stored import from_state
from flux_tui.runner.discovery import module_name
from flux_tui.runner.loader import load_modules
from flux_tui.settings import Settings


def write_test(
    run: RunId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step.", autocompletion=complete_step)],
    *,
    workflows: Workflows = None,
    db: Db = None,
    trace: Trace = None,
) -> None:
    """Write a test that runs one step on its recorded data, and expects what was recorded."""
    settings = settings_with(db=db, trace=trace)
    state = run_of(settings, run)
    step_of(state, step)
    with user_code_prints_to_stderr() as data:
        origin = _origin(state.name, workflows, settings)
        view = from_state(state)
        entry = view.step(step)
        if entry is None:
            raise UsageError(f"run {state.id} has no step {step!r}")
        events = list(_events(settings.trace, state.id))
        signals, waited = signals_of(events, step), has_waited(events, step)
        data.write(step_test(view, entry, origin, signals, known_secrets(settings), waited=waited))


def _origin(workflow: str, paths: list[Path] | None, settings: Settings) -> Origin:
    """Return where a test can import the workflow from."""
    for module in load_modules(workflow_paths(paths, settings), root=settings.project).modules:
        for found in module.workflows:
            if found.name == workflow:
                path = Path(module.path)
                return Origin(module=module_name(path).name, variable=found.variable, file=path.name)
    raise UsageError(f"no module here defines {workflow!r}; --workflows PATH searches elsewhere")


def _events(trace: Path, run_id: str) -> Iterable[TraceEvent]:
    return (event for event in read_events(trace) if event.workflow_id == run_id) if trace.is_file() else ()
