"""What happens when an action is done: dialogs, requests to the desk, and what the user is told.

A flow that waits for a dialog or the runner is a worker of its own, so the keyboard never waits. Each
module here has the flows of one group of actions.
"""

from typing import TYPE_CHECKING, Final

from flux_tui.flows import bulk, control, debug, find, fork, look, panes, program, replay, runs, share, time
from flux_tui.flows.asking import Flow

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

FLOWS: Final[dict[str, Flow]] = {
    **runs.FLOWS,
    **control.FLOWS,
    **fork.FLOWS,
    **replay.FLOWS,
    **bulk.FLOWS,
    **debug.FLOWS,
    **find.FLOWS,
    **look.FLOWS,
    **share.FLOWS,
    **panes.FLOWS,
    **time.FLOWS,
    **program.FLOWS,
}


def perform(screen: "MainScreen", action_id: str) -> None:
    """Do what an action is about; its needs are met."""
    of_many = screen.marks and action_id in bulk.VERBS
    flow = bulk.of_marked(action_id) if of_many else FLOWS[action_id]
    outcome = flow(screen)
    if outcome is not None:
        screen.run_worker(outcome, group="flow")
