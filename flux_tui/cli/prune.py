"""``flux prune``, which is also ``flux runs prune``: removing runs that nobody will look at again."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from msgspec import Struct

from flux_engine import FluxEngine, RunStatus
from flux_engine.errors import FluxError, RunNotFoundError
from flux_engine.execution import RunSummary
from flux_tui.cli.bar import Bar, bar
from flux_tui.cli.completion import complete_workflow
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.lookup import in_store, store_exists
from flux_tui.cli.options import Db, Json, Trace, Yes, settings_with
from flux_tui.cli.terminal import look_of
from flux_tui.cli.texts import counted
from flux_tui.compaction import CompactionError, compact
from flux_tui.model import when
from flux_tui.model.json_text import write_json
from flux_tui.model.text import printable
from flux_tui.settings import Settings
from flux_tui.workspace import open_engine

ENDED: Final = tuple(status for status in RunStatus if status.ended)
PAGE: Final = 1000
BATCH: Final = 200

EPILOG: Final = epilog(
    "flux prune --older-than 30d --dry-run",
    "flux prune --older-than 30d --yes --vacuum",
    "flux prune --older-than 1w --status completed --workflow order-process",
)


class Found(Struct, frozen=True, kw_only=True):
    """A run to delete."""

    id: str
    workflow: str
    status: str


class Pruned(Struct, frozen=True, kw_only=True):
    """What became of the runs: which are gone, and why others are not."""

    deleted: tuple[str, ...] = ()
    kept: dict[str, str] = {}


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command("prune", epilog=EPILOG)(prune)


def prune(
    *,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="AGE", help="How long nothing happened to them: 30d, 2w, 12h."),
    ],
    status: Annotated[
        list[RunStatus] | None,
        typer.Option("--status", "-s", help="Only these. Default: completed, failed, cancelled."),
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option(
            "--workflow", "-w", help="Only runs of this workflow.", autocompletion=complete_workflow
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be deleted.")] = False,
    yes: Yes = False,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Give the room back: a file takes as much for a while.")
    ] = False,
    db: Db = None,
    trace: Trace = None,
    as_json: Json = False,
) -> None:
    """Delete old runs and their history from the store; asks first.

    A run that has not ended is left alone unless --status names how it stands, and one in the hands of a
    process in any case. The trace keeps what it has.
    """
    settings = settings_with(db=db, trace=trace)
    before = datetime.now(UTC) - _age(older_than)
    found = _find(settings, before, status or ENDED, workflow) if store_exists(settings) else []
    counts = Counter((run.workflow, run.status) for run in found)
    for line in _told(counts, older_than, dry_run=dry_run):
        typer.echo(line, err=True)
    if dry_run or not found:
        done = Pruned()
    else:
        _confirm(len(found), yes=yes)
        done = _delete(settings, found)
        typer.echo(f"{counted(len(done.deleted), 'run')} deleted", err=True)
        for run_id, reason in done.kept.items():
            typer.echo(f"kept {run_id}: {reason}", err=True)
    freed = _vacuum(settings) if vacuum and not dry_run and store_exists(settings) else None
    if as_json:
        by_workflow: dict[str, dict[str, int]] = {}
        for (name, state), count in sorted(counts.items()):
            by_workflow.setdefault(name, {})[state] = count
        written: dict[str, Any] = {"dry_run": dry_run, "found": len(found), "by_workflow": by_workflow}
        written |= {"deleted": list(done.deleted), "kept": done.kept, "bytes_freed": freed}
        typer.echo(write_json(written))


def _age(text: str) -> timedelta:
    seconds = when.duration(text.strip().lower())
    if seconds is None:
        raise UsageError(f"--older-than: expected an age such as 30d, 2w, 12h or 90m, found {text!r}")
    return timedelta(seconds=seconds)


def _find(
    settings: Settings, before: datetime, statuses: Sequence[RunStatus], workflow: str | None
) -> list[Found]:
    async def listed(engine: FluxEngine) -> list[Found]:
        found: list[Found] = []
        last: RunSummary | None = None
        while True:
            page = await engine.list(
                workflow=workflow, status=statuses, until=before, before=last, limit=PAGE
            )
            found += [
                Found(id=run.id, workflow=run.name, status=_status(run))
                for run in page
                if run.updated_at < before
            ]
            if len(page) < PAGE:
                return found
            last = page[-1]

    return in_store(settings, listed)


def _status(run: RunSummary) -> str:
    return "interrupted" if run.interrupted else str(run.status)


def _told(counts: Counter[tuple[str, str]], age: str, *, dry_run: bool) -> list[str]:
    if not counts:
        return [f"no run has been left alone for longer than {age}"]
    total = counted(counts.total(), "run")
    head = f"{total} would be deleted:" if dry_run else f"{total} to delete:"
    return [
        head,
        *(f"  {count:>9,}  {printable(name)}  {state}" for (name, state), count in sorted(counts.items())),
    ]


def _confirm(number: int, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("runs are deleted only after asking. Pass --yes, or --dry-run to only look")
    sys.stderr.write(f"Delete {counted(number, 'run')} for good? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was deleted")


def _delete(settings: Settings, found: Sequence[Found]) -> Pruned:
    with bar("deleting", look_of(sys.stderr, ascii_only=settings.ascii)) as shown:
        return asyncio.run(_delete_in_batches(settings, [run.id for run in found], shown))


async def _delete_in_batches(settings: Settings, run_ids: Sequence[str], shown: Bar) -> Pruned:
    """Delete so many at a time that they share transactions and others get their turn between."""
    deleted: list[str] = []
    kept: dict[str, str] = {}
    async with open_engine(settings) as engine:
        for start in range(0, len(run_ids), BATCH):
            batch = run_ids[start : start + BATCH]
            outcomes = await asyncio.gather(*map(engine.delete, batch), return_exceptions=True)
            for run_id, outcome in zip(batch, outcomes, strict=True):
                if outcome is None or isinstance(outcome, RunNotFoundError):
                    deleted.append(run_id)
                elif isinstance(outcome, FluxError):
                    kept[run_id] = str(outcome)
                else:
                    raise outcome
            shown.show(start + len(batch), len(run_ids))
    return Pruned(deleted=tuple(deleted), kept=kept)


def _vacuum(settings: Settings) -> int:
    """Have the store give back the room of what was deleted; return how many bytes that was."""
    started = time.monotonic()
    try:
        freed = compact(settings.db)
    except CompactionError as error:
        raise UsageError(f"the room was not given back: {error}") from None
    typer.echo(f"{max(freed, 0):,} bytes given back in {time.monotonic() - started:.1f} s", err=True)
    return freed
