"""What stops runs, and goes through them step by step."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

_STOPPED: Final = needs.all_of(needs.a_runner, needs.a_paused_run)

ACTIONS: Final = (
    Action(
        id="next-step",
        keys=("n",),
        label="next step",
        title="Next step",
        description="Run the step that the paused run stands before, and stop again behind it",
        group="Debug",
        needs=_STOPPED,
        in_footer=True,
        only_now=True,
        writes=True,
        command="flux runs resume --next",
    ),
    Action(
        id="go-on",
        keys=("g",),
        label="go on",
        title="Go on",
        description="Go on with the paused run to the next breakpoint, or to its end",
        group="Debug",
        needs=_STOPPED,
        in_footer=True,
        only_now=True,
        first=True,
        writes=True,
        command="flux runs resume",
    ),
    Action(
        id="breakpoint",
        keys=("b",),
        label="breakpoint",
        title="Breakpoint",
        description="Stop runs before the selected step, or no longer",
        group="Debug",
        needs=needs.all_of(needs.any_runner, needs.a_selected_step),
        in_footer=True,
        writes=True,
        command="flux run --break",
    ),
    Action(
        id="clear-breakpoints",
        keys=(),
        label="clear all",
        title="Clear all breakpoints",
        description="Take the breakpoints of all workflows away",
        group="Debug",
        needs=needs.any_breakpoint,
        writes=True,
    ),
    Action(
        id="retry-on-save",
        keys=("w",),
        label="retry on save",
        label_now=lambda now: "end retry on save" if now.watched else "retry on save",
        title="Retry on save",
        description="Retry the run from its failed step at each save, or no longer",
        group="Debug",
        needs=needs.all_of(needs.any_runner, needs.a_run_to_watch),
        in_footer=True,
        writes=True,
    ),
)
