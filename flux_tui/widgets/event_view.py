"""The Events tab: the trace events of a run, each with its JSON one key away."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.content import Content

from flux_engine.trace.events import TraceEvent, encode_event
from flux_tui.model import parse
from flux_tui.model.elsewhere import trace_is_elsewhere
from flux_tui.model.folds import Folds
from flux_tui.model.pruned import pruned
from flux_tui.model.run import RunView
from flux_tui.model.search import WINDOW, Needle, Scan
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import drawable, duration_text, fit, printable
from flux_tui.widgets import tones
from flux_tui.widgets.drawn_rows import GUTTER
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.moment_asked import MomentAsked

OFFSET_CELLS = 11
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
    "workflow:delete": ("⌫", tones.MUTED),
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

    places_stay = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", "Unfold", id="events.unfold", show=False),
        Binding("right,l", "fold(True)", "Unfold", id="events.open", show=False),
        Binding("left,h", "fold(False)", "Fold", id="events.close", show=False),
        Binding("m", "moment", "Go to the moment of the event", id="events.moment", show=False),
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
        self._at: int | None = None
        self._folds: Folds[str] = Folds()
        self._opened: int | None = None

    def show(
        self, run: RunView | None, events: Sequence[TraceEvent], bad_lines: int = 0, at: int | None = None
    ) -> None:
        """Show the events of a run. ``bad_lines`` is how many lines of the trace could not be read.

        ``at`` is the place of the event whose moment is looked at: the cursor goes there, later ones are dim.
        """
        if (run.id if run else None) != (self._run.id if self._run else None):
            self._fold_all()
            self.revealed = False
            self.following = True
        elif len(events) < len(self._events) or events[:1] != self._events[:1]:
            self._fold_all()
        self._run, self._events, self._bad_lines = run, events, bad_lines
        self.border_subtitle = f"{bad_lines} unreadable lines" if bad_lines else ""
        moved, self._at = at != self._at, at
        self.rows_changed()
        if moved and at is not None:
            self.select((at, 0))

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
            return Content.styled(f"{'':>{OFFSET_CELLS + 2}}{part}", tones.MUTED)
        event = self._events[item]
        glyph, style = LOOKS.get(event.type, ("◇", tones.MUTED))
        parts = [
            (f"{self._offset(event):>9}  ", tones.FAINT),
            (f"{glyph} {fit(printable(event.type), TYPE_CELLS)}", style),
            (f"{fit(printable(event.step_name or ''), STEP_CELLS)}  ", ""),
            *_summary(event, width, self.secrets),
        ]
        later = self._at is not None and item > self._at
        return Content.assemble(*(((text, tones.FAINT) for text, _ in parts) if later else parts))

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
        return "" if event is None else "\n".join(self._lines(msgspec.to_builtins(event)))

    def _json(self, event: TraceEvent) -> list[str]:
        """Return the JSON of an event as far as it is shown."""
        return self._lines(pruned(msgspec.to_builtins(event)))

    def _lines(self, value: Any) -> list[str]:
        if not self.revealed:
            value = self.secrets.told(value)
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode().splitlines()

    def action_moment(self) -> None:
        """Ask for the moment of the event under the cursor."""
        if self.selected_event is not None:
            place, _ = self._folds.locate(self.cursor - self._notes)
            self.post_message(MomentAsked(place=place))

    def action_choose(self) -> None:
        """Show the JSON of the event under the cursor, or fold it again."""
        if self.selected_event is not None:
            self._toggle(self._item)

    def action_fold(self, open: bool) -> None:  # noqa: A002, FBT001
        """Show the JSON of the event under the cursor; or fold it."""
        if self.selected_event is not None and self._folds.is_open(self._item) is not open:
            self._toggle(self._item)

    @property
    def _item(self) -> int:
        return self._folds.locate(self.cursor - self._notes)[0]

    def _toggle(self, item: int, needle: Needle | None = None) -> None:
        """Fold an event or unfold it, around the first line that has the needle in it."""
        self.move_to(self._folds.row(item) + self._notes)
        if self._folds.is_open(item):
            self._folds.toggle(item, [])
        else:
            draw = drawable if self.revealed else printable
            lines = _excerpt(self._json(self._events[item]), needle)
            self._folds.toggle(item, [draw(line) for line in lines])
            self.following = False
        self.rows_folded()

    def _fold_all(self) -> None:
        self._folds.clear()
        self._opened = None
        self.search_anew()

    # Searching: a place is the number of an event, whichever are unfolded

    def items_to_search(self) -> int:
        """Return how many events there are."""
        return len(self._events)

    def scan(self, needle: Needle, start: int) -> Scan:
        """Go through what is said of the events, and through their JSON."""
        words = [replace(needle, text=word) for word in needle.text.split()]
        item = start
        while item < len(self._events):
            event = self._events[item]
            found = needle.within(self.text_of_row(self._notes + self._folds.row(item)))
            if not found:
                raw = encode_event(event).decode()
                found = len(raw) < WINDOW and all(word.within(raw) for word in words)
                found = found and _line_with(needle, self._json(event)) >= 0
                for here in needle.look(raw) if len(raw) >= WINDOW else ():
                    found = found or here
                    yield None
            yield item if found else None
            item += 1

    def searched_from(self, index: int) -> int:
        """Return where the type of an event begins, after the time."""
        return OFFSET_CELLS if index >= self._notes else 0

    def place_here(self) -> int:
        """Return the number of the event under the cursor."""
        return self._item

    def go_to_place(self, place: int) -> None:
        """Go to an event; it is unfolded where the match is in its JSON, until the next match."""
        if self._opened is not None and self._folds.is_open(self._opened):
            self._toggle(self._opened)
        self._opened = None
        row = self._folds.row(place) + self._notes
        self.move_to(row)
        if self._needle is None or self.spans(self.render_row(row, self.size.width - GUTTER).plain, row):
            return
        if not self._folds.is_open(place):
            self._toggle(place, self._needle)
            self._opened = place
        last = self._folds.row(place + 1) + self._notes
        parts = ((at, self._folds.locate(at - self._notes)[1] or "") for at in range(row + 1, last))
        self.move_to(next((at for at, part in parts if self._needle.within(part)), row))

    def action_toggle_secrets(self) -> None:
        """Show the secrets in what is unfolded from now on, or mask them again."""
        self.revealed = not self.revealed
        self._fold_all()
        self.rows_folded()

    def _empty_text(self) -> str:
        if self._run is None:
            return "No run selected."
        return f"The events of this run are {trace_is_elsewhere(self._run)}."


def _line_with(needle: Needle, lines: Sequence[str]) -> int:
    return next((at for at, line in enumerate(lines) if needle.within(line)), -1)


def _excerpt(lines: Sequence[str], needle: Needle | None) -> Iterator[str]:
    """Yield as many lines as are shown, from the first on or around the one that has the needle in it."""
    at = max(_line_with(needle, lines), 0) if needle else 0
    first = max(0, at - MAX_DETAIL // 2) if at >= MAX_DETAIL else 0
    if first:
        yield f"… {first:,} lines before"
    for number, line in enumerate(lines[first : first + MAX_DETAIL], start=first):
        begin = needle.spans(line)[0][0] if needle and number == at and needle.within(line) else 0
        begin = max(0, begin - LINE_CHARACTERS // 4) if begin >= LINE_CHARACTERS // 4 else 0
        yield f"{'… ' if begin else ''}{line[begin : begin + LINE_CHARACTERS]}"
    more = len(lines) - first - MAX_DETAIL
    if more > 0:
        yield f"… {more} more lines; y copies all"


def _summary(event: TraceEvent, width: int, secrets: Secrets) -> Iterator[tuple[str, str]]:
    """Yield what is worth knowing of an event in a line."""
    meta = parse.meta(event)
    if event.attempt and event.attempt > 1:
        yield f"attempt {event.attempt}  ", tones.MUTED
    if event.duration is not None:
        yield f"{duration_text(event.duration)}  ", tones.MUTED
    if event.error:
        yield f"{printable(secrets.text(event.error[:width]))}  ", tones.BAD
    delay = parse.number(meta.get("delay"))
    if delay is not None:
        yield f"next try in {duration_text(delay)}", tones.MUTED
    if meta.get("retry") is True or meta.get("resume") is True:
        verb = "retried" if meta.get("retry") is True else "resumed"
        yield f"{verb} from {printable(str(meta.get('fromStep', 'the start'))[:60])}", tones.MUTED
    for name in ("reason", "text"):
        if isinstance(meta.get(name), str):
            yield printable(secrets.text(meta[name][:width])), tones.MUTED
    changes = parse.changes(event.changes) if isinstance(event.changes, dict) else None
    if changes:
        keys = [*changes.set, *(f"-{key}" for key in changes.deleted)]
        yield "changed " + printable(", ".join(keys[:8])[:width]), tones.MUTED
