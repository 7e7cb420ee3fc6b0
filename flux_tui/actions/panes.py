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
        first=True,
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
        first=True,
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
        first=True,
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
        first=True,
    ),
    Action(
        id="zoom",
        keys=("z",),
        label="zoom",
        title="Zoom the pane",
        description="Give the whole screen to the pane that has the focus, or lay out all panes again",
        group="Panes",
        needs=needs.nothing,
    ),
    Action(
        id="grow",
        keys=("plus",),
        label="larger",
        title="Make the pane larger",
        description="Make the pane that has the focus larger; it stays so in later sessions",
        group="Panes",
        needs=needs.nothing,
    ),
    Action(
        id="shrink",
        keys=("minus",),
        label="smaller",
        title="Make the pane smaller",
        description="Make the pane that has the focus smaller",
        group="Panes",
        needs=needs.nothing,
    ),
    Action(
        id="reset-panes",
        keys=("0",),
        label="reset panes",
        title="Reset the panes",
        description="Lay out all panes as at first",
        group="Panes",
        needs=needs.nothing,
    ),
)
