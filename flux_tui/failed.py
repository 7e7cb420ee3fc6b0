"""What is left on the terminal when the dashboard itself has failed."""

from typing import Final

import rich
import textual
from rich.console import Group
from rich.text import Text
from rich.traceback import Traceback

WORDS: Final = (
    "The dashboard has failed: this is a fault of flux-tui, not of a workflow. The runs are in the store.\n"
    "Start it again; a run that was on its way is shown as interrupted, and u goes on with it."
)


def report() -> Group:
    """Return the exception that is being handled, without the values of variables, and what to do next."""
    return Group(Traceback(show_locals=False, suppress=[rich, textual]), Text(WORDS))
