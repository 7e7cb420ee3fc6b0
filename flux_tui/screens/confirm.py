"""A question with yes or no."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Static

from flux_tui.model.text import printable
from flux_tui.screens.dialog import Dialog


class ConfirmScreen(Dialog[bool]):
    """Asks a question; dismisses with ``True``, or with ``False`` or ``None`` when nothing shall be done."""

    DEFAULT_CSS = """
    ConfirmScreen > DialogBox { width: 64; }
    ConfirmScreen #detail { margin-bottom: 1; }
    ConfirmScreen #answers { height: 1; align-horizontal: right; }
    ConfirmScreen Button { margin-left: 2; min-width: 10; background: $panel; text-style: none; }
    ConfirmScreen Button:focus { background: $primary; color: $background; text-style: bold !important; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes", show=False),
        Binding("n", "answer(False)", "No", id="confirm.no", show=False),
        Binding("left,right", "app.focus_next", "Other answer", id="confirm.other", show=False),
    ]
    TITLE_KEYS = (("y", "yes"), ("n", "no"), ("esc", "cancel"))

    def __init__(self, question: str, detail: str = "", yes: str = "Yes", no: str = "No") -> None:
        super().__init__(question)
        self.question = question
        self.detail = detail
        self._answers = (yes, no)
        self.show_keys((("y", yes), ("n", no)))

    def compose_box(self) -> ComposeResult:
        """Yield the question, its detail and the two answers."""
        if self.detail:
            lines = "\n".join(printable(line) for line in self.detail.splitlines())
            yield Static(lines, id="detail", classes="muted", markup=False)
        yes, no = self._answers
        with Horizontal(id="answers"):
            yield Button(Content(printable(yes)), id="yes", compact=True)
            yield Button(Content(printable(no)), id="no", compact=True)

    def on_mount(self) -> None:
        """Start on the answer that changes nothing."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def pressed(self, event: Button.Pressed) -> None:
        """Close with the answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001
        """Close with the answer."""
        self.dismiss(answer)
