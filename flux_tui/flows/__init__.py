"""What happens when an action is done: dialogs, requests to the desk, and what the user is told.

A flow that waits for a dialog or the runner is a worker of its own, so the keyboard never waits. Each
module here has the flows of one group of actions.
"""

from typing import TYPE_CHECKING, Final

from flux_tui.flows import control, debug, find, look, panes, program, runs, share, time
from flux_tui.flows.asking import Flow

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

FLOWS: Final[dict[str, Flow]] = {
    **runs.FLOWS,
    **control.FLOWS,
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
    outcome = FLOWS[action_id](screen)
    if outcome is not None:
        screen.run_worker(outcome, group="flow")
