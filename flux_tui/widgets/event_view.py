"""The Events tab: the trace events of a run, each with its JSON one key away."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec
from textual.binding import Binding, BindingType
from textual.content import Content

from flux_engine.trace.events import TraceEvent, encode_event
from flux_tui.model import parse
from flux_tui.model.folds import Folds
from flux_tui.model.run import RunView
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import drawable, duration_text, fit, printable
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import LineList

STEP_CELLS = 16
TYPE_CELLS = 19
MAX_DETAIL = 400
LINE_CHARACTERS = 400

LOOKS = {
    "workflow:start": ("▶", tones.LINK),
    "workflow:complete": ("✔", tones.GOOD),
    "workflow:error": ("✖", tones.BAD),
    "workflow:suspend": ("⏸", tones.CARE),
    "workflow:pause": ("⏸", tones.CARE),
    "workflow:cancel": ("■", tones.MUTED),
    "step:start": ("▷", tones.CONSTANT),
    "step:complete": ("✔", tones.GOOD),
    "step:error": ("✖", tones.BAD),
    "step:skipped": ("⊘", tones.MUTED),
    "step:retry": ("↻", tones.CARE),
    "step:suspend": ("⏸", tones.CARE),
    "step:compensate": ("↶", tones.CARE),
    "step:log": ("•", tones.FAINT),
    "signal:received": ("⚑", tones.LINK),
}


class EventView(LineList):
    """Events in the order of the trace, following the end. ``enter`` unfolds the JSON of one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", "Unfold", id="events.unfold", show=False),
        Binding("x", "toggle_secrets", "Show secrets", id="events.reveal", show=False),
    ]

    def __init__(
        self,
        *,
        secrets: Secrets | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=self._empty_text, follow=True, name=name, id=id, classes=classes)
        self.secrets = secrets or Secrets()
        self.revealed = False
        self._run: RunView | None = None
        self._events: Sequence[TraceEvent] = ()
        self._bad_lines = 0
        self._folds: Folds[str] = Folds()

    def show(self, run: RunView | None, events: Sequence[TraceEvent], bad_lines: int = 0) -> None:
        """Show the events of a run. ``bad_lines`` is how many lines of the trace could not be read."""
        if (run.id if run else None) != (self._run.id if self._run else None):
            self._folds.clear()
            self.revealed = False
            self.following = True
        self._run, self._events, self._bad_lines = run, events, bad_lines
        self.border_subtitle = f"{bad_lines} unreadable lines" if bad_lines else ""
        self.rows_changed()

    @property
    def _notes(self) -> int:
        return 1 if self._bad_lines else 0

    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self._events) + self._folds.extra + self._notes

    def row_key(self, index: int) -> Hashable:
        """Return the number of the event and of the row below it."""
        return "bad lines" if index < self._notes else self._folds.key(index - self._notes)

    def render_row(self, index: int, width: int) -> Content:
        """Draw one event: time since the start, type, step, what it says."""
        if index < self._notes:
            many = "1 line was" if self._bad_lines == 1 else f"{self._bad_lines} lines were"
            note = f"! {many} left out: no trace events, or damaged"
            return Content.styled(note, tones.CARE)
        item, part = self._folds.locate(index - self._notes)
        if part is not None:
            return Content.styled(f"{'':>13}{part}", tones.MUTED)
        event = self._events[item]
        glyph, style = LOOKS.get(event.type, ("◇", tones.MUTED))
        return Content.assemble(
            (f"{self._offset(event):>9}  ", tones.FAINT),
            (f"{glyph} {fit(printable(event.type), TYPE_CELLS)}", style),
            (f"{fit(printable(event.step_name or ''), STEP_CELLS)}  ", ""),
            *_summary(event, width),
        )

    def _offset(self, event: TraceEvent) -> str:
        start = self._run.started_at if self._run is not None else None
        if start is None:
            start = self._events[0].timestamp
        return f"+{(event.timestamp - start) / 1000:.3f}"

    @property
    def selected_event(self) -> TraceEvent | None:
        """The event under the cursor."""
        index = self.cursor - self._notes
        return self._events[self._folds.locate(index)[0]] if self._events and index >= 0 else None

    def copy_text(self) -> str:
        """Return the JSON of the event under the cursor, secrets masked unless they are shown."""
        event = self.selected_event
        return "" if event is None else "\n".join(self._json(event))

    def _json(self, event: TraceEvent) -> list[str]:
        value: Any = msgspec.json.decode(encode_event(event))
        if not self.revealed:
            value = self.secrets.redact(value)
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode().splitlines()

    def action_choose(self) -> None:
        """Show the JSON of the event under the cursor, or fold it again."""
        event = self.selected_event
        if event is None:
            return
        item, _ = self._folds.locate(self.cursor - self._notes)
        self.move_to(self._folds.row(item) + self._notes)
        lines = self._json(event)
        draw = drawable if self.revealed else printable
        shown = [draw(line[:LINE_CHARACTERS]) for line in lines[:MAX_DETAIL]]
        if len(lines) > MAX_DETAIL:
            shown.append(f"… {len(lines) - MAX_DETAIL} more lines; y copies all")
        if not self._folds.is_open(item):
            self.following = False
        self._folds.toggle(item, shown)
        self.rows_folded()

    def action_toggle_secrets(self) -> None:
        """Show the secrets in what is unfolded from now on, or mask them again."""
        self.revealed = not self.revealed
        self._folds.clear()
        self.rows_folded()

    def _empty_text(self) -> str:
        if self._run is None:
            return "No run selected."
        return "No trace events of this run: it was not traced, or its trace file is another one."


def _summary(event: TraceEvent, width: int) -> Iterator[tuple[str, str]]:
    """Yield what is worth knowing of an event in a line."""
    meta = parse.meta(event)
    if event.attempt and event.attempt > 1:
        yield f"attempt {event.attempt}  ", tones.MUTED
    if event.duration is not None:
        yield f"{duration_text(event.duration)}  ", tones.MUTED
    if event.error:
        yield f"{printable(event.error[:width])}  ", tones.BAD
    delay = parse.number(meta.get("delay"))
    if delay is not None:
        yield f"next try in {duration_text(delay)}", tones.MUTED
    if meta.get("retry") is True or meta.get("resume") is True:
        verb = "retried" if meta.get("retry") is True else "resumed"
        yield f"{verb} from {printable(str(meta.get('fromStep', 'the start'))[:60])}", tones.MUTED
    for name in ("reason", "text"):
        if isinstance(meta.get(name), str):
            yield printable(meta[name][:width]), tones.MUTED
    changes = parse.changes(event.changes) if isinstance(event.changes, dict) else None
    if changes:
        keys = [*changes.set, *(f"-{key}" for key in changes.deleted)]
        yield "changed " + printable(", ".join(keys[:8])[:width]), tones.MUTED
