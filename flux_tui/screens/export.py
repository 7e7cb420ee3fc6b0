"""Where to export a run, and whether with its secrets."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.getters import query_one
from textual.widgets import Input, Static, Switch

from flux_tui.model.export import Export, places
from flux_tui.model.text import printable
from flux_tui.screens.dialog import Dialog


class ExportChoice(Struct, frozen=True, kw_only=True):
    """Which file to write; ``reveal`` says that secrets stay in it."""

    path: Path
    reveal: bool


class ExportScreen(Dialog[ExportChoice]):
    """Asks for the file; dismisses with an ``ExportChoice``, or ``None``."""

    DEFAULT_CSS = """
    ExportScreen Horizontal { height: 1; margin-top: 1; }
    ExportScreen Switch { border: none; height: 1; width: 8; padding: 0; background: transparent; }
    ExportScreen Switch:focus { border: none; background: $foreground 10%; }
    ExportScreen #about { margin-top: 1; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+enter", "submit", "Export", id="export.submit", show=False, priority=True),
    ]
    TITLE_KEYS = (("enter", "export"), ("tab", "next"), ("esc", "cancel"))

    _path = query_one("#path", Input)
    _reveal = query_one("#reveal", Switch)
    _about = query_one("#about", Static)

    def __init__(self, made: Export, folder: Path) -> None:
        super().__init__("Export run")
        self._made = made
        self._folder = folder

    def compose_box(self) -> ComposeResult:
        """Yield the file, the switch, and what comes of both."""
        yield Static("File", classes="muted", markup=False)
        yield Input(self._made.name, id="path", compact=True)
        with Horizontal():
            yield Switch(value=False, id="reveal")
            yield Static("with secrets: everyone who gets the file can read them", markup=False)
        yield Static(id="about", markup=False)

    def on_mount(self) -> None:
        """Start with the name of the file."""
        self._path.focus()
        self._tell()

    @on(Input.Changed)
    @on(Switch.Changed)
    def _tell(self) -> str:
        problem = self._problem()
        masked = self._made.masked
        found = f"Secrets are masked in {places(masked)}." if masked else "Nothing in it looks like a secret."
        said = "Nothing is masked." if self._reveal.value else found
        size = f"{len(self._made.content):,} bytes. flux-tui FILE shows it read-only, on any machine."
        self._about.update(f"✖ {printable(problem)}" if problem else f"{said} {size}")
        self._about.set_class(bool(problem), "problem")
        self._about.set_class(not problem and self._reveal.value, "care")
        self._about.set_class(not problem and not self._reveal.value, "muted")
        return problem

    @property
    def _chosen(self) -> Path:
        return self._folder / Path(self._path.value.strip()).expanduser()

    def _problem(self) -> str:
        if not self._path.value.strip():
            return "name a file"
        path = self._chosen
        if path.is_dir():
            return f"{path} is a folder"
        return "" if path.parent.is_dir() else f"there is no folder {path.parent}"

    @on(Input.Submitted)
    def action_submit(self) -> None:
        """Close with the choice, unless something is wrong with it."""
        if not self._tell():
            self.dismiss(ExportChoice(path=self._chosen, reveal=self._reveal.value))
