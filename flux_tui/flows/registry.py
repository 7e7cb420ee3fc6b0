"""The flow of each action. With it come all dialogs, so it is imported when the first frame is on screen."""

from typing import Final

from flux_tui.flows import bulk, control, debug, find, fork, look, panes, program, replay, runs, share, time
from flux_tui.flows.asking import Flow

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


def flow_of(action_id: str, *, of_many: bool) -> Flow:
    """Return what an action does; ``of_many``, what it does with all marked runs, if it is one for that."""
    return bulk.of_marked(action_id) if of_many and action_id in bulk.VERBS else FLOWS[action_id]
