"""The panes of the screen."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="go-workflows",
        keys=("1",),
        label="workflows",
        title="Go to the workflows",
        description="Focus the workflows",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="go-runs",
        keys=("2",),
        label="runs",
        title="Go to the runs",
        description="Focus the runs",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="go-details",
        keys=("3",),
        label="details",
        title="Go to the details",
        description="Focus the details of the selected step",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="go-graph",
        keys=("4",),
        label="graph",
        title="Go to the graph",
        description="Focus the graph; arrows or hjkl walk its steps",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
)
