"""What concerns the program as a whole."""

from typing import Final

from flux_tui import needs
from flux_tui.actions.action import Action

ACTIONS: Final = (
    Action(
        id="back",
        keys=("escape",),
        label="back",
        title="Back",
        description="Leave the last transient thing: the filter, a message, a pane; never quits",
        group="Program",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="help",
        keys=("question_mark", "f1"),
        label="help",
        title="Help",
        description="Show every key, searchable",
        group="Program",
        needs=needs.nothing,
        in_footer=True,
        command="flux config keys",
    ),
    Action(
        id="palette",
        keys=("ctrl+p",),
        label="commands",
        title="Command palette",
        description="Search and run any command",
        group="Program",
        needs=needs.nothing,
        in_footer=True,
        transient=True,
    ),
    Action(
        id="clashes",
        keys=(),
        label="clashes",
        title="Show keys that clash",
        description="Show the keys that two would have because of the keymap in the settings",
        group="Program",
        needs=needs.nothing,
        command="flux config keys",
    ),
    Action(
        id="theme",
        keys=(),
        label="theme",
        title="Change theme…",
        description="Try the themes; the chosen one stays for later sessions",
        group="Program",
        needs=needs.nothing,
        command="flux dev --theme",
    ),
    Action(
        id="quit",
        keys=("q", "ctrl+q"),
        label="quit",
        title="Quit",
        description="Leave Flux; asks when runs are in hand",
        group="Program",
        needs=needs.nothing,
        in_footer=True,
    ),
)
