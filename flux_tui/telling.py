"""Telling the user something for a while. What is told is shown as it is, never read as markup."""

from typing import Final, Literal

from textual.notifications import Notification
from textual.screen import Screen

Severity = Literal["information", "warning", "error"]

REFUSED: Final = " is not possible now"
"""How the title of a message ends that says why a key does nothing."""


def replaces(title: str, text: str, told: Notification) -> bool:
    """Whether a new message makes one that is still shown pointless: it is the same, or refuses a key too."""
    refusals = title.endswith(REFUSED) and told.title.endswith(REFUSED)
    return refusals or (title, text) == (told.title, told.message)


def tell(screen: Screen[None], text: str, *, title: str = "", severity: Severity = "information") -> None:
    """Show a message."""
    screen.app.notify(text, title=title, severity=severity, markup=False)
