"""What is done to many runs, or takes runs away."""

from typing import Final

from flux_tui import needs, run_needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="recover",
        keys=("U",),
        label="recover all",
        title="Recover all interrupted runs…",
        description="Go on with every run whose process has died; says how many and asks first",
        group="Runs",
        needs=needs.a_runner,
        writes=True,
        command="flux runs recover",
    ),
    Action(
        id="delete",
        keys=("X",),
        label="delete",
        title="Delete run",
        description="Remove the selected run or all marked ones; can be undone for a few seconds",
        group="Runs",
        needs=needs.all_of(needs.a_runner, run_needs.unless_marked(run_needs.a_run_at_rest)),
        writes=True,
        command="flux runs delete",
    ),
    Action(
        id="undo-delete",
        keys=("ctrl+z",),
        label="undo",
        title="Undo the deletion",
        description="Take back the latest deletion, in the seconds before it is carried out",
        group="Runs",
        needs=run_needs.a_deletion,
        in_footer=True,
        only_now=True,
        writes=True,
    ),
    Action(
        id="clear-marks",
        keys=("M",),
        label="clear marks",
        title="Clear the marks",
        description="Take the marks off all runs; space marks one, and ctrl+a all that are listed",
        group="Runs",
        needs=run_needs.any_mark,
        in_footer=True,
        only_now=True,
    ),
)
