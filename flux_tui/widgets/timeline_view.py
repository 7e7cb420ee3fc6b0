"""The Timeline tab: when each step did what, as bars of attempts, back-offs and waits."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.message import Message
from textual.widgets import Static

from flux_engine.trace.events import TraceEvent
from flux_tui.model.run import RunView
from flux_tui.model.secrets import Secrets
from flux_tui.model.spans import Kind, Span
from flux_tui.model.text import fit, printable
from flux_tui.model.time_bars import FILLS, axis, bars, look
from flux_tui.model.time_scale import Scale
from flux_tui.model.time_words import span_text, total_text, totals_text
from flux_tui.model.timeline import History, Lane, Timeline, Totals, totals, union
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import GUTTER, LineList
from flux_tui.widgets.moment_asked import MomentAsked

NAME_CELLS = (8, 24)
TOTAL_CELLS = 10
NARROW = 48
"""Below this width the times at the right give way to the bars."""

DRAWN: Final[tuple[Kind, ...]] = ("attempt", "compensation", "back-off", "skipped")
"""What is never folded: a long wait or a pause between two passes is."""

STYLES = {
    "completed": tones.GOOD,
    "failed": tones.BAD,
    "running": tones.CONSTANT,
    "suspended": tones.GOOD,
    "interrupted": tones.CARE,
    "cancelled": tones.MUTED,
    "compensated": tones.CARE,
    "back-off": tones.CARE,
    "wait": tones.CARE,
    "skipped": tones.MUTED,
    "fold": tones.FAINT,
    "cursor": tones.LINK,
    "": "",
}


class TimelineRows(LineList):
    """A row for each step: its name, its bars, the time of its attempts."""

    def __init__(self, *, plain: bool) -> None:
        super().__init__(empty=self._empty_text)
        self.plain = plain
        self.line = Timeline()
        self.run: RunView | None = None
        self.now = 0.0
        self.moment: float | None = None
        self.chosen: int | None = None
        self._scale: Scale | None = None
        self._spent: Totals | None = None
        self._longest = 0

    def show(self, run: RunView | None, line: Timeline, now: float, moment: float | None) -> None:
        """Show the timeline of a run at the moment ``now``; ``moment`` is the past one that is looked at."""
        another = run is None or self.run is None or run.id != self.run.id
        if line is not self.line:
            self._longest = max((cell_len(printable(lane.step)) for lane in line.lanes), default=0)
        if line is not self.line or (line.end is None and now != self.now):
            self._scale = self._spent = None
        self.run, self.line, self.now, self.moment = run, line, now, moment
        if another:
            self.rows_replaced()
        else:
            self.rows_changed()

    @property
    def name_cells(self) -> int:
        """How wide the names are."""
        low, high = NAME_CELLS
        return max(low, min(self._longest, high, (self.size.width - GUTTER) // 4))

    @property
    def scale(self) -> Scale:
        """Where times lie on the bars, at the present width."""
        room = self.size.width - GUTTER - self.name_cells - 1
        width = max(room if self.size.width < NARROW else room - TOTAL_CELLS, 1)
        if self._scale is None or self._scale.width != width:
            spans = [span for lane in self.line.lanes for span in lane.spans]
            end = self.now if self.line.end is None else self.line.end
            self._scale = Scale(self.line.start, end, union(spans, DRAWN, self.now), width)
        return self._scale

    @property
    def spent(self) -> Totals:
        """How the time was spent by now."""
        if self._spent is None:
            self._spent = totals(self.line, self.now)
        return self._spent

    def row_count(self) -> int:
        """Return how many steps there are."""
        return len(self.line.lanes)

    def row_key(self, index: int) -> Hashable:
        """Return the name of a step."""
        return self.line.lanes[index].step

    def render_row(self, index: int, width: int) -> Content:
        """Draw one step."""
        del width
        lane = self.line.lanes[index]
        chosen = self.span if index == self.cursor and self.has_focus else None
        drawn = bars(lane, self.scale, self.now, chosen=chosen, moment=self.moment, ascii=self.plain)
        parts = [(fit(printable(lane.step), self.name_cells) + " ", "" if lane.spans else tones.MUTED)]
        for bit in drawn:
            style = tones.FAINT if bit.later else STYLES[bit.kind]
            parts.append((bit.text, f"{style} underline bold" if bit.chosen else style))
        if self.size.width >= NARROW:
            parts.append((total_text(lane, self.now)[: TOTAL_CELLS - 1].rjust(TOTAL_CELLS), tones.MUTED))
        return Content.assemble(*parts)

    @property
    def lane(self) -> Lane | None:
        """The step under the cursor."""
        return self.line.lanes[self.cursor] if 0 <= self.cursor < len(self.line.lanes) else None

    @property
    def told(self) -> list[Span]:
        """The spans of the step under the cursor that can be chosen: a back-off belongs to its attempt."""
        lane = self.lane
        return [] if lane is None else [span for span in lane.spans if span.kind != "back-off"]

    @property
    def span(self) -> Span | None:
        """The chosen span of the step under the cursor: the latest one, until another is chosen."""
        told = self.told
        if not told:
            return None
        return told[max(0, min(self.chosen_at, len(told) - 1))]

    @property
    def chosen_at(self) -> int:
        """The place of the chosen span; until one is chosen, the latest one at the moment looked at."""
        if self.chosen is not None:
            return self.chosen
        begun = [span for span in self.told if self.moment is None or span.start <= self.moment]
        return len(begun) - 1

    def _empty_text(self) -> str:
        if self.run is None:
            return "No run selected. Select one in the list of runs, or press r to start one."
        return "This run has no steps yet."


class TimelineView(Vertical):
    """The axis, a row for each step, and in words what is under the cursor and how the time was spent.

    ``left`` and ``right`` choose among the attempts of a step.
    """

    DEFAULT_CSS = """
    TimelineView { height: 1fr; background: $surface; }
    TimelineView > Static { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    TimelineView > #timeline-words { background: $panel; color: $foreground; }
    TimelineView > #timeline-totals { background: $panel; }
    TimelineView.-low > #timeline-totals { display: none; }
    TimelineView.-lower > #timeline-words { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "choose_span(-1)", "Attempt before", id="timeline.left", show=False),
        Binding("right,l", "choose_span(1)", "Attempt after", id="timeline.right", show=False),
        Binding("m", "moment", "Go to the moment when it began", id="timeline.moment", show=False),
    ]
    LOW, LOWER = 8, 5
    """Heights below which the totals, and then the words, give way to rows."""

    class Picked(Message):
        """The user went to the row of another step."""

        def __init__(self, step: str) -> None:
            super().__init__()
            self.step = step

    _axis = query_one("#timeline-axis", Static)
    _words = query_one("#timeline-words", Static)
    _totals = query_one("#timeline-totals", Static)

    def __init__(self, *, secrets: Secrets | None = None, plain: bool = False) -> None:
        super().__init__()
        self.secrets = secrets or Secrets()
        self.rows = TimelineRows(plain=plain)
        self._history = History()
        self._step: str | None = None

    def compose(self) -> ComposeResult:
        """Yield the axis, the rows and the two lines of words."""
        yield Static(id="timeline-axis", markup=False)
        yield self.rows
        yield Static(id="timeline-words", markup=False)
        yield Static(id="timeline-totals", markup=False)

    def focus(self, scroll_visible: bool = True) -> TimelineView:  # noqa: FBT001, FBT002
        """Focus the rows."""
        self.rows.focus(scroll_visible)
        return self

    def show(
        self,
        run: RunView | None,
        step: str | None,
        events: Sequence[TraceEvent],
        now: float,
        moment: float | None = None,
    ) -> None:
        """Show when the steps of a run did what, by ``now``; put the cursor on a step that was selected."""
        self._history.follow(events)
        line = Timeline() if run is None else self._history.timeline(run)
        self.rows.show(run, line, now, moment)
        if step != self._step:
            self._step = step
            if step is not None and step != self.rows.cursor_key:
                self.rows.select(step)
        self._say()

    def tick(self, now: float) -> None:
        """Let what goes on grow."""
        if self.rows.run is not None and self.rows.line.end is None and self.rows.moment is None:
            self.rows.show(self.rows.run, self.rows.line, now, None)
            self._say()

    def on_resize(self) -> None:
        """Give the rows the room that there is."""
        self.set_class(self.size.height < self.LOW, "-low")
        self.set_class(self.size.height < self.LOWER, "-lower")
        self.call_after_refresh(self._say)

    @on(LineList.Highlighted)
    def _highlighted(self, message: LineList.Highlighted) -> None:
        message.stop()
        self.rows.chosen = None
        self._say()
        key = self.rows.cursor_key
        if isinstance(key, str) and key == message.key != self._step and self.rows.has_focus:
            self._step = key
            self.post_message(self.Picked(key))

    def action_choose_span(self, by: int) -> None:
        """Choose the attempt before or after."""
        told = self.rows.told
        if told:
            self.rows.chosen = max(0, min(self.rows.chosen_at + by, len(told) - 1))
            self.rows.rows_changed()
            self._say()

    def action_moment(self) -> None:
        """Ask for the moment when the chosen span began."""
        span = self.rows.span
        if span is not None:
            self.post_message(MomentAsked(time=span.start))

    def copy_text(self) -> str:
        """Return the whole timeline in words, a line for each span."""
        rows = self.rows
        lines = [
            self.secrets.text(f"{lane.step}  {span_text(span, lane, rows.line, rows.now, ascii=rows.plain)}")
            for lane in rows.line.lanes
            for span in lane.spans
            if span.kind != "back-off"
        ]
        return "\n".join([*lines, totals_text(rows.spent)]) if lines else ""

    def _say(self) -> None:
        rows = self.rows
        if rows.run is None or not rows.line.lanes:
            for line in (self._axis, self._words, self._totals):
                line.update("")
            return
        drawn = axis(rows.scale, moment=rows.moment, ascii=rows.plain)
        self._axis.update(Content(" " * (rows.name_cells + 1) + drawn))
        width = max(self.size.width - 2, 0)
        self._words.update(self._words_of(rows, width))
        said = totals_text(rows.spent)
        self._totals.update(Content(_with_legend(said, rows.plain, width)).truncate(width, ellipsis=True))

    def _words_of(self, rows: TimelineRows, width: int) -> Content:
        lane, span = rows.lane, rows.span
        if lane is None:
            return Content("")
        if span is None:
            return Content.styled(f"{printable(lane.step)} has not run", tones.MUTED)
        words = self.secrets.text(span_text(span, lane, rows.line, rows.now, ascii=rows.plain))
        at = rows.told.index(span) + 1
        which = f"{at}/{len(rows.told)} " if len(rows.told) > 1 else ""
        content = Content.assemble((which, tones.LINK), (printable(words), STYLES.get(look(span), "")))
        return content.truncate(width, ellipsis=True)


def _with_legend(said: str, plain: bool, width: int) -> str:  # noqa: FBT001
    shown = {"completed": "done", "failed": "failed", "back-off": "back-off", "wait": "waits"}
    legend = "  ".join(f"{FILLS[kind][plain] * 2} {word}" for kind, word in shown.items())
    gap = width - len(said) - len(legend)
    return f"{said}{' ' * gap}{legend}" if gap >= 2 else said  # noqa: PLR2004
