"""``flux runs``: the runs in the store."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from msgspec.structs import replace

from flux_engine import FluxEngine
from flux_engine.execution import RunSummary
from flux_tui.cli import compare, control, prune, recover, retry, step_test
from flux_tui.cli.completion import complete_step, complete_workflow
from flux_tui.cli.epilogs import RUNS, epilog
from flux_tui.cli.errors import RUN_FAILED
from flux_tui.cli.filtering import ListedStatus, filter_of, filtered
from flux_tui.cli.lookup import in_store, run_of, store_exists
from flux_tui.cli.masking import known_secrets
from flux_tui.cli.options import Db, Json, RunId, settings_with
from flux_tui.cli.plain_json import to_plain
from flux_tui.cli.step import show_step
from flux_tui.cli.terminal import look_of, width
from flux_tui.cli.texts import listing_lines, run_lines, shown_store
from flux_tui.model.json_text import write_json
from flux_tui.model.masked import masked_error
from flux_tui.model.secrets import Secrets


def add_to(app: typer.Typer) -> None:
    """Add the group of commands to an app."""
    group = typer.Typer(
        help="List and show runs, and act on them.", rich_markup_mode=None, no_args_is_help=True
    )
    for name, command in _COMMANDS.items():
        group.command(name, epilog=_EPILOGS[name])(command)
    app.add_typer(group, name="runs")


def list_runs(
    *,
    workflow: Annotated[
        str | None,
        typer.Option(
            "--workflow", "-w", help="Only runs of this workflow.", autocompletion=complete_workflow
        ),
    ] = None,
    status: Annotated[
        list[ListedStatus] | None, typer.Option("--status", "-s", help="Only these. Repeatable.")
    ] = None,
    text: Annotated[
        str,
        typer.Option(
            "--filter",
            "-f",
            help="As in the dashboard: 'status:failed since:2h workflow:order !gateway'.",
        ),
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    settings = settings_with(db=db)
    chosen = filter_of(text)
    look = look_of(sys.stdout, ascii_only=settings.ascii)
    runs: list[RunSummary] = []
    if store_exists(settings):

        async def listed(engine: FluxEngine) -> list[RunSummary]:
            return await filtered(engine, chosen, workflow, status or (), limit)

        secrets = Secrets(settings.redact)
        runs = [_without(run, secrets) for run in in_store(settings, listed)]
    if as_json:
        typer.echo(write_json(to_plain(runs)))
        return
    cells = width() if sys.stdout.isatty() else None
    for line in listing_lines(runs, datetime.now(UTC), look, cells):
        typer.echo(line)
    if not runs:
        fitting = " that fit" if workflow or status or chosen else ""
        typer.echo(
            f"no runs{fitting} in {shown_store(settings.db)}; start one with: flux run FILE:VAR", err=True
        )


def _without(run: RunSummary, secrets: Secrets) -> RunSummary:
    return run if run.error is None else replace(run, error=secrets.text(run.error))


def show(
    run: RunId,
    *,
    step: Annotated[
        str | None,
        typer.Option(
            "--step", metavar="STEP", help="Only this step, with its data.", autocompletion=complete_step
        ),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show secrets too.")] = False,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Show one run: its steps, its error, its input and data, with secrets masked.

    With --step it shows one step: the data that it found and that it left, its output, its attempts.
    """
    settings = settings_with(db=db)
    look = look_of(sys.stdout, ascii_only=settings.ascii)
    state = run_of(settings, run)
    secrets = None if reveal else known_secrets(settings)
    if step is not None:
        show_step(state, step, secrets, look, as_json=as_json)
        return
    if as_json:
        plain = to_plain(state)
        plain = plain if secrets is None else secrets.told(plain)
        typer.echo(write_json(plain))
        return
    if secrets is not None and state.error is not None:
        state = replace(state, error=masked_error(state.error, secrets))
    for line in run_lines(state, look, secrets):
        typer.echo(line)


_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "list": list_runs,
    "show": show,
    "compare": compare.compare_runs,
    "retry": retry.retry,
    "resume": retry.resume,
    "recover": recover.recover,
    "signal": control.signal,
    "pause": control.pause,
    "cancel": control.cancel,
    "fork": control.fork,
    "delete": control.delete,
    "prune": prune.prune,
    "test": step_test.write_test,
}
_EPILOGS: Final = {
    "list": epilog(
        "flux runs list",
        "flux runs list --status failed --limit 10",
        "flux runs list --filter 'status:failed since:2h took:>5s !gateway' --json",
    ),
    "show": epilog(
        "flux runs show 3f2a9c", "flux runs show 3f2a9c --step charge", "flux runs show 3f2a9c --json"
    ),
    "compare": epilog("flux runs compare 3f2a9c", "flux runs compare 3f2a9c 91bc04 --json"),
    "retry": epilog(
        "flux runs retry 3f2a9c",
        "flux runs retry 3f2a9c charge --only",
        """flux runs retry 3f2a9c charge --data '{"amount": 12}' --keep-commits""",
        codes=RUNS,
    ),
    "resume": epilog("flux runs resume 3f2a9c", "flux runs resume 3f2a9c --next", codes=RUNS),
    "recover": epilog("flux runs recover", codes={RUN_FAILED: "a run failed or could not go on"}),
    "signal": epilog(
        """flux runs signal 3f2a9c approval --payload '{"approved": true}'""",
        """flux runs signal 3f2a9c charge --payload '"done"'""",
        codes=RUNS,
    ),
    "pause": epilog("flux runs pause 3f2a9c"),
    "cancel": epilog("flux runs cancel 3f2a9c"),
    "fork": epilog("""flux runs fork 3f2a9c charge --data '{"amount": 12}'""", codes=RUNS),
    "delete": epilog("flux runs delete 3f2a9c", "flux runs delete 3f2a9c 91bc04 --yes"),
    "prune": prune.EPILOG.replace("flux prune", "flux runs prune"),
    "test": epilog("flux runs test 3f2a9c charge > test_charge.py"),
}
