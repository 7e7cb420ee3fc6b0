"""What all dialogs share: a box in the middle that scrolls when it does not fit, and its keys below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget

from flux_tui.model.text import printable
from flux_tui.widgets import tones

Result = TypeVar("Result")
Keys = Sequence[tuple[str, str]]


class DialogBox(VerticalScroll, can_focus=False):
    """The box of a dialog."""


class Dialog(ModalScreen[Result]):
    """A dialog. ``escape`` closes it; a dialog into which something is typed asks first.

    ``TITLE_KEYS`` are the keys shown on its lower edge, with what they do.
    """

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 65%; }
    Dialog > DialogBox {
        width: 84;
        max-width: 100%;
        height: auto;
        max-height: 100%;
        padding: 1 2;
        background: $surface;
        border: round $primary;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        border-subtitle-background: $surface;
        scrollbar-size-vertical: 1;
    }
    Dialog Static { width: 1fr; }
    Dialog .muted { color: $text-muted; }
    Dialog .problem { color: $text-error; }
    Dialog .care { color: $text-warning; }
    Dialog TextArea { padding: 0; border: none; background: $foreground 6%; }
    Dialog TextArea:focus { border: none; background: $foreground 10%; }
    Dialog Input { background: $foreground 6%; padding: 0 1; }
    Dialog Input:focus { background: $foreground 10%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", id="dialog.cancel", show=False, priority=False),
        Binding("k", "scroll_rows(-1)", "Up", id="dialog.up", show=False),
        Binding("j", "scroll_rows(1)", "Down", id="dialog.down", show=False),
        Binding("ctrl+u", "scroll_pages(-0.5)", "Half a page up", id="dialog.half-page-up", show=False),
        Binding("ctrl+d", "scroll_pages(0.5)", "Half a page down", id="dialog.half-page-down", show=False),
        Binding("pageup,ctrl+b", "scroll_pages(-1)", "Page up", id="dialog.page-up", show=False),
        Binding("pagedown,ctrl+f", "scroll_pages(1)", "Page down", id="dialog.page-down", show=False),
        Binding("home,g", "scroll_pages(-1000)", "To the beginning", id="dialog.first", show=False),
        Binding("end,G", "scroll_pages(1000)", "To the end", id="dialog.last", show=False),
    ]
    TITLE_KEYS: ClassVar[Keys] = (("esc", "cancel"),)

    def __init__(self, title: str) -> None:
        super().__init__()
        self._box = DialogBox()
        self.show_title(title)
        self.show_keys(self.TITLE_KEYS)

    def compose(self) -> ComposeResult:
        """Yield the box with what ``compose_box`` yields inside."""
        with self._box:
            yield from self.compose_box()

    def compose_box(self) -> ComposeResult:
        """Yield what the dialog consists of."""
        yield Widget()

    def show_title(self, title: str) -> None:
        """Show a title on the upper edge."""
        self._box.border_title = Content(f" {printable(title)} ")

    def show_keys(self, keys: Keys) -> None:
        """Show which keys do what on the lower edge."""
        said = [Content.assemble((key, f"bold {tones.LINK}"), f" {printable(what)}") for key, what in keys]
        self._box.border_subtitle = Content("  ").join(said).pad(1, 1)

    def action_scroll_rows(self, rows: int) -> None:
        """Scroll a dialog that does not fit."""
        self._box.scroll_relative(y=rows, animate=False)

    def action_scroll_pages(self, pages: float) -> None:
        """Scroll a dialog that does not fit by pages."""
        self._box.scroll_relative(y=round(pages * max(self._box.size.height, 1)), animate=False)

    @property
    def typed(self) -> bool:
        """Whether something was typed that closing would lose."""
        return False

    def action_leave(self) -> None:
        """Close the dialog; ask first when something was typed."""
        if not self.typed:
            self.dismiss(None)
            return
        from flux_tui.screens.confirm import ConfirmScreen  # noqa: PLC0415 - a confirmation is a dialog

        question = ConfirmScreen("Discard what you typed?", yes="discard", no="keep on typing")
        self.app.push_screen(question, self._leave_if)

    def _leave_if(self, confirmed: bool | None) -> None:  # noqa: FBT001
        if confirmed:
            self.dismiss(None)
