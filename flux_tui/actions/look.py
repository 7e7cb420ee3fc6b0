"""What changes how things are looked at."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
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
        label="view",
        title="Change the view of the graph",
        description="Show the steps as boxes, as compact lines, or as a list",
        group="Look",
        needs=needs.a_graph,
        in_footer=True,
        command="flux graph",
    ),
)
