"""What the dashboard does to its own runs and not to runs on Restate, and what to do instead."""

from typing import Final

_FORK: Final = "a run on Restate is not sent back: F forks it at a step, with other data if need be"
_STEPPING: Final = "runs on Restate do not stop at breakpoints: its services have no runner here"

REASONS: Final = {
    "retry": _FORK,
    "retry-only": _FORK,
    "edit-retry": _FORK,
    "resume": "Restate goes on with its runs by itself",
    "recover": "Restate goes on with its runs by itself",
    "pause": "a run on Restate is not paused: c cancels it",
    "replay": "the code of this run is where Restate calls it, and replay needs it here",
    "delete": "Restate removes ended runs itself when their retention is over",
    "undo-delete": "Restate removes ended runs itself when their retention is over",
    "breakpoint": _STEPPING,
    "clear-breakpoints": _STEPPING,
    "next-step": _STEPPING,
    "go-on": _STEPPING,
    "retry-on-save": "a run on Restate is not retried on save: F forks it",
    "restart-runner": "there is no runner here: Restate calls the services",
}
"""Reasons by the id of the action."""
