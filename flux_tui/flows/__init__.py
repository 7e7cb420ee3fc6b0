"""What happens when an action is done: dialogs, requests to the desk, and what the user is told.

A flow that waits for a dialog or the runner is a worker of its own, so the keyboard never waits. Each
module here has the flows of one group of actions; ``registry`` has them all.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def perform(screen: "MainScreen", action_id: str) -> None:
    """Do what an action is about; its needs are met."""
    from flux_tui.flows.registry import flow_of  # noqa: PLC0415 - not before the first frame

    outcome = flow_of(action_id, of_many=bool(screen.marks))(screen)
    if outcome is not None:
        screen.run_worker(outcome, group="flow")
