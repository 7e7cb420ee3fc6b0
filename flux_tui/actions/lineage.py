"""What makes something of a run that was: another run, or a comparison with the code as it is now."""

from typing import Final

from flux_tui import needs, run_needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="fork",
        keys=("F",),
        label="fork",
        title="Fork at this step…",
        description="Start a new run at the selected step, with the data it had there or other data",
        group="Runs",
        needs=needs.all_of(needs.a_runner, run_needs.a_step_to_fork_at),
        writes=True,
        command="flux runs fork",
    ),
    Action(
        id="replay",
        keys=("P",),
        label="replay",
        title="Replay run",
        description="Run the plain steps again, writing nothing, and show what the code now does otherwise",
        group="Runs",
        needs=needs.all_of(needs.a_runner, run_needs.a_run_to_replay),
        command="flux replay",
    ),
    Action(
        id="go-origin",
        keys=(),
        label="origin",
        title="Go to the run it was forked from",
        description="Select the run from which the selected one was forked",
        group="Runs",
        needs=run_needs.an_origin,
    ),
)
