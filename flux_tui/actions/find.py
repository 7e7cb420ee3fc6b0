"""What finds runs, steps and text."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="filter",
        keys=("slash",),
        label="filter",
        label_now=lambda now: "search" if now.searchable else "filter",
        title="Search, or filter runs",
        description="Search the view that has the focus; in the lists, show only the runs that match",
        group="Find",
        needs=needs.nothing,
        in_footer=True,
        command="flux runs list --filter",
    ),
    Action(
        id="next-failure",
        keys=("f",),
        label="next failure",
        title="Next failure",
        description="Go to the next failed step of the run, then to the next run that failed",
        group="Find",
        needs=needs.nothing,
        in_footer=True,
        command="flux runs list --status",
    ),
    Action(
        id="only-workflow",
        keys=(),
        label="only this workflow",
        title="Only runs of this workflow",
        description="Filter the runs by the selected workflow; esc in the list shows all again",
        group="Find",
        needs=needs.a_workflow,
        command="flux runs list --workflow",
    ),
)
