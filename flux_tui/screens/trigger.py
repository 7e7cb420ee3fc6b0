"""The input of a run: a form made from the workflow's schema, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.getters import query_one
from textual.widgets import Static, TextArea

from flux_tui.model.form import fields, misfits, raws_of, read, unfit
from flux_tui.model.json_text import JsonProblem
from flux_tui.model.masked_json import MaskedJson
from flux_tui.model.pruned import is_large
from flux_tui.model.run import DefinitionView
from flux_tui.model.secret_field import is_secret
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import printable
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets.form_field import FormField

Problems = Sequence[tuple[str, str]]

NOTHING = "null"
"""What is shown of no input; it is selected, so that the first key replaces it."""


class TriggerInput(Struct, frozen=True, kw_only=True):
    """The input that was asked for; ``null`` is one too."""

    value: Any


class TriggerScreen(Dialog[TriggerInput]):
    """Asks for the input of a run; dismisses with a ``TriggerInput``, or ``None`` when nothing shall run.

    ``history`` has earlier inputs of the workflow, the newest first. ``refused`` is the input that the
    engine refused for the reasons in ``problems``: it is shown again, to be put right. Secrets are masked
    until ``ctrl+t``.
    """

    DEFAULT_CSS = """
    TriggerScreen #raw { height: auto; }
    TriggerScreen #raw TextArea { height: auto; min-height: 6; max-height: 20; }
    TriggerScreen #raw-state { height: 1; margin-top: 1; }
    TriggerScreen #note { display: none; margin-bottom: 1; }
    TriggerScreen #note.-shown { display: block; }
    TriggerScreen.-raw #form, TriggerScreen #raw { display: none; }
    TriggerScreen.-raw #raw { display: block; }
    TriggerScreen #form { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+enter", "submit", "Run", id="trigger.submit", show=False, priority=True),
        Binding("enter", "submit_nothing", "Run", id="trigger.enter", show=False, priority=True),
        Binding("ctrl+r", "toggle_raw", "JSON", id="trigger.raw", show=False, priority=True),
        Binding("ctrl+t", "reveal", "Show secrets", id="trigger.reveal", show=False, priority=True),
        Binding("ctrl+up", "recall(1)", "Earlier input", id="trigger.earlier", show=False, priority=True),
        Binding("ctrl+down", "recall(-1)", "Later input", id="trigger.later", show=False, priority=True),
    ]

    _json = query_one("#json", TextArea)
    _state = query_one("#raw-state", Static)
    _note = query_one("#note", Static)

    def __init__(
        self,
        definition: DefinitionView,
        history: Sequence[Any] = (),
        problems: Problems = (),
        refused: TriggerInput | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        super().__init__(f"Run {definition.name}")
        self.definition = definition
        self.history = list(history)
        self.problems = problems
        self.form = fields(definition.input_schema)
        known = secrets or Secrets()
        self._fields = {field.name: FormField(field, known) for field in self.form or ()}
        hidden = (field.name for field in self.form or () if is_secret(field, known))
        self._masked = MaskedJson(known.and_also(hidden))
        self._extra: dict[str, Any] = {}
        self._refused = refused
        self._place = -1
        self._draft: Any = None
        self._start: Any = None
        self._show_keys()

    def _show_keys(self) -> None:
        json = [("ctrl+r", "JSON")] if self.form else []
        earlier = [("ctrl+↑", "earlier")] if self.history else []
        hides = self._masked.hides if self.raw else any(field.hides for field in self._fields.values())
        secrets = [("ctrl+t", "hide" if self._masked.revealed else "show secrets")] if hides else []
        self.show_keys((("ctrl+s", "run"), *json, *earlier, *secrets, ("esc", "cancel")))

    @property
    def raw(self) -> bool:
        """Whether the input is shown as JSON."""
        return self.has_class("-raw")

    def compose_box(self) -> ComposeResult:
        """Yield the form and the JSON, one of which is shown."""
        if self.definition.description:
            yield Static(printable(self.definition.description), classes="muted", markup=False)
        yield Static(id="note", classes="care", markup=False)
        with Vertical(id="form"):
            if self.form == ():
                yield Static("This workflow takes no input. Press ctrl+s to run it.", markup=False)
            yield from self._fields.values()
        with Vertical(id="raw"):
            yield TextArea(id="json", soft_wrap=False, compact=True, show_line_numbers=True)
            yield Static(id="raw-state", markup=False)

    def on_mount(self) -> None:
        """Show the refused input with its problems, or the defaults; start in the first field."""
        if self.form is None:
            self.add_class("-raw")
            self._json.text = NOTHING if self.definition.input_schema is None else "{}"
        if self._refused is not None:
            self._show_value(self._refused.value)
        self._start = self._snapshot()
        self._show_refusal()
        self._show_keys()
        self._focus_start()

    def _focus_start(self) -> None:
        if self.raw:
            self._json.focus()
            self._json.move_cursor(self._json.document.end)
            if self._json.text == NOTHING:
                self._json.select_all()
            return
        wrong = (field for field in self._fields.values() if field.has_class("-wrong"))
        first = next(wrong, next(iter(self._fields.values()), None))
        if first is not None:
            first.focus()

    def _show_refusal(self) -> None:
        by_field, others = misfits(self.form or (), self.problems)
        for name, message in by_field.items():
            self._fields[name].refuse(message)
        if self.raw:
            others = [f"{where}: {what}" if where else what for where, what in self.problems]
        free = self.definition.input_schema is None and not others
        none = "This workflow declares no input: any JSON will do, and null for none. enter runs it."
        self._tell(none if free else "\n".join(f"✖ {each}" for each in others))

    def _tell(self, note: str) -> None:
        self._note.set_class(bool(note), "-shown")
        self._note.update("\n".join(printable(line) for line in note.splitlines()))

    @property
    def typed(self) -> bool:
        """Whether the input is another one than at first."""
        return bool(self._snapshot() != self._start)

    def _snapshot(self) -> Any:
        return self._json.text if self.raw else {name: field.raw for name, field in self._fields.items()}

    def _form_value(self) -> dict[str, Any]:
        reading = read(self.form or (), {name: field.raw for name, field in self._fields.items()})
        return {**self._extra, **reading.value}

    def _show_value(self, value: Any) -> None:
        """Show an input, as JSON when the form cannot show it."""
        form = self.form
        why = "" if form is None else unfit(form, value)
        if form is None or why or self.raw:
            self.add_class("-raw")
            self._json.text = self._masked.write(value)
            self._tell(f"Shown as JSON: {why}." if why else "")
            return
        self._extra = {key: item for key, item in value.items() if key not in self._fields}
        for name, raw in raws_of(form, value).items():
            self._fields[name].put(raw)
        self._tell(f"Also kept, though no field shows it: {', '.join(self._extra)}" if self._extra else "")

    @on(TextArea.Changed, "#json")
    def _check_json(self) -> None:
        value = self._masked.read(self._json.text)
        wrong = isinstance(value, JsonProblem)
        self._state.set_class(wrong, "problem")
        self._state.set_class(not wrong, "muted")
        self._state.update(f"✖ {value.text}" if isinstance(value, JsonProblem) else "✔ valid JSON")

    @on(FormField.Submitted)
    def _enter(self) -> None:
        self.action_submit()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let enter run a workflow for which nothing was typed; else it begins a line."""
        del parameters
        untouched = self.raw and self._json.has_focus and self._json.text == NOTHING
        return action != "submit_nothing" or untouched

    def action_submit_nothing(self) -> None:
        """Close with no input."""
        self.action_submit()

    def action_submit(self) -> None:
        """Close with the input; go to the first mistake when there is one."""
        if self.raw:
            value = self._masked.read(self._json.text)
            if isinstance(value, JsonProblem):
                self._json.move_cursor((value.line - 1, value.column - 1))
                self._json.focus()
            else:
                self.dismiss(TriggerInput(value=value))
            return
        wrong = [field for field in self._fields.values() if field.problem is not None]
        for field in wrong:
            field.show_problem()
        if wrong:
            wrong[0].focus()
        else:
            self.dismiss(TriggerInput(value=self._form_value()))

    def action_toggle_raw(self) -> None:
        """Change between form and JSON; nothing typed is lost."""
        if self.form is None:
            return
        clean = not self.typed
        if not self.raw:
            wrong = [
                name for name, field in self._fields.items() if field.problem and field.raw not in ("", -1)
            ]
            if wrong:
                self._tell(f"Correct or empty {', '.join(wrong)} first: it has no JSON form yet.")
                return
            value: Any = self._form_value()
            self.add_class("-raw")
            self._json.text = self._masked.write(value)
        else:
            value = self._masked.read(self._json.text)
            why = value.text if isinstance(value, JsonProblem) else unfit(self.form, value)
            if why:
                self._tell(f"Stays JSON: {why}.")
                return
            self.remove_class("-raw")
            self._show_value(value)
        self._start = self._snapshot() if clean else self._start
        self._tell("")
        self._show_keys()
        self._focus_start()

    def action_reveal(self) -> None:
        """Show the secrets in the input, or mask them again."""
        value = self._masked.read(self._json.text) if self.raw else None
        if isinstance(value, JsonProblem):
            self._json.move_cursor((value.line - 1, value.column - 1))
            return
        clean = not self.typed
        self._masked.revealed = not self._masked.revealed
        for field in self._fields.values():
            field.show_secrets(self._masked.revealed)
        if self.raw:
            self._json.text = self._masked.write(value)
        self._start = self._snapshot() if clean else self._start
        self._show_keys()

    def action_recall(self, step: int) -> None:
        """Show an earlier input, or a later one, down to what was typed at first."""
        place = max(-1, min(self._place + step, len(self.history) - 1))
        if place == self._place:
            return
        if place >= 0 and is_large(self.history[place]):
            self._tell("The earlier input is too large to be edited here. R runs the workflow with it again.")
            return
        clean = not self.typed
        if self._place == -1:
            self._draft = self._snapshot(), self._masked.value
        self._place = place
        if place == -1:
            self._restore(*self._draft)
        else:
            self._show_value(self.history[place])
        self._start = self._snapshot() if clean else self._start
        which = "" if place == -1 else f" · earlier input {place + 1} of {len(self.history)}"
        self.show_title(f"Run {self.definition.name}{which}")
        self._show_keys()

    def _restore(self, draft: Any, value: Any) -> None:
        self.set_class(isinstance(draft, str), "-raw")
        if isinstance(draft, str):
            self._masked.value = value
            self._json.text = draft
            return
        for name, raw in draft.items():
            self._fields[name].put(raw)
