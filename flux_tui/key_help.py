"""The entries of the help screen: the actions, and the keys that only work in one part of the screen."""

from collections.abc import Iterator, Sequence
from typing import Final

from textual.binding import Binding
from textual.dom import DOMNode
from textual.widget import Widget

from flux_tui import actions
from flux_tui.needs import Situation
from flux_tui.screens.bulk import BulkScreen
from flux_tui.screens.compare import CompareScreen
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.edit_data import EditDataScreen
from flux_tui.screens.edit_stop import EditStopScreen
from flux_tui.screens.help import HelpEntry
from flux_tui.screens.pick_run import PickRunScreen
from flux_tui.screens.replay import ReplayScreen
from flux_tui.screens.retry import RetryScreen
from flux_tui.screens.signal import SignalScreen
from flux_tui.screens.trigger import TriggerScreen
from flux_tui.widgets.data_view import DataView
from flux_tui.widgets.error_view import ErrorView
from flux_tui.widgets.event_view import EventView
from flux_tui.widgets.graph import StepGraph
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.log_view import LogView
from flux_tui.widgets.runs import RunList
from flux_tui.widgets.timeline_view import TimelineView

PARTS: Final[Sequence[tuple[str, type[Widget]]]] = (
    ("In the graph", StepGraph),
    ("In the list of runs", RunList),
    ("In every list", LineList),
    ("In the error", ErrorView),
    ("In the data", DataView),
    ("In the timeline", TimelineView),
    ("In the logs", LogView),
    ("In the events", EventView),
)

DIALOGS: Final[Sequence[tuple[str, type[DOMNode]]]] = (
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


def entries(situation: Situation, keymap: actions.Keymap, *, read_only: bool) -> list[HelpEntry]:
    """Return every key with what it does, and why it does nothing now."""
    return [
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
            description=action.description,
            group=action.group,
            reason_disabled=action.needs(situation),
        )


def _local(group: str, part: type[Widget], keymap: actions.Keymap) -> Iterator[HelpEntry]:
    for binding in part.__dict__.get("BINDINGS", ()):
        if isinstance(binding, Binding) and binding.description:
            keys = keymap.get(binding.id or "", binding.key).split(",")
            shown = " ".join(actions.key_text(key.strip()) for key in keys)
            yield HelpEntry(key=shown, label=binding.description, group=group)
