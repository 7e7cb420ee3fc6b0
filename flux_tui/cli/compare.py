"""``flux runs compare``: two runs step by step."""

from typing import Annotated, Any

import typer

from flux_engine import RunStatus
from flux_engine.engine import FluxEngine
from flux_engine.execution import RunSummary
from flux_tui.cli.errors import UsageError
from flux_tui.cli.lookup import in_store, run_of
from flux_tui.cli.masking import known_secrets
from flux_tui.cli.options import Db, Json, RunId, settings_with
from flux_tui.cli.plain_json import to_plain
from flux_tui.model.compare import Comparison, Difference, RowComparison, compare
from flux_tui.model.compare_words import comparison_text
from flux_tui.model.json_text import write_json
from flux_tui.model.secrets import Secrets
from flux_tui.model.stored import from_state
from flux_tui.model.tree import MISSING, bare
from flux_tui.settings import Settings

Other = Annotated[
    str | None,
    typer.Argument(
        metavar="[WITH]",
        help="The run to compare it with. Default: the last one of its workflow that completed.",
    ),
]


def compare_runs(run: RunId, other: Other = None, *, db: Db = None, as_json: Json = False) -> None:
    """Compare a run with another one, step by step: status, times, attempts, data, errors, code."""
    settings = settings_with(db=db)
    second = run_of(settings, run)
    first = run_of(settings, other or _completed(settings, second.id, second.name))
    comparison = compare(from_state(first), from_state(second))
    if as_json:
        typer.echo(write_json(_as_json(comparison, known_secrets(settings))))
        return
    typer.echo(comparison_text(comparison, known_secrets(settings)))


def _as_json(comparison: Comparison, secrets: Secrets) -> dict[str, Any]:
    """Return the rows, each with its differences; a side without the value lacks its key."""
    runs = (comparison.first, comparison.second)
    return {
        "runs": [{"id": run.id, "workflow": run.workflow, "status": run.status} for run in runs],
        "same": not comparison.different,
        "rows": [_row(row, secrets) for row in comparison.rows],
    }


def _row(row: RowComparison, secrets: Secrets) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "name": row.name,
        "presence": str(row.presence),
        "statuses": row.statuses,
        "durations_ms": row.durations,
        "attempts": row.attempts,
        "code_differs": row.code,
        "differences": [_difference(each, secrets) for each in row.differences],
    }


def _difference(each: Difference, secrets: Secrets) -> dict[str, Any]:
    sides = {"first": each.first, "second": each.second}
    there = {side: {each.name: bare(value)} for side, value in sides.items() if value is not MISSING}
    masked = {side: secrets.told(to_plain(value))[each.name] for side, value in there.items()}
    return {"section": each.section, "name": each.name, "mark": each.mark.value, **masked}


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
