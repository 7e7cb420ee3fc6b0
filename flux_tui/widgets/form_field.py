"""One field of an input form: its name, its control, and below it what fits or what is wrong."""

from __future__ import annotations

import json
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static, Switch, TextArea

from flux_engine.secrets import registered
from flux_tui.model.form import Field, Kind, Raw, read_field, start
from flux_tui.model.masked_json import NOWHERE
from flux_tui.model.secret_field import SecretJson, is_secret
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import printable
from flux_tui.widgets import tones

TYPES = {Kind.INTEGER: "integer", Kind.NUMBER: "number"}


LONGEST_HINT = 400
"""Characters of a description, a rule or a refusal that are shown."""


class FormField(Vertical):
    """A field. Posts ``Changed`` when what it holds changed, ``Submitted`` on enter in a single line.

    Secrets are masked: as dots in a line, as masks in JSON.
    """

    DEFAULT_CSS = """
    FormField { height: auto; margin-bottom: 1; }
    FormField > Horizontal { height: auto; }
    FormField .name { width: 20; padding-right: 1; }
    FormField .hint { margin-left: 20; color: $text-muted; }
    FormField.-wrong .hint { color: $text-error; }
    FormField Input, FormField Select, FormField TextArea { width: 1fr; }
    FormField TextArea { height: auto; min-height: 2; max-height: 8; }
    FormField Switch { border: none; padding: 0; height: 1; }
    FormField Switch:focus { border: none; background: $primary 30%; }
    FormField Select > SelectCurrent { background: $foreground 6%; padding: 0 1; }
    FormField Select:focus > SelectCurrent { background: $foreground 10%; }
    """

    class Changed(Message):
        """What the field holds is another value now."""

    class Submitted(Message):
        """Enter was pressed in the field."""

    def __init__(self, field: Field, secrets: Secrets | None = None) -> None:
        super().__init__()
        self.field = field
        self.raw: Raw = start(field)
        self._json = SecretJson(field, secrets or Secrets())
        self._is_secret = is_secret(field, secrets or Secrets())
        self._refusal: str | None = None
        self._touched = False
        self._control = self._make_control()
        self._hint = Static(classes="hint", markup=False)

    def compose(self) -> ComposeResult:
        """Yield name, control and hint."""
        star = (" *", tones.CARE) if self.field.required else ""
        with Horizontal():
            name = (printable(self.field.name), "bold")
            yield Static(Content.assemble(name, star), classes="name")
            yield self._control
        yield self._hint

    def on_mount(self) -> None:
        """Show what fits."""
        self._tell()

    def focus(self, scroll_visible: bool = True) -> FormField:  # noqa: FBT001, FBT002
        """Focus the control."""
        self._control.focus(scroll_visible)
        return self

    @property
    def problem(self) -> str | None:
        """What is wrong with what the field holds."""
        wrong = read_field(self.field, self.raw)[1]
        return NOWHERE if wrong is None and self._json.has_mask(self.raw) else wrong

    def put(self, raw: Raw) -> None:
        """Hold another value."""
        self.raw = raw
        self._refusal = None
        control = self._control
        if isinstance(control, Switch):
            control.value = bool(raw)
        elif isinstance(control, Select):
            if isinstance(raw, int) and raw >= 0:
                control.value = raw
            else:
                control.clear()
        elif isinstance(control, TextArea):
            control.text = self._json.write(str(raw))
        elif isinstance(control, Input):
            control.password = self._hides(str(raw)) and not self._json.revealed
            control.value = str(raw)
        self._tell()

    @property
    def hides(self) -> bool:
        """Whether there is something in the field that is masked, or would be."""
        return self._hides(str(self.raw)) if isinstance(self._control, Input) else self._json.hides

    def show_secrets(self, shown: bool) -> None:  # noqa: FBT001
        """Show what is masked in the field, or mask it again."""
        self._json.revealed = shown
        self.put(self.raw)

    def _hides(self, text: str) -> bool:
        return self._is_secret or registered.mask(text) != text

    def refuse(self, message: str) -> None:
        """Show what the engine found wrong, until the field changes."""
        self._refusal = message
        self._tell()

    def show_problem(self) -> None:
        """Show what is wrong even if nothing was typed yet."""
        self._touched = True
        self._tell()

    def _make_control(self) -> Widget:
        field, raw = self.field, self.raw
        match field.kind:
            case Kind.BOOLEAN:
                return Switch(bool(raw), animate=False)
            case Kind.CHOICE:
                options = [(_choice_text(value), at) for at, value in enumerate(field.choices)]
                chosen = raw if isinstance(raw, int) and raw >= 0 else Select.NULL
                return Select(
                    options, value=chosen, allow_blank=not field.required, compact=True, prompt="choose"
                )
            case Kind.JSON:
                return TextArea(
                    self._json.write(str(raw)), soft_wrap=True, compact=True, tab_behavior="focus"
                )
            case _:
                return Input(str(raw), password=self._hides(str(raw)), compact=True)

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Switch.Changed)
    @on(Select.Changed)
    def _control_changed(self, event: Message) -> None:
        event.stop()
        raw = self._read_control()
        if raw == self.raw and type(raw) is type(self.raw):
            return
        self.raw = raw
        self._refusal = None
        self._touched = True
        self._tell()
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _control_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted())

    def _read_control(self) -> Raw:
        control = self._control
        if isinstance(control, Select):
            return control.value if isinstance(control.value, int) else -1
        if isinstance(control, TextArea):
            return self._json.read(control.text)
        value: Any = control.value if isinstance(control, Switch | Input) else ""
        return bool(value) if isinstance(control, Switch) else str(value)

    def _tell(self) -> None:
        problem = self._refusal or (self.problem if self._touched else None)
        self.set_class(problem is not None, "-wrong")
        switched = ("on" if self.raw else "off") if self.field.kind is Kind.BOOLEAN else ""
        about = [switched, self.field.hint, self.field.description]
        said = " · ".join(printable(each[:LONGEST_HINT]) for each in about if each)
        self._hint.display = bool(problem or said)
        self._hint.update(f"✖ {printable(problem[:LONGEST_HINT])}" if problem else said)


def _choice_text(value: Any) -> Content:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return Content(printable(text) or '""')
