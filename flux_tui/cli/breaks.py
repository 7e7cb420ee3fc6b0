"""Breakpoints of the commands that move runs: ``--break`` and ``--next``."""

from collections.abc import Callable
from typing import Annotated

import typer

from flux_tui.cli.errors import UsageError
from flux_tui.runner.collect import Workflow

Break = Annotated[
    list[str] | None,
    typer.Option("--break", "-b", metavar="STEP", help="Stop before this step; may be given several times."),
]
Next = Annotated[
    bool, typer.Option("--next", "-n", help="Run the next step, with those ready beside it, and stop again.")
]

PauseBefore = Callable[[str, str, str], bool]


def pause_before(workflow: Workflow, steps: list[str] | None, *, stepping: bool = False) -> PauseBefore:
    """Return what an engine asks whether a run stops. Raises ``UsageError`` for steps that there are not."""
    names = [step["name"] for step in workflow.describe()["steps"]]
    unknown = [step for step in steps or () if step not in names]
    if unknown:
        raise UsageError(f"--break {unknown[0]}: there is no such step; there are: {', '.join(names)}")
    chosen = frozenset(steps or ())
    return lambda _workflow, _run_id, step: stepping or step in chosen
