"""``flux runs compare``: two runs step by step."""

from typing import Annotated

import typer

from flux_engine import RunStatus
from flux_engine.engine import FluxEngine
from flux_engine.execution import RunSummary
from flux_tui.cli.errors import UsageError
from flux_tui.cli.lookup import in_store, run_of
from flux_tui.cli.options import Db, RunId, settings_with
from flux_tui.model.compare import compare
from flux_tui.model.compare_words import comparison_text
from flux_tui.model.secrets import Secrets
from flux_tui.model.stored import from_state
from flux_tui.settings import Settings

Other = Annotated[
    str | None,
    typer.Argument(
        metavar="[WITH]",
        help="The run to compare it with. Default: the last one of its workflow that completed.",
    ),
]


def compare_runs(run: RunId, other: Other = None, *, db: Db = None) -> None:
    """Compare a run with another one, step by step: status, times, attempts, data, errors, code."""
    settings = settings_with(db=db)
    second = run_of(settings, run)
    first = run_of(settings, other or _completed(settings, second.id, second.name))
    comparison = compare(from_state(first), from_state(second))
    typer.echo(comparison_text(comparison, Secrets(settings.redact)))


def _completed(settings: Settings, run_id: str, workflow: str) -> str:
    async def listed(engine: FluxEngine) -> list[RunSummary]:
        return await engine.list(workflow=workflow, status=RunStatus.COMPLETED, limit=2)

    others = [run.id for run in in_store(settings, listed) if run.id != run_id]
    if not others:
        raise UsageError(
            f"no other run of {workflow!r} has completed; name the one to compare with: "
            f"flux runs compare {run_id} WITH"
        )
    return others[0]
