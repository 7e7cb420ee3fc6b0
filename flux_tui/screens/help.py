"""All keys, searchable by name and by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Input, Static

from flux_tui.model.text import fit, printable
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets import tones
from flux_tui.widgets.text_rows import TextRow, TextRows

KEY_CELLS, LABEL_CELLS = 10, 15


class HelpEntry(Struct, frozen=True, kw_only=True):
    """A key and what it does; ``reason_disabled`` says why it does nothing now.

    ``command`` is what does the same on the command line.
    """

    key: str
    label: str
    description: str = ""
    group: str = "Keys"
    reason_disabled: str | None = None
    command: str | None = None


def matching(entries: Sequence[HelpEntry], text: str) -> list[HelpEntry]:
    """Return the entries that a search text is about: first those whose key it is, then the others."""
    needle = text.strip()
    if not needle:
        return list(entries)
    by_key = [entry for entry in entries if needle in entry.key.split()]
    low = needle.casefold()
    return by_key + [entry for entry in entries if low in _words(entry) and entry not in by_key]


def _words(entry: HelpEntry) -> str:
    words = (entry.key, entry.label, entry.description, entry.group, entry.command or "")
    return " ".join(words).casefold()


class HelpScreen(Dialog[None]):
    """Lists keys by group. Typing searches, arrows scroll, ``escape`` clears the search and then closes."""

    DEFAULT_CSS = """
    HelpScreen > DialogBox { width: 100; height: 100%; max-height: 44; padding: 0 1; overflow-y: hidden; }
    HelpScreen Input { margin-bottom: 1; }
    HelpScreen #whole { height: 2; margin-top: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "rows('cursor_up')", "Up", id="help.up", show=False),
        Binding("down", "rows('cursor_down')", "Down", id="help.down", show=False),
        Binding("pageup", "rows('page_up')", "Page up", id="help.page-up", show=False),
        Binding("pagedown", "rows('page_down')", "Page down", id="help.page-down", show=False),
    ]
    TITLE_KEYS = (("↑↓", "scroll"), ("esc", "close"))

    _search = query_one(Input)
    _rows = query_one(TextRows)

    def __init__(self, entries: Sequence[HelpEntry], search: str = "") -> None:
        super().__init__("Keys")
        self.entries = entries
        self._searched = search

    def compose_box(self) -> ComposeResult:
        """Yield the search line and the list."""
        yield Input(self._searched, placeholder="search by name or key", compact=True)
        yield TextRows(empty="No key has this name. Press esc to see all.")
        yield Static(id="whole", markup=False)

    def on_mount(self) -> None:
        """Start in the search line."""
        self._search.focus()
        self._fill()

    @on(Input.Changed)
    def _fill(self) -> None:
        self._rows.set_rows(tuple(_rows(matching(self.entries, self._search.value))))
        self._rows.move_to(1)

    @on(TextRows.Highlighted)
    def _tell_whole(self, message: TextRows.Highlighted) -> None:
        """Say in full what the row under the cursor has no room for."""
        entry = next((entry for entry in self.entries if _key(entry) == message.key), None)
        text = "" if entry is None else entry.description
        if entry is not None and entry.reason_disabled:
            text = f"{text}. Not now: {entry.reason_disabled}."
        if entry is not None and entry.command:
            text = f"{text}. On the command line: {entry.command}"
        self.query_one("#whole", Static).update(printable(text))

    def on_key(self, event: events.Key) -> None:
        """Close on ``?`` while nothing is searched for."""
        if event.character == "?" and not self._search.value:
            event.stop()
            event.prevent_default()
            self.dismiss(None)

    def action_leave(self) -> None:
        """Clear the search, or close."""
        if self._search.value:
            self._search.value = ""
        else:
            self.dismiss(None)

    def action_rows(self, action: str) -> None:
        """Move in the list while the focus stays in the search line."""
        getattr(self._rows, f"action_{action}")()


def _rows(entries: Sequence[HelpEntry]) -> Iterator[TextRow]:
    groups: dict[str, list[HelpEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    for number, (group, members) in enumerate(groups.items()):
        if number:
            yield TextRow(key=("gap", group), content=Content(""))
        yield TextRow(key=("group", group), content=Content.styled(printable(group), tones.HEADING))
        for entry in members:
            yield TextRow(key=_key(entry), content=_entry(entry))


def _key(entry: HelpEntry) -> tuple[str, str, str]:
    return entry.group, entry.key, entry.label


def _entry(entry: HelpEntry) -> Content:
    key, label = fit(printable(entry.key), KEY_CELLS), fit(printable(entry.label), LABEL_CELLS)
    if entry.reason_disabled:
        why = printable(entry.reason_disabled)
        return Content.assemble((f"  {key}{label}", tones.FAINT), (f"not now: {why}", tones.FAINT))
    return Content.assemble(
        (f"  {key}", f"bold {tones.LINK}"), (label, ""), (printable(entry.description), tones.MUTED)
    )
