"""``flux run``: run a workflow once, here and now."""

from typing import Annotated, Any

import typer

from flux_engine import FluxEngine, FluxResult
from flux_tui.cli.breaks import Break, pause_before
from flux_tui.cli.completion import complete_target
from flux_tui.cli.definitions import target_at
from flux_tui.cli.epilogs import RUNS, epilog
from flux_tui.cli.execution import finding_again, foreground
from flux_tui.cli.json_input import read_json
from flux_tui.cli.options import Db, Json, Retries, Trace, settings_with
from flux_tui.runner.collect import Workflow


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "run",
        epilog=epilog(
            """flux run shop.py:order_flow --input '{"order_id": "1"}'""",
            "flux run shop.py --input @order.json --json",
            "flux run shop.py:order_flow --break charge",
            codes=RUNS,
        ),
    )(run)


def run(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="FILE.py:VAR, or FILE.py if it has one workflow.",
            autocompletion=complete_target,
        ),
    ],
    *,
    input_json: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="Default: the defaults of its type."),
    ] = None,
    db: Db = None,
    trace: Trace = None,
    as_json: Json = False,
    run_id: Annotated[str | None, typer.Option("--run-id", metavar="ID", help="The new run's id.")] = None,
    retries: Retries = None,
    breakpoints: Break = None,
) -> None:
    """Run a workflow and show its progress.

    The data of the finished run goes to standard output as JSON, everything else to standard error, what
    the handlers print included. A run that is suspended until a signal comes, or paused at a --break, counts
    as done.
    """
    settings = settings_with(db=db, trace=trace, default_retries=retries)
    given = None if input_json is None else read_json("--input", input_json)
    with foreground(settings) as session:
        workflow = target_at(target).workflow
        value = default_input(workflow) if input_json is None else given

        async def execute(engine: FluxEngine) -> FluxResult[Any]:
            return await engine.execute(workflow, value, run_id=run_id)

        where = finding_again(target, None, db, trace)
        stops = pause_before(workflow, breakpoints) if breakpoints else None
        code = session.carry_out(execute, as_json=as_json, where=where, pause_before=stops)
    raise typer.Exit(code)


def default_input(workflow: Workflow) -> Any:
    """Return the input of a run that was given none: an empty object where the workflow takes one."""
    schema = workflow.describe()["input_schema"]
    takes_object = schema is None or schema.get("type") == "object"
    return {} if takes_object else schema.get("default")
