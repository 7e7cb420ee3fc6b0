"""The signal that a run waits for: which one, and its payload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.getters import query_one
from textual.widgets import OptionList, Static, TextArea
from textual.widgets.option_list import Option

from flux_engine.context import idempotency_key
from flux_engine.waiting import VERDICTS
from flux_tui.model.json_text import JsonProblem
from flux_tui.model.masked_json import MaskedJson
from flux_tui.model.run import GraphSpec, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import printable
from flux_tui.model.waits import clock_text, until_text
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets import tones

_MEANING = dict(zip(VERDICTS, ("it was done: go on with what follows", "run it again"), strict=True))


class SignalInput(Struct, frozen=True, kw_only=True):
    """The signal that was asked for."""

    name: str
    payload: Any = None


class SignalChoice(Struct, frozen=True, kw_only=True):
    """A signal that can be sent. ``verdict`` is its payload when that is given: for a commit in doubt.

    ``since`` is when that commit was begun, in milliseconds. ``about`` is what its step says of itself.
    """

    step: str
    name: str
    until: float | None = None
    verdict: str | None = None
    since: float | None = None
    about: str = ""


def choices_of(steps: Sequence[StepView], graph: GraphSpec | None = None) -> tuple[SignalChoice, ...]:
    """Return what can be sent to these steps; a commit in doubt has one choice for each verdict."""
    said = {node.name: node.description for node in graph.nodes} if graph is not None else {}
    found: list[SignalChoice] = []
    for step in steps:
        wait = step.waits_for
        if wait is None or not wait.signal:
            continue
        verdicts: Sequence[str | None] = VERDICTS if wait.in_doubt else (None,)
        found += [
            SignalChoice(
                step=step.name,
                name=wait.signal,
                until=wait.until,
                verdict=verdict,
                since=None if verdict is None else step.started_at,
                about=said.get(step.name, ""),
            )
            for verdict in verdicts
        ]
    return tuple(found)


class SignalScreen(Dialog[SignalInput]):
    """Asks which signal to send, and for its payload; dismisses with a ``SignalInput``, or ``None``.

    ``selected`` is the step to begin with, ``run`` the id of the run, and ``recent`` gives the payloads that
    a signal was sent with before, the latest first. Values that JSON has not are written in the tagged form
    of the codec, secrets as masks.
    """

    DEFAULT_CSS = """
    SignalScreen #choices {
        height: auto; max-height: 10; margin-bottom: 1; padding: 0; border: none; background: $surface;
    }
    SignalScreen #choices:focus { border: none; }
    SignalScreen #json { height: auto; min-height: 4; max-height: 16; }
    SignalScreen #state { height: 1; margin-top: 1; }
    SignalScreen.-verdict #json, SignalScreen.-single #choices { display: none; }
    SignalScreen #which { margin-bottom: 1; display: none; }
    SignalScreen.-single #which { display: block; }
    SignalScreen #doubt { display: none; margin-bottom: 1; }
    SignalScreen.-verdict #doubt { display: block; }
    SignalScreen.-verdict #state { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+enter", "submit", "Send", id="signal.submit", show=False, priority=True),
        Binding("ctrl+up", "choose(-1)", "Signal above", id="signal.up", show=False, priority=True),
        Binding("ctrl+down", "choose(1)", "Signal below", id="signal.down", show=False, priority=True),
    ]

    _choices = query_one("#choices", OptionList)
    _json = query_one("#json", TextArea)
    _state = query_one("#state", Static)

    def __init__(
        self,
        workflow: str,
        choices: Sequence[SignalChoice],
        selected: str | None = None,
        *,
        run: str = "",
        recent: Callable[[str], Sequence[Any]] = lambda _: (),
        secrets: Secrets | None = None,
    ) -> None:
        only_doubt = all(choice.verdict is not None for choice in choices)
        super().__init__(f"{workflow}: was it done?" if only_doubt else f"Signal to {workflow}")
        self.choices = tuple(choices)
        self._run = run
        self._recent = recent
        self._masked = MaskedJson(secrets or Secrets())
        self._place = -1
        self._at = next((at for at, each in enumerate(self.choices) if each.step == selected), 0)

    @property
    def choice(self) -> SignalChoice:
        """The signal that is chosen."""
        return self.choices[self._at]

    def compose_box(self) -> ComposeResult:
        """Yield the signals that are waited for, the payload, and the line that says what is wrong."""
        yield Static(id="doubt", markup=False)
        yield OptionList(*(Option(_described(each)) for each in self.choices), id="choices", compact=True)
        yield Static(_described(self.choice), id="which")
        yield TextArea("null", id="json", soft_wrap=False, compact=True, tab_behavior="focus")
        yield Static(id="state", markup=False)

    def on_mount(self) -> None:
        """Start in the list when there is something to choose, else in the payload."""
        self.set_class(len(self.choices) == 1, "-single")
        self._json.select_all()
        self._choices.highlighted = self._at
        (self._choices if len(self.choices) > 1 else self._json).focus()
        self._show_choice()

    @property
    def typed(self) -> bool:
        """Whether a payload was typed."""
        return self._json.text != "null"

    @on(OptionList.OptionHighlighted, "#choices")
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._at = event.option_index
        self._show_choice()

    @on(OptionList.OptionSelected, "#choices")
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._at = event.option_index
        self._show_choice()
        if self.choice.verdict is None:
            self._json.focus()
        else:
            self.action_submit()

    @on(TextArea.Changed, "#json")
    def _show_choice(self) -> None:
        verdict = self.choice.verdict
        self.set_class(verdict is not None, "-verdict")
        self.query_one("#doubt", Static).update(doubt_content(self.choice, self._run))
        self._show_choice_keys()
        value = None if verdict is not None else self._masked.read(self._json.text)
        wrong = isinstance(value, JsonProblem)
        self._state.set_class(wrong, "problem")
        self._state.set_class(not wrong, "muted")
        if isinstance(value, JsonProblem):
            self._state.update(f"✖ {value.text}")
        else:
            self._state.update(
                "✔ valid JSON: the payload becomes the step's output" if verdict is None else ""
            )

    def _show_choice_keys(self) -> None:
        several = (("↑↓", "choose"),) if len(self.choices) > 1 else ()
        earlier = (("ctrl+↑", "earlier"),) if self.choice.verdict is None and self._earlier else ()
        send = "send" if self.choice.verdict is None else "say so"
        self.show_keys((("ctrl+s", send), *several, *earlier, ("esc", "cancel")))

    @property
    def _earlier(self) -> Sequence[Any]:
        return () if self.choice.verdict is not None else self._recent(self.choice.name)

    def _recall(self, by: int) -> None:
        """Show an earlier payload, or a later one."""
        earlier = self._earlier
        self._place = max(0, min(self._place + by, len(earlier) - 1))
        self._json.text = self._masked.write(earlier[self._place])

    def action_choose(self, by: int) -> None:
        """Choose another signal; in the payload, walk through earlier ones."""
        if self._json.has_focus and self._earlier:
            self._recall(-by)
            return
        self._choices.highlighted = max(0, min(self._at + by, len(self.choices) - 1))

    def action_submit(self) -> None:
        """Close with the signal; go to the mistake in the payload when there is one."""
        if self.choice.verdict is not None:
            self.dismiss(SignalInput(name=self.choice.name, payload=self.choice.verdict))
            return
        value = self._masked.read(self._json.text)
        if isinstance(value, JsonProblem):
            self._json.move_cursor((value.line - 1, value.column - 1))
            self._json.focus()
        else:
            self.dismiss(SignalInput(name=self.choice.name, payload=value))


def doubt_content(choice: SignalChoice, run: str) -> Content:
    """Return what is in doubt, since when, and where to look."""
    begun = "" if choice.since is None else f" at {clock_text(choice.since)}"
    key = idempotency_key(run, choice.step)
    return Content.assemble(
        ("Commit ", ""),
        (printable(choice.step), "bold"),
        (f" was begun{begun}; its process ended before it said how it went.\n", ""),
        ("Look where it has its effect, under the key ", tones.MUTED),
        (printable(key), ""),
        (", then say:", tones.MUTED),
    )


def _described(choice: SignalChoice) -> Content:
    name = (printable(choice.name), "bold")
    if choice.verdict is not None:
        about = (f"  {_MEANING[choice.verdict]}", tones.CARE)
        return Content.assemble(
            (f"{choice.verdict:<5}", "bold"), about, (f"  {printable(choice.step)}", tones.MUTED)
        )
    until = "" if choice.until is None else f" until {until_text(choice.until)}"
    said = f"\n{printable(choice.about)}" if choice.about else ""
    return Content.assemble(name, (f"  step {printable(choice.step)} waits for it{until}{said}", tones.MUTED))
