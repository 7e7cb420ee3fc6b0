"""The event that begins a run, made from what is known of it where no trace tells."""

from typing import Any

import msgspec

from flux_engine.masked import MASKED
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model.json_text import tagged
from flux_tui.model.run import GraphSpec, NodeSpec, RunView


def beginning(run: RunView) -> TraceEvent:
    """Return the start of a run, with its input and its graph."""
    return TraceEvent(
        type=EventType.WORKFLOW_START,
        timestamp=run.started_at or run.updated_at,
        workflow_id=run.id,
        workflow_name=run.workflow,
        input=tagged(run.input),
        graph=_described(run),
    )


def _described(run: RunView) -> dict[str, Any]:
    """Return the graph of a run in the form of ``describe()``."""
    graph: GraphSpec = run.graph
    known = graph.nodes or tuple(
        NodeSpec(name=step.name, index=step.index, commit=step.commit) for step in run.steps
    )
    described = {
        "name": run.workflow,
        "steps": [_node(node) for node in known],
        "edges": [list(edge) for edge in graph.edges],
    }
    return described | ({MASKED: True} if graph.masked else {})


def _node(node: NodeSpec) -> dict[str, Any]:
    described: dict[str, Any] = msgspec.to_builtins(node)
    described["compensated"] = described.pop("compensates")
    if node.after is None:
        del described["after"]
    return described
