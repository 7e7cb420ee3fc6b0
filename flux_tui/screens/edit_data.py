"""Data as JSON to edit before a retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.getters import query_one
from textual.message import Message
from textual.widgets import Static, TextArea

from flux_tui.model.json_text import JsonProblem, read_json, tagged, write_json
from flux_tui.model.masked_json import unmasked
from flux_tui.model.pruned import editable
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.text import printable
from flux_tui.screens.dialog import Dialog, Keys


class Edit(Struct, frozen=True, kw_only=True):
    """An edited object: the top-level keys to merge, or why the text is none."""

    changed: dict[str, Any] = {}
    removed: tuple[str, ...] = ()
    problem: JsonProblem | None = None


def edit_of(text: str, before: Mapping[str, Any], secrets: Secrets | None = None) -> Edit:
    """Compare an edited text with the data before; masks that were left count as what they hide."""
    value = unmasked(text, before, secrets or Secrets())
    if isinstance(value, JsonProblem):
        return Edit(problem=value)
    if not isinstance(value, dict):
        return Edit(problem=JsonProblem(line=1, column=1, message="the data must be an object: {…}"))
    changed = {
        key: item
        for key, item in value.items()
        if key not in before or write_json(before[key]) != write_json(item)
    }
    return Edit(changed=changed, removed=tuple(key for key in before if key not in value))


class EditDataScreen(Dialog[dict[str, Any]]):
    """Edits the data that a step would find; dismisses with the top-level keys to merge, or ``None``.

    Values that JSON has not are shown, and come back, in the tagged form of the codec. What is too large
    to be edited as text is left out, and stays as it is. Secrets are masked
    until ``ctrl+r``; a mask that is left as it is keeps the secret.
    """

    DEFAULT_CSS = """
    EditDataScreen > DialogBox { width: 110; height: 100%; max-height: 44; padding: 0 1; }
    EditDataScreen TextArea { height: 1fr; min-height: 5; }
    EditDataScreen #state { height: 1; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+enter", "submit", "Retry", id="edit.submit", show=False, priority=True),
        Binding("ctrl+e", "editor", "Open editor", id="edit.editor", show=False, priority=True),
        Binding("ctrl+r", "reveal", "Show secrets", id="edit.reveal", show=False, priority=True),
        Binding("escape", "leave", "Cancel", id="edit.cancel", show=False, priority=True),
    ]
    TITLE_KEYS: ClassVar[Keys] = (("ctrl+s", "retry with this"), ("ctrl+e", "editor"), ("esc", "cancel"))

    _text = query_one("#json", TextArea)
    _state = query_one("#state", Static)

    class EditorRequested(Message):
        """The text shall be edited in ``$EDITOR``: edit ``text`` and call ``set_text`` with the result."""

        def __init__(self, screen: EditDataScreen, text: str) -> None:
            super().__init__()
            self.screen = screen
            self.text = text

    def __init__(self, title: str, data: Mapping[str, Any], secrets: Secrets | None = None) -> None:
        super().__init__(title)
        self.data: Mapping[str, Any] = tagged(editable(data))
        self._left_out = len(data) - len(self.data)
        self._secrets = secrets or Secrets()
        self._initial = write_json(self._secrets.redact(self.data))

    def compose_box(self) -> ComposeResult:
        """Yield the text and the line that says what is changed or wrong."""
        yield TextArea(
            self._initial,
            id="json",
            soft_wrap=False,
            show_line_numbers=True,
            compact=True,
            tab_behavior="indent",
        )
        yield Static(id="state", markup=False)

    def on_mount(self) -> None:
        """Start in the text."""
        self._text.focus()
        self._tell()

    @property
    def typed(self) -> bool:
        """Whether the text is another one than at first."""
        return self._text.text != self._initial

    def set_text(self, text: str) -> None:
        """Put in the text that comes back from an editor."""
        self._text.text = text

    @on(TextArea.Changed)
    def _tell(self) -> Edit:
        edit = edit_of(self._text.text, self.data, self._secrets)
        self._state.set_class(edit.problem is not None, "problem")
        self._state.set_class(edit.problem is None, "muted")
        hidden = "  ctrl+r shows the secrets" if MASK in self._text.text else ""
        if self._left_out:
            hidden += f"  {self._left_out:,} too large to edit here stay as they are"
        self._state.update(
            f"✖ {edit.problem.text}" if edit.problem is not None else f"{printable(_summary(edit))}{hidden}"
        )
        return edit

    def action_submit(self) -> None:
        """Close with the keys that were changed; go to the mistake when there is one."""
        edit = self._tell()
        if edit.problem is not None:
            self._text.move_cursor((edit.problem.line - 1, edit.problem.column - 1))
            self._text.focus()
        elif edit.removed:
            names = ", ".join(edit.removed[:5])
            self.notify(
                f"A retry cannot remove keys: {names}. Set them to null instead.",
                severity="warning",
                markup=False,
            )
        else:
            self.dismiss(edit.changed)

    def action_reveal(self) -> None:
        """Put the secrets in the place of their masks."""
        value = read_json(self._text.text)
        if isinstance(value, JsonProblem):
            self.notify("first mend the JSON", severity="warning")
        else:
            self._text.text = write_json(self._secrets.restore(value, self.data))

    def action_editor(self) -> None:
        """Ask for the text to be edited in ``$EDITOR``."""
        self.post_message(self.EditorRequested(self, self._text.text))


def _differ(before: Any, after: Any) -> bool:
    return write_json(before) != write_json(after)


def _summary(edit: Edit) -> str:
    if edit.removed:
        return f"▲ A retry cannot remove keys: {', '.join(edit.removed[:5])}. Set them to null instead."
    if not edit.changed:
        return "Nothing changed yet."
    return f"~ changed: {', '.join(list(edit.changed)[:20])}"
