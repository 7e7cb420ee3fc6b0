"""A step graph in the languages of other programs: Mermaid, and the DOT of Graphviz."""

from collections.abc import Mapping
from typing import Final

from flux_tui.model.captions import shown_status
from flux_tui.model.run import GraphSpec, NodeSpec, StepView
from flux_tui.model.text import printable, status_word

COLOURS: Final = {
    "completed": ("#1a7f37", "#dafbe1"),
    "failed": ("#cf222e", "#ffebe9"),
    "running": ("#0969da", "#ddf4ff"),
    "suspended": ("#9a6700", "#fff8c5"),
    "interrupted": ("#9a6700", "#fff8c5"),
    "skipped": ("#8c959f", "#f6f8fa"),
}
"""The colours of line and ground by status; a status that is not here has those of a step at rest."""

_MERMAID_ENTITIES: Final = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}

Steps = Mapping[str, StepView]


def mermaid(spec: GraphSpec, steps: Steps) -> str:
    """Return a Mermaid flowchart. ``steps`` is how the steps of a run stand, empty without one.

    A commit is drawn with double sides, a step with a condition as a hexagon.
    """
    ids = {node.name: f"s{number}" for number, node in enumerate(spec.nodes)}
    lines = ["flowchart LR"]
    lines += [f"    {ids[node.name]}{_mermaid_shape(node, steps.get(node.name))}" for node in spec.nodes]
    lines += [f"    {ids[start]} --> {ids[end]}" for start, end in spec.edges]
    classes: dict[str, list[str]] = {}
    for name, step in steps.items():
        if name in ids and shown_status(step) in COLOURS:
            classes.setdefault(shown_status(step), []).append(ids[name])
    for status, members in classes.items():
        line, ground = COLOURS[status]
        lines.append(f"    classDef {status} stroke:{line},fill:{ground},color:#1f2328")
        lines.append(f"    class {','.join(members)} {status}")
    return "\n".join(lines)


def _mermaid_shape(node: NodeSpec, step: StepView | None) -> str:
    escaped = ["".join(_MERMAID_ENTITIES.get(each, each) for each in text) for text in _texts(node, step)]
    label = '"' + "<br/>".join(escaped) + '"'
    if node.commit:
        return f"[[{label}]]"
    return "{{" + label + "}}" if node.conditional else f"[{label}]"


def dot(name: str, spec: GraphSpec, steps: Steps) -> str:
    """Return a digraph in the DOT language. ``steps`` is how the steps of a run stand, empty without one.

    A commit has a double frame, a step with a condition a dashed one.
    """
    lines = [
        f"digraph {_quoted(printable(name))} {{",
        "    rankdir=LR;",
        '    node [shape=box, style="rounded,filled", fillcolor="white", fontname="sans-serif"];',
    ]
    lines += [f"    {_quoted(node.name)} [{_attributes(node, steps.get(node.name))}];" for node in spec.nodes]
    lines += [f"    {_quoted(start)} -> {_quoted(end)};" for start, end in spec.edges]
    return "\n".join([*lines, "}"])


def _attributes(node: NodeSpec, step: StepView | None) -> str:
    label = "\\n".join(_escaped(text) for text in _texts(node, step))
    found = [f'label="{label}"']
    if node.commit:
        found.append("peripheries=2")
    if node.conditional:
        found.append('style="rounded,filled,dashed"')
    if step is not None and shown_status(step) in COLOURS:
        line, ground = COLOURS[shown_status(step)]
        found.append(f'color="{line}", fillcolor="{ground}"')
    return ", ".join(found)


def _texts(node: NodeSpec, step: StepView | None) -> list[str]:
    return [printable(node.name)] + ([status_word(shown_status(step))] if step is not None else [])


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
