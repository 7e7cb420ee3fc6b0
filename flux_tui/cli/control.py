"""``flux runs signal``, ``cancel``, ``pause``, ``fork`` and ``delete``: reaching into runs from outside."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import typer

from flux_engine import FluxEngine, FluxResult
from flux_engine.errors import FluxError
from flux_engine.execution import WorkflowState
from flux_tui.cli.completion import complete_run, complete_step
from flux_tui.cli.definitions import workflow_named
from flux_tui.cli.errors import UsageError
from flux_tui.cli.execution import finding_again, foreground
from flux_tui.cli.json_input import read_json, read_json_object
from flux_tui.cli.lookup import run_of
from flux_tui.cli.options import (
    AllowChanged,
    Db,
    Json,
    Retries,
    RunId,
    Target,
    Trace,
    Workflows,
    Yes,
    settings_with,
)
from flux_tui.cli.plain_json import to_plain
from flux_tui.cli.terminal import look_of
from flux_tui.cli.texts import status_of
from flux_tui.model.json_text import write_json
from flux_tui.model.text import printable
from flux_tui.runner.edited import edited_value, edited_values
from flux_tui.settings import Settings
from flux_tui.workspace import open_engine

Ask = Callable[[FluxEngine, str], Awaitable[WorkflowState]]

_ASKED: Final = {
    "cancelled": "is in the hands of another process, which was asked to end it",
    "paused": "is in the hands of another process, which was asked to stop it before its next step",
}


def signal(
    run: RunId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal that the run waits for.")],
    *,
    payload: Annotated[
        str | None, typer.Option("--payload", "-p", metavar="JSON|@FILE|-", help="Default: null.")
    ] = None,
    allow_changed: AllowChanged = False,
    target: Target = None,
    workflows: Workflows = None,
    db: Db = None,
    trace: Trace = None,
    retries: Retries = None,
    as_json: Json = False,
) -> None:
    """Send a signal to a run that waits for it, and go on with the run.

    The payload becomes the output of the step that waits. A commit in doubt that is held waits for a
    signal with its own name and the payload "done" or "again".
    """
    settings = settings_with(db=db, trace=trace, default_retries=retries)
    given = None if payload is None else read_json("--payload", payload)
    state = run_of(settings, run)
    with foreground(settings) as session:
        workflow = workflow_named(state.name, target=target, paths=workflows, settings=settings)
        value = edited_value(given)

        async def signalled(engine: FluxEngine) -> FluxResult[Any]:
            return await engine.signal(workflow, state.id, name, value, allow_changed=allow_changed)

        where = finding_again(target, workflows, db, trace)
        code = session.carry_out(signalled, as_json=as_json, where=where)
    raise typer.Exit(code)


def fork(
    run: RunId,
    step: Annotated[
        str,
        typer.Argument(metavar="STEP", help="Where the new run begins.", autocompletion=complete_step),
    ],
    *,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="JSON|@FILE|-", help="An object to merge over the data."),
    ] = None,
    target: Target = None,
    workflows: Workflows = None,
    db: Db = None,
    trace: Trace = None,
    retries: Retries = None,
    as_json: Json = False,
) -> None:
    """Start a new run at a step of another one, with the data that step was given there."""
    settings = settings_with(db=db, trace=trace, default_retries=retries)
    edit = None if data is None else read_json_object("--data", data)
    state = run_of(settings, run)
    with foreground(settings) as session:
        workflow = workflow_named(state.name, target=target, paths=workflows, settings=settings)
        values = None if edit is None else edited_values(edit)

        async def forked(engine: FluxEngine) -> FluxResult[Any]:
            return await engine.fork(workflow, state.id, step, data=values)

        where = finding_again(target, workflows, db, trace)
        code = session.carry_out(forked, as_json=as_json, where=where)
    raise typer.Exit(code)


def cancel(run: RunId, *, db: Db = None, trace: Trace = None, as_json: Json = False) -> None:
    """End a run for good. One in the hands of another process is asked to end."""
    _stop(settings_with(db=db, trace=trace), run, FluxEngine.cancel, "cancelled", as_json=as_json)


def pause(run: RunId, *, db: Db = None, trace: Trace = None, as_json: Json = False) -> None:
    """Stop a run before its next step; flux runs resume goes on with it.

    A run that moves is in the hands of another process: it is asked to.
    """
    _stop(settings_with(db=db, trace=trace), run, FluxEngine.pause, "paused", as_json=as_json)


def delete(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN…", help="Ids of runs, or their beginnings.", autocompletion=complete_run),
    ],
    *,
    yes: Yes = False,
    db: Db = None,
    trace: Trace = None,
    as_json: Json = False,
) -> None:
    """Remove runs and their history from the store. Asks first."""
    settings = settings_with(db=db, trace=trace)
    states = {state.id: state for state in (run_of(settings, run) for run in runs)}
    about = {
        run_id: f"{printable(state.name)}  {run_id}  {status_of(state)}" for run_id, state in states.items()
    }
    if not yes and not _agreed(f"delete {chr(10).join(about.values())}?"):
        raise UsageError("nothing was deleted")

    async def deleted(engine: FluxEngine) -> dict[str, str]:
        refused: dict[str, str] = {}
        for run_id in states:
            try:
                await engine.delete(run_id)
            except FluxError as error:
                refused[run_id] = str(error)
        return refused

    refused: dict[str, str] = _in_engine(settings, deleted)
    gone = [run_id for run_id in states if run_id not in refused]
    if as_json:
        typer.echo(json.dumps({"deleted": gone[0] if len(states) == 1 and gone else gone}))
    for run_id in gone if not as_json else ():
        typer.echo(f"deleted {about[run_id]}", err=True)
    if refused:
        raise UsageError("\n".join(refused.values()))


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("a run is deleted only after asking. Pass --yes to delete it without.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _stop(settings: Settings, beginning: str, verb: Ask, wanted: str, *, as_json: bool) -> None:
    found = run_of(settings, beginning)
    state = _in_engine(settings, lambda engine: verb(engine, found.id))
    if as_json:
        typer.echo(write_json(to_plain(state)))
        return
    look = look_of(sys.stderr, ascii_only=settings.ascii)
    status = status_of(state)
    about = status if status == wanted else f"{status}: it {_ASKED[wanted]}"
    typer.echo(f"{look.glyph(status)} {printable(state.name)}  {state.id}  {about}", err=True)


def _in_engine(settings: Settings, verb: Callable[[FluxEngine], Awaitable[Any]]) -> Any:
    async def carried_out() -> Any:
        async with open_engine(settings) as engine:
            return await verb(engine)

    return asyncio.run(carried_out())
