"""``flux graph``: a workflow, or a run of one, as a picture for a terminal or for another program."""

import time
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct

from flux_tui.cli.completion import complete_run, complete_target
from flux_tui.cli.definitions import target_at
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.lookup import run_of
from flux_tui.cli.options import Db, Json, settings_with
from flux_tui.cli.terminal import Look, look_of, user_code_prints_to_stderr, width
from flux_tui.model.captions import shown_status
from flux_tui.model.diagram import dot, mermaid
from flux_tui.model.graph_text import fitting_layout, graph_lines, steps_by_name
from flux_tui.model.json_text import write_json
from flux_tui.model.run import GraphSpec, StepView, graph_spec
from flux_tui.model.stored import from_state
from flux_tui.model.text import printable
from flux_tui.settings import Settings


class Form(StrEnum):
    """What a graph is written as."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"


class Drawn(Struct, frozen=True, kw_only=True):
    """What to draw: a workflow, with the steps of a run if it is one. ``title`` is for the terminal."""

    name: str
    graph: GraphSpec
    steps: dict[str, StepView]
    title: str = ""


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "graph",
        epilog=epilog(
            "flux graph shop.py:order_flow",
            "flux graph shop.py:order_flow --mermaid > order.mmd",
            "flux graph --run 3f2a9c",
            "flux graph --run 3f2a9c --dot | dot -Tsvg > run.svg",
        ),
    )(graph)


def graph(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help="FILE.py:VAR, or FILE.py if it has one workflow.",
            autocompletion=complete_target,
        ),
    ] = None,
    *,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Draw how this run stands.", autocompletion=complete_run),
    ] = None,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="Write a Mermaid flowchart.")] = False,
    as_dot: Annotated[bool, typer.Option("--dot", help="Write a digraph for Graphviz.")] = False,
    as_text: Annotated[bool, typer.Option("--text", help="Draw it as the dashboard does. Default.")] = False,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Draw the steps of a workflow, or those of a run as they stand."""
    form = _form(as_mermaid=as_mermaid, as_dot=as_dot, as_text=as_text, as_json=as_json)
    if (target is None) == (run is None):
        raise UsageError("name what to draw: FILE.py:VAR, or a run with --run RUN")
    settings = settings_with(db=db)
    with user_code_prints_to_stderr() as data:
        drawn = _of_target(target) if target is not None else _of_run(settings, str(run))
        if as_json:
            text = write_json(_as_json(drawn))
        elif form is Form.MERMAID:
            text = mermaid(drawn.graph, drawn.steps)
        elif form is Form.DOT:
            text = dot(drawn.name, drawn.graph, drawn.steps)
        else:
            look = look_of(data, ascii_only=settings.ascii)
            text = _drawn(drawn, look, width() if data.isatty() else None)
        data.write(text + "\n")


def _form(*, as_mermaid: bool, as_dot: bool, as_text: bool, as_json: bool) -> Form:
    if as_mermaid + as_dot + as_text + as_json > 1:
        raise UsageError("choose one of --text, --mermaid, --dot and --json")
    return Form.MERMAID if as_mermaid else Form.DOT if as_dot else Form.TEXT


def _of_target(target: str) -> Drawn:
    description = target_at(target).workflow.describe()
    return Drawn(name=description["name"], graph=graph_spec(description), steps={})


def _of_run(settings: Settings, beginning: str) -> Drawn:
    view = from_state(run_of(settings, beginning))
    title = f"{printable(view.workflow)}  {view.id}  {view.status}"
    return Drawn(name=view.workflow, graph=view.graph, steps=steps_by_name(view.steps), title=title)


def _drawn(drawn: Drawn, look: Look, cells: int | None) -> str:
    layout = fitting_layout(drawn.graph, cells)
    lines = graph_lines(layout, drawn.steps, now=time.time() * 1000, ascii=look.ascii)
    drawn_lines = ["".join(look.toned(text, tone) for text, tone in line) for line in lines]
    return "\n".join(([drawn.title] if drawn.title else []) + drawn_lines)


def _as_json(drawn: Drawn) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = [msgspec.to_builtins(node) for node in drawn.graph.nodes]
    for node in nodes:
        step = drawn.steps.get(node["name"])
        if step is not None:
            node["status"] = shown_status(step)
            node["duration_ms"] = step.duration
    return {"name": drawn.name, "steps": nodes, "edges": [list(edge) for edge in drawn.graph.edges]}
