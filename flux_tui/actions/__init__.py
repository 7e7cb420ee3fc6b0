"""Everything a user can do in the dashboard, in one place.

Keys, footer, help and command palette are all derived from ``ACTIONS``, so they cannot disagree. An
action that cannot be done now stays where it is and says why: ``needs`` looks at the situation and
returns the reason, or ``None`` when nothing stands in the way. Each module here has the actions of one
group; ``flux_tui.flows`` has what each of them does.
"""

from typing import Final

from msgspec.structs import replace
from textual.binding import Binding

from flux_tui.actions import debug, keys, lineage, look, many, panes, program, runs, share, tabs, time
from flux_tui.actions import find as finding
from flux_tui.actions.action import Action, Keymap
from flux_tui.actions.keys import key_text, keys_of
from flux_tui.needs import not_on_restate
from flux_tui.restate.reasons import REASONS

__all__ = [
    "ACTIONS",
    "PINNED",
    "Action",
    "Keymap",
    "bindings",
    "find",
    "key_text",
    "keys_of",
    "offered",
]


def _beyond_restate(action: Action) -> Action:
    reason = REASONS.get(action.id)
    return action if reason is None else replace(action, needs=not_on_restate(reason, action.needs))


_EVERY: Final = (
    *runs.ACTIONS,
    *lineage.ACTIONS,
    *many.ACTIONS,
    *debug.ACTIONS,
    *finding.ACTIONS,
    *look.ACTIONS,
    *share.ACTIONS,
    *time.ACTIONS,
    *tabs.ACTIONS,
    *panes.ACTIONS,
    *program.ACTIONS,
)

ACTIONS: Final = tuple(map(_beyond_restate, _EVERY))

_BY_ID: Final = {action.id: action for action in ACTIONS}

PINNED: Final = ("help", "palette", "quit")
"""The actions that keep their place at the right end of the footer however narrow it gets."""


def find(action_id: str) -> Action:
    """Return the action of this id. Raises ``KeyError`` when there is none."""
    return _BY_ID[action_id]


def offered(*, read_only: bool) -> tuple[Action, ...]:
    """Return the actions that there are; ``read_only`` takes away those that write."""
    return tuple(action for action in ACTIONS if not (read_only and action.writes))


def bindings() -> list[Binding]:
    """Return the key bindings of all actions, each with the id of its action."""
    return keys.bindings(ACTIONS)
