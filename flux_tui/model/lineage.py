"""Where a run comes from, and what runs when another one is begun in its middle."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import parse
from flux_tui.model.run import GraphSpec, RunView, StepView

_DONE = frozenset({"completed", "skipped", "compensated"})


class Origin(Struct, frozen=True, kw_only=True):
    """The run that another one was forked from, and the step at which it begins."""

    run: str
    step: str


def origin_of(events: Iterable[TraceEvent]) -> Origin | None:
    """Return where a run was forked from. Only its trace knows."""
    start = next((event for event in events if event.type == EventType.WORKFLOW_START), None)
    said = {} if start is None else parse.meta(start)
    run, step = said.get("forkedFrom"), said.get("fromStep")
    return Origin(run=run, step=step) if isinstance(run, str) and isinstance(step, str) else None


def with_copied(run: RunView, stored: RunView, origin: Origin | None) -> RunView:
    """Return a fork with what was copied into it, of which its trace has nothing, from the store."""
    if origin is None:
        return run
    own = frozenset(from_here_on(run.graph, origin.step))
    return replace(run, steps=tuple(_copied(step, stored.step(step.name), own) for step in run.steps))


def _copied(step: StepView, stored: StepView | None, own: frozenset[str]) -> StepView:
    if stored is None:
        return step
    if step.status == "pending" and step.name not in own and stored.status in _DONE:
        return stored
    return replace(step, edit=stored.edit) if step.edit is None and stored.edit is not None else step


def from_here_on(graph: GraphSpec, step: str) -> tuple[str, ...]:
    """Return a step and all that come after it, in the order of the workflow."""
    found = {step}
    waiting = [step]
    while waiting:
        at = waiting.pop()
        for start, end in graph.edges:
            if start == at and end not in found:
                found.add(end)
                waiting.append(end)
    return tuple(node.name for node in graph.nodes if node.name in found)


def unfinished_before(run: RunView, step: str) -> str | None:
    """Return the first step before this one that is not done, in the graph of the run."""
    behind = {step}
    waiting = [step]
    while waiting:
        at = waiting.pop()
        for start, end in run.graph.edges:
            if end == at and start not in behind:
                behind.add(start)
                waiting.append(start)
    behind.discard(step)
    return next((each.name for each in run.steps if each.name in behind and each.status not in _DONE), None)
