"""Choosing a theme: the one under the cursor is tried at once, on the screen behind."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.getters import query_one

from flux_tui.screens.dialog import Dialog
from flux_tui.widgets import tones
from flux_tui.widgets.text_rows import TextRow, TextRows

OURS = "flux-"


class ThemeScreen(Dialog[str]):
    """Lists the themes, those of Flux first; dismisses with the chosen name, or ``None`` for no change."""

    DEFAULT_CSS = """
    ThemeScreen { align: right middle; background: transparent; }
    ThemeScreen > DialogBox { width: 32; height: 80%; max-height: 32; padding: 0 1; overflow-y: hidden; }
    """
    TITLE_KEYS = (("enter", "keep"), ("esc", "cancel"))

    _rows = query_one(TextRows)

    def __init__(self, names: Sequence[str], current: str) -> None:
        super().__init__("Theme")
        self.names = sorted(names, key=lambda name: (not name.startswith(OURS), name))
        self.current = current

    def compose_box(self) -> ComposeResult:
        """Yield the list."""
        yield TextRows()

    def on_mount(self) -> None:
        """Begin at the theme that is on."""
        self._rows.set_rows([TextRow(key=name, content=self._row(name)) for name in self.names])
        self._rows.select(self.current)
        self._rows.focus()

    def _row(self, name: str) -> Content:
        mark = (" now", tones.MUTED) if name == self.current else ("", "")
        return Content.assemble(name, mark)

    @on(TextRows.Highlighted)
    def _try(self, message: TextRows.Highlighted) -> None:
        if message.key is not None and message.key == self._rows.cursor_key:
            self.app.theme = str(message.key)

    @on(TextRows.Chosen)
    def _keep(self, message: TextRows.Chosen) -> None:
        self.dismiss(str(message.key))
