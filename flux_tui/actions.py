"""Everything a user can do in the dashboard, in one place.

Keys, footer, help and command palette are all derived from ``ACTIONS``, so they cannot disagree. An
action that cannot be done now stays where it is and says why: ``needs`` looks at the situation and
returns the reason, or ``None`` when nothing stands in the way.
"""

from collections.abc import Container, Mapping
from typing import Final

from msgspec import Struct
from textual.binding import Binding
from textual.keys import format_key

from flux_tui import needs
from flux_tui.needs import Needs


class Action(Struct, frozen=True, kw_only=True):
    """One thing to do. ``keys`` are Textual's key names; ``label`` is for the footer, ``title`` the palette.

    ``writes`` marks what ``--read-only`` takes away. ``transient`` marks moves that need no place in the
    command palette.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    title: str
    description: str
    group: str
    needs: Needs
    in_footer: bool = False
    writes: bool = False
    transient: bool = False


_RETRY: Final = needs.all_of(needs.a_runner, needs.an_ended_run, needs.a_tried_step)

ACTIONS: Final = (
    Action(
        id="run",
        keys=("r",),
        label="run",
        title="Run workflow…",
        description="Fill in the input of the selected workflow and start a run",
        group="Runs",
        needs=needs.all_of(needs.a_runner, needs.a_workflow),
        in_footer=True,
        writes=True,
    ),
    Action(
        id="run-again",
        keys=("R",),
        label="run again",
        title="Run again",
        description="Start a run of the selected workflow with the input used last",
        group="Runs",
        needs=needs.all_of(needs.a_runner, needs.a_workflow, needs.an_earlier_input),
        writes=True,
    ),
    Action(
        id="retry",
        keys=("t",),
        label="retry step",
        title="Retry from this step",
        description="Run the selected step, and all that depend on it, again with the data it had before",
        group="Runs",
        needs=_RETRY,
        in_footer=True,
        writes=True,
    ),
    Action(
        id="retry-only",
        keys=("T",),
        label="retry only",
        title="Retry only this step",
        description="Run the selected step alone again and keep the results of the others",
        group="Runs",
        needs=_RETRY,
        writes=True,
    ),
    Action(
        id="edit-retry",
        keys=("e",),
        label="edit & retry",
        title="Edit data and retry…",
        description="Change the data that the selected step finds, then retry from it",
        group="Runs",
        needs=_RETRY,
        in_footer=True,
        writes=True,
    ),
    Action(
        id="resume",
        keys=("u",),
        label="resume",
        title="Resume run",
        description="Go on with an interrupted or paused run from its first step that is not done",
        group="Runs",
        needs=needs.all_of(needs.a_runner, needs.a_run_left),
        in_footer=True,
        writes=True,
    ),
    Action(
        id="signal",
        keys=("s",),
        label="signal",
        title="Send signal…",
        description="Send the signal that a suspended run waits for; say what became of a commit in doubt",
        group="Runs",
        needs=needs.all_of(needs.a_runner, needs.a_waiting_run),
        in_footer=True,
        writes=True,
    ),
    Action(
        id="cancel",
        keys=("c",),
        label="cancel",
        title="Cancel run",
        description="End the selected run for good; asks first",
        group="Runs",
        needs=needs.all_of(needs.a_runner, needs.an_open_run),
        in_footer=True,
        writes=True,
    ),
    Action(
        id="pause",
        keys=("p",),
        label="pause",
        title="Pause run",
        description="Stop the selected run before its next step",
        group="Runs",
        needs=needs.all_of(needs.a_runner, needs.a_running_run),
        writes=True,
    ),
    Action(
        id="restart-runner",
        keys=("K",),
        label="restart runner",
        title="Restart runner",
        description="End the process that runs the workflows, whatever it does, and start a new one",
        group="Runs",
        needs=needs.any_runner,
        writes=True,
    ),
    Action(
        id="filter",
        keys=("slash",),
        label="filter",
        title="Filter runs",
        description="Show only runs with this text; !text hides them",
        group="Look",
        needs=needs.nothing,
        in_footer=True,
    ),
    Action(
        id="copy",
        keys=("y",),
        label="copy",
        title="Copy",
        description="Copy what has the focus to the clipboard",
        group="Look",
        needs=needs.something_to_copy,
        in_footer=True,
    ),
    Action(
        id="open-editor",
        keys=("o",),
        label="open",
        title="Open in editor",
        description="Open the source of the selected step or module in your editor",
        group="Look",
        needs=needs.a_source,
        in_footer=True,
    ),
    Action(
        id="graph-or-list",
        keys=("v",),
        label="graph/list",
        title="Switch between graph and list",
        description="Show the steps as a graph, or as a list",
        group="Look",
        needs=needs.a_graph,
        in_footer=True,
    ),
    Action(
        id="tab-error",
        keys=("E",),
        label="error",
        title="Error tab",
        description="Show the error of the selected step",
        group="Tabs",
        needs=needs.nothing,
    ),
    Action(
        id="tab-data",
        keys=("D",),
        label="data",
        title="Data tab",
        description="Show the data before and after the selected step",
        group="Tabs",
        needs=needs.nothing,
    ),
    Action(
        id="tab-logs",
        keys=("L",),
        label="logs",
        title="Logs tab",
        description="Show what the selected step printed and logged",
        group="Tabs",
        needs=needs.nothing,
    ),
    Action(
        id="tab-events",
        keys=("V",),
        label="events",
        title="Events tab",
        description="Show the trace events of the run",
        group="Tabs",
        needs=needs.nothing,
    ),
    Action(
        id="tab-source",
        keys=("S",),
        label="source",
        title="Source tab",
        description="Show the code of the selected step",
        group="Tabs",
        needs=needs.nothing,
    ),
    Action(
        id="next-tab",
        keys=("right_square_bracket",),
        label="next tab",
        title="Next tab",
        description="Show the next tab",
        group="Tabs",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="previous-tab",
        keys=("left_square_bracket",),
        label="previous tab",
        title="Previous tab",
        description="Show the previous tab",
        group="Tabs",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="go-workflows",
        keys=("1",),
        label="workflows",
        title="Go to the workflows",
        description="Focus the workflows",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="go-runs",
        keys=("2",),
        label="runs",
        title="Go to the runs",
        description="Focus the runs",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="go-details",
        keys=("3",),
        label="details",
        title="Go to the details",
        description="Focus the details of the selected step",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
    Action(
        id="go-graph",
        keys=("4",),
        label="graph",
        title="Go to the graph",
        description="Focus the graph; arrows or hjkl walk its steps",
        group="Panes",
        needs=needs.nothing,
        transient=True,
    ),
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
        id="theme",
        keys=(),
        label="theme",
        title="Change theme…",
        description="Try another theme; `theme` in the settings keeps it",
        group="Program",
        needs=needs.nothing,
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

_BY_ID: Final = {action.id: action for action in ACTIONS}

PINNED: Final = ("help", "palette", "quit")
"""The actions that keep their place at the right end of the footer however narrow it gets."""

Keymap = Mapping[str, str]


def find(action_id: str) -> Action:
    """Return the action of this id. Raises ``KeyError`` when there is none."""
    return _BY_ID[action_id]


def offered(*, read_only: bool) -> tuple[Action, ...]:
    """Return the actions that there are; ``read_only`` takes away those that write."""
    return tuple(action for action in ACTIONS if not (read_only and action.writes))


def keys_of(action: Action, keymap: Keymap) -> tuple[str, ...]:
    """Return the keys of an action: those that the user bound to its id, else its own."""
    bound = keymap.get(action.id)
    if bound is None:
        return action.keys
    return tuple(key.strip() for key in bound.split(",") if key.strip())


def key_text(key: str) -> str:
    """Return a key as it is printed: ``?`` for ``question_mark``, ``^p`` for ``ctrl+p``."""
    *modifiers, name = key.split("+")
    shown = "".join("^" if modifier == "ctrl" else f"{modifier}+" for modifier in modifiers)
    return shown + format_key(name)


def bindings(actions: tuple[Action, ...] = ACTIONS) -> list[Binding]:
    """Return the key bindings of the actions, each with the id of its action."""
    return [
        Binding(
            ",".join(action.keys),
            f"do('{action.id}')",
            action.label,
            id=action.id,
            tooltip=action.description,
            show=action.in_footer,
            priority=action.id == "palette",
        )
        for action in actions
        if action.keys
    ]


def problems(keymap: Keymap, local: Container[str] = ()) -> list[str]:
    """Return what is wrong with a keymap: ids that nothing has, and keys that two actions share.

    ``local`` are the ids of keys that belong to one part of the screen.
    """
    found = [
        f"keymap: nothing has the id {name!r}" for name in keymap if name not in _BY_ID and name not in local
    ]
    owners: dict[str, str] = {}
    for action in ACTIONS:
        for key in keys_of(action, keymap):
            shown = key_text(key)
            other = owners.setdefault(shown, action.id)
            if other != action.id:
                found.append(f"keymap: {shown} is the key of {other!r} and of {action.id!r}")
    return found
