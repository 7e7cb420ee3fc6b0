"""What takes something out of the dashboard: to the clipboard, to a file, to a test."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="copy",
        keys=("y",),
        label="copy",
        title="Copy",
        description="Copy what the cursor is on to the clipboard",
        group="Share",
        needs=needs.something_to_copy,
        in_footer=True,
    ),
    Action(
        id="copy-whole",
        keys=("Y",),
        label="copy all",
        title="Copy all of it",
        description="Copy the whole data, log, events, error or source that is shown; in the lists, the run",
        group="Share",
        needs=needs.something_to_copy,
        command="flux runs show --json",
    ),
    Action(
        id="copy-test",
        keys=("ctrl+y",),
        label="copy as test",
        title="Copy step as pytest test",
        description="Copy a test that runs the selected step on its recorded data",
        group="Share",
        needs=needs.all_of(needs.a_tried_step, needs.a_definition),
        command="flux runs test",
    ),
    Action(
        id="export",
        keys=("W",),
        label="export",
        title="Export run…",
        description="Write the selected run to one file that flux-tui opens anywhere, without its secrets",
        group="Share",
        needs=needs.a_run,
        command="flux export",
    ),
)
