"""Breakpoints: the steps that runs stop before, by workflow; and where a run that stopped stands."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from flux_tui.model.run import DefinitionView, NodeSpec, RunView, StepView
from flux_tui.model.text import printable
from flux_tui.model.waits import paused_before

MOST_NAMED = 2
"""How many steps are named where there is little room."""


class Breakpoints(Struct, frozen=True, kw_only=True):
    """All breakpoints of a project. One on a step that is gone stays, and counts again when it is back."""

    steps: Mapping[str, frozenset[str]] = {}

    def of(self, workflow: str | None) -> frozenset[str]:
        """Return the steps of a workflow that have one."""
        return self.steps.get(workflow or "", frozenset())

    def toggled(self, workflow: str, step: str) -> "Breakpoints":
        """Return the breakpoints with one more, or one less, before a step."""
        chosen = self.of(workflow) ^ {step}
        others = {name: steps for name, steps in self.steps.items() if name != workflow}
        return Breakpoints(steps={**others, workflow: chosen} if chosen else others)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.steps.values()))

    def listed(self) -> dict[str, list[str]]:
        """Return them as they are remembered."""
        return {workflow: sorted(steps) for workflow, steps in sorted(self.steps.items())}


def breakpoints_of(listed: Mapping[str, Iterable[str]] | None) -> Breakpoints:
    """Return breakpoints from how they are remembered."""
    return Breakpoints(steps={name: frozenset(steps) for name, steps in (listed or {}).items() if steps})


def breakpoints_text(
    breakpoints: frozenset[str], definition: DefinitionView | None, *, plain: bool = False
) -> str:
    """Return how many breakpoints a workflow has, and which are on steps that it no longer has."""
    if not breakpoints:
        return ""
    steps = breakpoints if definition is None else {node.name for node in definition.graph.nodes}
    gone, here = sorted(breakpoints - steps), len(breakpoints & steps)
    there, missing = "*o" if plain else "●○"
    parts = [f"{there} {here} breakpoint{'s' if here != 1 else ''}"] if here else []
    if gone:
        parts.append(f"{missing} on steps that are gone: {', '.join(map(printable, gone))}")
    return " · ".join(parts)


def code_changed(step: StepView, node: NodeSpec | None) -> bool:
    """Say whether a step is defined with other code now than its run has for it."""
    return bool(step.fingerprint and node is not None and node.fingerprint not in ("", step.fingerprint))


def changed_text(run: RunView | None, definition: DefinitionView | None) -> str:
    """Return which steps of a run have other code now; empty when there are none."""
    if run is None or definition is None:
        return ""
    nodes = {node.name: node for node in definition.graph.nodes}
    names = [printable(step.name) for step in run.steps if code_changed(step, nodes.get(step.name))]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"~ code changed since: {', '.join(names[:MOST_NAMED])}{more}" if names else ""


def stops_of(run: RunView | None) -> tuple[str, ...]:
    """Return the steps that a paused run goes on with, in order; none of a run that is not paused."""
    found = paused_before(run)
    return () if run is None else tuple(step.name for step in run.steps if step.name in found)
