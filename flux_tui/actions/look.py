"""What changes how things are looked at."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="filter",
        keys=("slash",),
        label="filter",
        title="Filter runs",
        description="Show only runs with this text; !text hides them",
        group="Look",
        needs=needs.nothing,
        in_footer=True,
    ),
    Action(
        id="copy",
        keys=("y",),
        label="copy",
        title="Copy",
        description="Copy what has the focus to the clipboard",
        group="Look",
        needs=needs.something_to_copy,
        in_footer=True,
    ),
    Action(
        id="open-editor",
        keys=("o",),
        label="open",
        title="Open in editor",
        description="Open the source of the selected step or module in your editor",
        group="Look",
        needs=needs.a_source,
        in_footer=True,
    ),
    Action(
        id="graph-or-list",
        keys=("v",),
        label="graph/list",
        title="Switch between graph and list",
        description="Show the steps as a graph, or as a list",
        group="Look",
        needs=needs.a_graph,
        in_footer=True,
    ),
)
