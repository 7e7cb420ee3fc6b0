"""The styles of a step graph: its stylesheet, and which style each part has."""

from collections.abc import Callable
from typing import Final

from rich.style import Style
from textual.color import Color

from flux_tui.model.captions import NOT_STARTED
from flux_tui.model.layout import Edges

Styles = Callable[[str], Style]

BOLD: Final = Style(bold=True)
BORDER_BLEND: Final = 0.45
LOUD: Final = frozenset(
    {"failed", "running", "compensating", "waiting", "interrupted", "suspended", "in doubt", "paused"}
)
QUIET: Final = frozenset({"pending", "skipped", "cancelled"})

COLOURS: Final = {
    "completed": "$text-success",
    "failed": "$text-error",
    "running": "$text-accent",
    "compensating": "$text-accent",
    "waiting": "$text-warning",
    "suspended": "$text-warning",
    "in-doubt": "$text-warning",
    "interrupted": "$text-warning",
    "compensated": "$text-secondary",
    "cancelled": "$text-muted",
    "pending": "$text-muted",
    "skipped": "$text-disabled",
    "name": "$foreground",
    "name-quiet": "$text-muted",
    "caption": "$text-muted",
    "caption-quiet": "$text-disabled",
    "edge": "$text-disabled",
    "edge-taken": "$text-success",
    "edge-skipped": "$foreground 25%",
    "selected": "$text-primary; text-style: bold",
    "breakpoint": "$text-error; text-style: bold",
    "hint": "$text-muted",
    "frame": "$foreground 30%",
    "frame-view": "$text-primary",
    "here": "$text-primary; text-style: bold reverse",
    "empty": "$text-muted",
}
COMPONENTS: Final = frozenset(f"step-graph--{name}" for name in COLOURS)

CSS: Final = """
StepGraph {
    height: auto;
    max-height: 100%;
    padding: 0 1;
    overflow: auto auto;
    scrollbar-size: 0 0;
    background: $surface;
    color: $foreground;
}
""" + "\n".join(f"StepGraph > .step-graph--{name} {{ color: {colour}; }}" for name, colour in COLOURS.items())


def edge_style(edges: Edges, status: Callable[[str], str]) -> str:
    """Return the style of a line: ``edge-taken`` where a run went, ``edge-skipped`` where it did not."""
    sources = {status(name) for name in edges.sources}
    targets = {status(name) for name in edges.targets}
    if sources & {"completed", "compensated", "compensating"} and targets - NOT_STARTED:
        return "edge-taken"
    if sources == {"skipped"} or targets == {"skipped"}:
        return "edge-skipped"
    return "edge"


def make_style(name: str, known: Callable[[str], Style]) -> Style:
    """Return a style by name; ``known`` returns those of the stylesheet by their class.

    ``border-STATUS`` is the frame of a box, ``selected-STATUS`` that of the selected one out of focus.
    """
    kind, _, status = name.partition("-")
    if kind == "border":
        return _toward_background(make_style(status, known))
    if kind == "selected" and status:
        return make_style(status, known) + BOLD
    name = {"paused": "suspended", "in doubt": "in-doubt"}.get(name, name)
    return known(f"step-graph--{name if name in COLOURS else 'pending'}")


def _toward_background(style: Style) -> Style:
    """Return a colour as a border has it: nearer to the background, so that the text stands out."""
    if style.color is None or style.bgcolor is None or style.color.triplet is None:
        return style
    front, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    return style + Style(color=front.blend(back, BORDER_BLEND).rich_color)
