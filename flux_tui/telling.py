"""Telling the user something for a while. What is told is shown as it is, never read as markup."""

from typing import Literal

from textual.screen import Screen

Severity = Literal["information", "warning", "error"]


def tell(screen: Screen[None], text: str, *, title: str = "", severity: Severity = "information") -> None:
    """Show a message."""
    screen.app.notify(text, title=title, severity=severity, markup=False)
