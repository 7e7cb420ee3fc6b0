"""The entries of the help screen: the actions, and the keys that only work in one part of the screen."""

from collections.abc import Iterator, Sequence
from typing import Final

from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.widget import Widget
from textual.widgets import Input

from flux_tui import actions
from flux_tui.keymap import Key, clashes
from flux_tui.needs import Situation
from flux_tui.screens.bulk import BulkScreen
from flux_tui.screens.compare import CompareScreen
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.dialog import Dialog
from flux_tui.screens.edit_data import EditDataScreen
from flux_tui.screens.edit_stop import EditStopScreen
from flux_tui.screens.help import HelpEntry, HelpScreen
from flux_tui.screens.pick_run import PickRunScreen
from flux_tui.screens.replay import ReplayScreen
from flux_tui.screens.retry import RetryScreen
from flux_tui.screens.signal import SignalScreen
from flux_tui.screens.trigger import TriggerScreen
from flux_tui.widgets.data_view import DataView
from flux_tui.widgets.error_view import ErrorView
from flux_tui.widgets.event_view import EventView
from flux_tui.widgets.filter_line import FilterInput
from flux_tui.widgets.graph import StepGraph
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.log_view import LogView
from flux_tui.widgets.runs import RunList
from flux_tui.widgets.search_pane import SearchInput, SearchPane
from flux_tui.widgets.timeline_view import TimelineView
from flux_tui.widgets.workflows import WorkflowList

PARTS: Final[Sequence[tuple[str, type[Widget]]]] = (
    ("In the graph", StepGraph),
    ("In the list of runs", RunList),
    ("In every list", LineList),
    ("In the workflows", WorkflowList),
    ("In the line to filter by", FilterInput),
    ("While something is searched for", SearchPane),
    ("In the line to search", SearchInput),
    ("In the error", ErrorView),
    ("In the data", DataView),
    ("In the timeline", TimelineView),
    ("In the logs", LogView),
    ("In the events", EventView),
)

CLASHES: Final = "Clashes"
"""The group of keys that are wanted twice."""

DIALOGS: Final[Sequence[tuple[str, type[DOMNode]]]] = (
    ("In every dialog", Dialog),
    ("In the help", HelpScreen),
    ("In the comparison of two runs", CompareScreen),
    ("In the list of runs to compare with", PickRunScreen),
    ("In the form of a run", TriggerScreen),
    ("In the data to edit", EditDataScreen),
    ("In the data of a paused run", EditStopScreen),
    ("In the signal to send", SignalScreen),
    ("In the plan of a retry", RetryScreen),
    ("In a replay", ReplayScreen),
    ("While many runs are acted on", BulkScreen),
    ("In a question", ConfirmScreen),
)


def every_key() -> list[Key]:
    """Return all that can be bound: the actions, then the keys of each part of the screen and each dialog."""
    found = [Key(id=action.id, keys=action.keys, title=action.title) for action in actions.ACTIONS]
    parts = (*PARTS, *DIALOGS)
    for group, part in parts:
        for binding in _own(part):
            if binding.id is not None:
                names = tuple(binding.key.split(","))
                key = Key(
                    id=binding.id,
                    keys=names,
                    title=binding.description,
                    part=group,
                    modal=(group, part) in DIALOGS,
                    around=tuple(name for name, wide in parts if _lies_in(part, wide)),
                )
                found.append(key)
    return found


def _lies_in(part: type[DOMNode], wide: type[DOMNode]) -> bool:
    """Whether the keys of a more general part work where this one has the focus: it is one, or is in it."""
    holds_lists = not issubclass(wide, ScrollView | Input | Screen)
    return wide in part.__mro__[1:] or (part is LineList and holds_lists)


def clash_entries(keymap: actions.Keymap, place: str = "") -> list[HelpEntry]:
    """Return the keys that clash because of the keymap, for the top of the list."""
    return [
        HelpEntry(
            key=actions.key_text(clash.key),
            label=" · ".join(clash.ids),
            description=f"{clash.text}: bind one of them to another key in {place or 'the keymap'}",
            group=CLASHES,
        )
        for clash in clashes(keymap, every_key())
    ]


def _own(part: type[DOMNode]) -> Iterator[Binding]:
    return (each for each in part.__dict__.get("BINDINGS", ()) if isinstance(each, Binding))


def entries(
    situation: Situation, keymap: actions.Keymap, *, read_only: bool, place: str = ""
) -> list[HelpEntry]:
    """Return every key with what it does, and why it does nothing now; what clashes comes first."""
    return [
        *clash_entries(keymap, place),
        *_actions(situation, keymap, read_only=read_only),
        *(entry for group, part in PARTS for entry in _local(group, part, keymap)),
    ]


def local_ids() -> frozenset[str]:
    """Return the ids of the keys that only work in one part of the screen, or in a dialog."""
    return frozenset(
        binding.id
        for _, part in (*PARTS, *DIALOGS)
        for binding in part.BINDINGS
        if isinstance(binding, Binding) and binding.id is not None
    )


def _actions(situation: Situation, keymap: actions.Keymap, *, read_only: bool) -> Iterator[HelpEntry]:
    for action in actions.offered(read_only=read_only):
        yield HelpEntry(
            key=" ".join(actions.key_text(key) for key in actions.keys_of(action, keymap)),
            label=action.label,
            description=action.description + _rebound(action.id, action.keys, keymap),
            group=action.group,
            reason_disabled=action.needs(situation),
            command=action.command,
        )


def _local(group: str, part: type[Widget], keymap: actions.Keymap) -> Iterator[HelpEntry]:
    for binding in _own(part):
        if binding.description:
            own = binding.key.split(",")
            keys = keymap.get(binding.id or "", binding.key).split(",")
            shown = " ".join(actions.key_text(key.strip()) for key in keys)
            rebound = _rebound(binding.id or "", own, keymap)
            yield HelpEntry(key=shown, label=binding.description, description=rebound.strip(), group=group)


def _rebound(name: str, own: Sequence[str], keymap: actions.Keymap) -> str:
    if name not in keymap:
        return ""
    was = " ".join(actions.key_text(key.strip()) for key in own) or "no key"
    return f" (rebound, was {was})"
