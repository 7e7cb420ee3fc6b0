"""What moves through the time of a run, and sets it beside another."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="scrub-back",
        keys=("comma",),
        label="back in time",
        title="One moment back",
        description="Show the run as it stood one event earlier; esc returns to the present",
        group="Time",
        needs=needs.an_earlier_moment,
        in_footer=True,
    ),
    Action(
        id="scrub-forward",
        keys=("full_stop",),
        label="forward in time",
        title="One moment forward",
        description="Show the run as it stood one event later",
        group="Time",
        needs=needs.a_later_moment,
    ),
    Action(
        id="scrub-first",
        keys=("less_than_sign",),
        label="first moment",
        title="First moment of the run",
        description="Show the run as it stood when it began",
        group="Time",
        needs=needs.a_past,
    ),
    Action(
        id="scrub-last",
        keys=("greater_than_sign",),
        label="last moment",
        title="Last moment of the run",
        description="Show the run as it stood after its latest event, and stay there whatever comes",
        group="Time",
        needs=needs.a_past,
    ),
    Action(
        id="scrub-live",
        keys=(),
        label="present",
        title="Return to the present",
        description="Leave the past moment and show the run as it is; esc does so too",
        group="Time",
        needs=needs.a_moment,
    ),
    Action(
        id="compare",
        keys=("equals_sign",),
        label="compare",
        title="Compare with another run…",
        description="Set the run beside the last one that completed, or two marked runs, step by step",
        group="Time",
        needs=needs.another_run,
        in_footer=True,
        command="flux runs compare",
    ),
)
