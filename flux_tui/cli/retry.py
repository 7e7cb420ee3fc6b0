"""``flux runs retry`` and ``flux runs resume``: going on with a run that failed or was interrupted."""

import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from flux_engine import FluxEngine, FluxResult, RetryPlan
from flux_engine.execution import WorkflowState
from flux_tui.cli.breaks import Break, Next, pause_before
from flux_tui.cli.completion import complete_step
from flux_tui.cli.definitions import workflow_named
from flux_tui.cli.errors import UsageError
from flux_tui.cli.execution import finding_again, foreground
from flux_tui.cli.json_input import read_json_object
from flux_tui.cli.lookup import in_store, run_of
from flux_tui.cli.options import (
    AllowChanged,
    Db,
    Json,
    KeepCommits,
    Retries,
    RunId,
    Target,
    Trace,
    Workflows,
    Yes,
    settings_with,
)
from flux_tui.cli.texts import plan_lines
from flux_tui.runner.edited import edited_values


def retry(
    run: RunId,
    step: Annotated[
        str | None,
        typer.Argument(help="Where to start. Default: the failed step.", autocompletion=complete_step),
    ] = None,
    *,
    only: Annotated[bool, typer.Option("--only", help="Run this step alone, not those after it.")] = False,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="JSON|@FILE|-", help="An object to merge over the data."),
    ] = None,
    keep_commits: KeepCommits = False,
    allow_changed: AllowChanged = False,
    yes: Yes = False,
    target: Target = None,
    workflows: Workflows = None,
    db: Db = None,
    trace: Trace = None,
    retries: Retries = None,
    as_json: Json = False,
) -> None:
    """Retry a run from a step, with the data it had before that step.

    Asks only when a commit that was completed would be repeated; then --yes answers in advance.
    """
    settings = settings_with(db=db, trace=trace, default_retries=retries)
    edit = None if data is None else read_json_object("--data", data)
    scope: Literal["only", "downstream"] = "only" if only else "downstream"
    state = run_of(settings, run)
    start = step or failed_step(state)
    with foreground(settings) as session:
        workflow = workflow_named(state.name, target=target, paths=workflows, settings=settings)
        values = None if edit is None else edited_values(edit)

        async def preview(engine: FluxEngine) -> RetryPlan:
            return await engine.preview_retry(
                workflow, state.id, start, scope=scope, keep_commits=keep_commits
            )

        async def retried(engine: FluxEngine) -> FluxResult[Any]:
            return await engine.retry_step(
                workflow,
                state.id,
                start,
                scope=scope,
                data=values,
                keep_commits=keep_commits,
                allow_changed=allow_changed,
            )

        plan = in_store(settings, preview)
        typer.echo("\n".join(plan_lines(plan)), err=True)
        confirm(plan, session.ask, yes=yes)
        where = finding_again(target, workflows, db, trace)
        code = session.carry_out(retried, as_json=as_json, where=where)
    raise typer.Exit(code)


def resume(
    run: RunId,
    *,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="JSON|@FILE|-", help="An object to merge over what that step finds."),
    ] = None,
    next_step: Next = False,
    breakpoints: Break = None,
    allow_changed: AllowChanged = False,
    target: Target = None,
    workflows: Workflows = None,
    db: Db = None,
    trace: Trace = None,
    retries: Retries = None,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted or paused, from its first step that is not done."""
    settings = settings_with(db=db, trace=trace, default_retries=retries)
    edit = None if data is None else read_json_object("--data", data)
    state = run_of(settings, run)
    with foreground(settings) as session:
        workflow = workflow_named(state.name, target=target, paths=workflows, settings=settings)

        values = None if edit is None else edited_values(edit)

        async def resumed(engine: FluxEngine) -> FluxResult[Any]:
            return await engine.resume(workflow, state.id, data=values, allow_changed=allow_changed)

        where = finding_again(target, workflows, db, trace)
        stops = pause_before(workflow, breakpoints, stepping=next_step)
        code = session.carry_out(resumed, as_json=as_json, where=where, pause_before=stops)
    raise typer.Exit(code)


def failed_step(state: WorkflowState) -> str:
    """Return the step that a run failed at. Raises ``UsageError`` for a run in which none did."""
    failed = next((entry.name for entry in state.history if entry.status == "failed"), None)
    if failed is not None:
        return failed
    if state.interrupted:
        raise UsageError(f"run {state.id} was interrupted. Go on with it: flux runs resume {state.id}")
    steps = ", ".join(entry.name for entry in state.history)
    raise UsageError(f"run {state.id} is {state.status}, no step failed. Name the one to start from: {steps}")


def confirm(plan: RetryPlan, ask: Callable[[str], bool], *, yes: bool) -> None:
    """Ask before a completed commit is repeated. Raises ``UsageError`` when there is nobody to ask."""
    if not plan.repeated_commits or yes:
        return
    commits = ", ".join(commit.step for commit in plan.repeated_commits)
    if not sys.stdin.isatty():
        raise UsageError(
            f"the retry would repeat completed commits: {commits}. "
            "Pass --yes to do so, or --keep-commits to use their results."
        )
    if not ask(f"Repeat {commits}?"):
        raise UsageError("nothing was done")
