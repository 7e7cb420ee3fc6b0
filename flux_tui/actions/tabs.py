"""The tabs of the details."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="tab-error",
        keys=("E",),
        label="error",
        title="Error tab",
        description="Show the error of the selected step",
        group="Tabs",
        needs=needs.nothing,
        command="flux runs show",
    ),
    Action(
        id="tab-data",
        keys=("D",),
        label="data",
        title="Data tab",
        description="Show the data before and after the selected step",
        group="Tabs",
        needs=needs.nothing,
        command="flux runs show --step",
    ),
    Action(
        id="tab-timeline",
        keys=("I",),
        label="timeline",
        title="Timeline tab",
        description="Show when each step did what: attempts, back-offs, waits",
        group="Tabs",
        needs=needs.nothing,
        command="flux runs show",
    ),
    Action(
        id="tab-logs",
        keys=("L",),
        label="logs",
        title="Logs tab",
        description="Show what the selected step printed and logged",
        group="Tabs",
        needs=needs.nothing,
        command="flux trace tail --type",
    ),
    Action(
        id="tab-events",
        keys=("V",),
        label="events",
        title="Events tab",
        description="Show the trace events of the run",
        group="Tabs",
        needs=needs.nothing,
        command="flux trace tail --run",
    ),
    Action(
        id="tab-source",
        keys=("S",),
        label="source",
        title="Source tab",
        description="Show the code of the selected step",
        group="Tabs",
        needs=needs.nothing,
        command="flux describe",
    ),
    Action(
        id="next-tab",
        keys=("right_square_bracket",),
        label="next tab",
        title="Next tab",
        description="Show the next tab",
        group="Tabs",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="previous-tab",
        keys=("left_square_bracket",),
        label="previous tab",
        title="Previous tab",
        description="Show the previous tab",
        group="Tabs",
        needs=needs.nothing,
        transient=True,
    ),
)
