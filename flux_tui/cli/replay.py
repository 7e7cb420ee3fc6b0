"""``flux replay``: whether the code as it is now comes to what recorded runs came to."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from flux_engine.replay_report import ReplayReport
from flux_tui.cli.completion import complete_run, complete_workflow
from flux_tui.cli.definitions import workflow_named, workflow_paths
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import RUN_FAILED, UsageError
from flux_tui.cli.lookup import no_store, run_of, store_exists
from flux_tui.cli.masking import masked_report
from flux_tui.cli.options import Db, Json, Target, Workflows, settings_with
from flux_tui.cli.plain_json import to_plain
from flux_tui.cli.terminal import Look, look_of, user_code_prints_to_stderr
from flux_tui.model.json_text import write_json
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import printable
from flux_tui.runner.collect import Workflow
from flux_tui.runner.loader import load_modules
from flux_tui.settings import Settings
from flux_tui.workspace import open_for_looking

MOST: Final = 1000
"""How many runs of a workflow ``--all`` replays unless told otherwise."""


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "replay",
        epilog=epilog(
            "flux replay 3f2a9c",
            "flux replay --all",
            "flux replay --all --workflow order-process --limit 100 --ignore created_at",
            codes={RUN_FAILED: "something differs"},
        ),
    )(replay)


def replay(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN…", help="Ids of runs, or their beginnings.", autocompletion=complete_run),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Replay the completed runs of the workflows of the project.")
    ] = False,
    workflow: Annotated[
        list[str] | None,
        typer.Option(
            "--workflow",
            "-w",
            metavar="NAME",
            help="With --all: only this one. Repeatable.",
            autocompletion=complete_workflow,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="With --all: at most so many of each workflow.")
    ] = MOST,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="KEY", help="A key of data or outputs that may differ. Repeatable."),
    ] = None,
    target: Target = None,
    workflows: Workflows = None,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Run the plain steps of recorded runs again and show what differs; do no commit, write nothing.

    The exit code is 1 when something differs.
    """
    if every == bool(runs):
        raise UsageError("name the runs to replay, or say --all")
    if workflow and not every:
        raise UsageError("--workflow goes with --all")
    settings = settings_with(db=db)
    if not store_exists(settings):
        raise no_store(settings)
    wanted = [run_of(settings, run) for run in runs or ()]
    with user_code_prints_to_stderr() as data:
        if every:
            paths = workflow_paths(workflows, settings)
            loaded = _chosen(load_modules(paths, root=settings.project).workflows, workflow)
            reports = asyncio.run(_replay_all(settings, loaded, limit, ignore or ()))
        else:
            known = {
                name: workflow_named(name, target=target, paths=workflows, settings=settings)
                for name in {state.name for state in wanted}
            }
            pairs = [(known[state.name], state.id) for state in wanted]
            reports = asyncio.run(_replay(settings, pairs, ignore or ()))
        secrets = Secrets(settings.redact)
        reports = [masked_report(report, secrets) for report in reports]
        look = look_of(sys.stderr, ascii_only=settings.ascii)
        typer.echo("\n".join(_told(reports, look)), err=True)
        if as_json:
            value: Any = to_plain(reports if every or len(reports) != 1 else reports[0])
            data.write(write_json(value) + "\n")
    raise typer.Exit(0 if all(report.ok for report in reports) else RUN_FAILED)


def _chosen(loaded: Mapping[str, Workflow], names: list[str] | None) -> Mapping[str, Workflow]:
    """Return the workflows of these names, or all. Raises ``UsageError`` for one that is not there."""
    missing = [name for name in names or () if name not in loaded]
    if missing:
        raise UsageError(f"no workflow {missing[0]!r} here; there is: {', '.join(sorted(loaded)) or 'none'}")
    return {name: loaded[name] for name in names} if names else loaded


async def _replay(
    settings: Settings, pairs: list[tuple[Workflow, str]], ignore: list[str] | tuple[str, ...]
) -> list[ReplayReport]:
    async with open_for_looking(settings) as engine:
        return [await engine.replay(workflow, run_id, ignore=ignore) for workflow, run_id in pairs]


async def _replay_all(
    settings: Settings, loaded: Mapping[str, Workflow], limit: int, ignore: list[str] | tuple[str, ...]
) -> list[ReplayReport]:
    reports: list[ReplayReport] = []
    async with open_for_looking(settings) as engine:
        for workflow in loaded.values():
            reports += await engine.replay_all(workflow, limit=limit, ignore=ignore)
    return reports


def _told(reports: list[ReplayReport], look: Look) -> list[str]:
    """Return the differences of each run, and how many runs there were."""
    lines: list[str] = []
    for report in reports:
        glyph = look.glyph("completed" if report.ok else "failed")
        if not report.ok or len(reports) == 1:
            first, *others = str(report).splitlines()
            lines += [f"{glyph} {printable(first)}", *map(printable, others)]
    if not reports:
        lines.append("nothing was replayed: no run of these workflows has completed")
    elif len(reports) != 1:
        differing = sum(not report.ok for report in reports)
        lines.append(
            f"{len(reports)} runs replayed, {differing} of them differ"
            if differing
            else f"{len(reports)} runs replayed, as recorded"
        )
    return lines
