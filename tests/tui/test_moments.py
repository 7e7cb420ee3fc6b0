"""Moving through the moments of a run: each is the run as its events up to there tell it."""

import time
from typing import Any

import pytest
from fake_desk import NOW, FakeDesk, completed, described, started, step_events
from test_app import PARCEL, Opened, said, screen_of

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import fold
from flux_tui.model.moments import EVERY, Moments, moment_text, whole
from flux_tui.model.run import RunView
from flux_tui.needs import PAST
from flux_tui.widgets.event_view import EventView
from flux_tui.widgets.log_view import LogView
from flux_tui.widgets.timeline_view import TimelineView


def log(start: TraceEvent, text: str, *, after: float, step: str = "pick") -> TraceEvent:
    """Return what a step printed, so many milliseconds after the start."""
    return TraceEvent(
        type=EventType.STEP_LOG,
        timestamp=start.timestamp + after,
        workflow_id=start.workflow_id,
        workflow_name=start.workflow_name,
        step_name=step,
        meta={"stream": "stdout", "text": text},
    )


def history(steps: int = 3) -> list[TraceEvent]:
    """Return the events of a run that completed."""
    names = [f"step-{number}" for number in range(steps)]
    start = started("aaa", described("long", *names))
    return [start, *step_events(start, names), completed(start)]


def folded(events: list[TraceEvent]) -> RunView | None:
    """Return the run that these events tell of."""
    view = None
    for event in events:
        view = fold.apply(view, event)
    return view


def test_every_moment_is_what_the_events_up_to_it_tell() -> None:
    """In whatever order the moments are asked for, checkpoints or not."""
    events = history(steps=EVERY)
    moments = Moments()
    moments.follow(events)
    assert len(moments) == len(events)
    forward = range(1, len(events) + 1)
    for number in (*forward, *reversed(forward), 5, EVERY + 1, 2, len(events), EVERY, EVERY * 2, 1):
        moment = moments.at(number)
        assert moment is not None
        assert moment.view == folded(events[:number])
        assert moment.event is events[number - 1]


def test_what_steps_print_is_no_moment_but_belongs_to_the_next() -> None:
    """A moment knows how many lines there were by then."""
    start, begun, done, *_ = history()
    lines = [log(start, "one\ntwo", after=10), log(start, "three", after=20)]
    moments = Moments()
    moments.follow([start, begun, *lines, done])
    assert len(moments) == 3
    shown = [moments.at(number) for number in (1, 2, 3)]
    assert [moment.printed for moment in shown if moment] == [0, 0, 3]
    assert [moment.place for moment in shown if moment] == [0, 1, 4]
    assert [moments.at_event(place) for place in range(5)] == [1, 2, 2, 2, 3]
    assert [moments.at_time(start.timestamp + after) for after in (-5, 99, 100)] == [1, 2, 3]


def test_new_events_leave_the_moments_as_they_are() -> None:
    """They only follow; another list of events is another run."""
    events = history()
    known = events[:3]
    moments = Moments()
    moments.follow(known)
    before = moments.at(2)
    known += events[3:]
    moments.follow(known)
    after = moments.at(2)
    assert before is not None
    assert after is not None
    assert (after.view, after.count) == (before.view, len(events))
    moments.follow(history(steps=1))
    assert len(moments) == 4


def test_a_moment_outside_is_the_nearest() -> None:
    """Before the first there is the first, behind the last the last, and none without events."""
    moments = Moments()
    assert moments.at(1) is None
    moments.follow(history())
    numbers = [moment.number for moment in (moments.at(-4), moments.at(99)) if moment is not None]
    assert numbers == [1, 8]


def test_ten_thousand_moments_can_be_held_down() -> None:
    """A step to a neighbour costs a small part of going through all of them, in both directions."""
    start, begun, done, *_ = history()
    events = [start, *([begun, done] * 5_000)]
    moments = Moments()
    moments.follow(events)
    first = time.perf_counter()
    moments.at(len(events))
    began = time.perf_counter()
    for number in (*range(9_000, 8_700, -1), *range(300, 600)):
        moments.at(number)
    assert (time.perf_counter() - began) / 600 < (began - first) / 4


def test_the_words_of_a_moment_say_where_and_when() -> None:
    """The number, the time since the start, the event and its step."""
    moments = Moments()
    moments.follow(history())
    moment = moments.at(3)
    assert moment is not None
    assert moment_text(moment) == "◂◂ 3/8  +100 ms  step:complete step-0"
    assert moment_text(moment, ascii=True).startswith("<< 3/8")


@pytest.mark.parametrize(
    ("events", "complete"),
    [([], False), (history(), True), (history()[1:], False)],
    ids=["none", "all", "without the start"],
)
def test_a_trace_without_its_beginning_is_not_whole(events: list[TraceEvent], complete: bool) -> None:
    """What was rotated away cannot be told."""
    assert whole(events) is complete


# On the screen


def run(desk: FakeDesk, **options: Any) -> list[TraceEvent]:
    """Put a run that failed at the second step on the desk."""
    start = started("aaa", PARCEL)
    events = [start, *step_events(start, ["pick", "pack", "ship"], fails="pack")]
    events.insert(2, log(start, "picked it up", after=50))
    desk.trace(*events, **options)
    return events


async def test_comma_goes_back_and_graph_data_and_title_show_the_moment() -> None:
    """Each press is one event; the step that moved is selected; esc returns to the present."""
    async with Opened() as (desk, pilot):
        run(desk)
        await pilot.press("2", "comma", "comma")
        screen = screen_of(pilot)
        await pilot.pause()
        assert screen.graph.run is not None
        assert [step.status for step in screen.graph.run.steps] == ["completed", "running", "pending"]
        assert screen.selection.step == "pack"
        assert screen.graph_pane.title.plain.startswith("◂◂ 4/6  +100 ms  step:start pack · esc live")
        assert screen.has_class("-past")
        await pilot.press("comma", "comma")
        assert screen.selection.step == "pick"
        assert screen.past.view is not None
        assert screen.past.view.data_after("pick") == {}
        await pilot.press("full_stop")
        assert screen.past.view is not None
        assert screen.past.view.data_after("pick") == {"pick": 0}
        await pilot.press("escape")
        assert screen.selection.moment is None
        assert screen.graph.run is desk.view("aaa")
        assert screen.focused is screen.runs


async def test_logs_events_and_errors_end_where_the_moment_is() -> None:
    """What came later is not shown, or dim."""
    async with Opened() as (desk, pilot):
        run(desk)
        screen = screen_of(pilot)
        await pilot.press("2", "L", "less_than_sign", "full_stop")
        logs = screen.details.views["logs"]
        assert isinstance(logs, LogView)
        assert logs.row_count() == 0
        await pilot.press("full_stop")
        assert logs.row_count() == 1
        await pilot.press("V", "comma")
        view = screen.details.views["events"]
        assert isinstance(view, EventView)
        assert view.selected_event is desk.events_of("aaa")[1]
        await pilot.press("E", "full_stop")
        assert screen.past.view is not None
        assert screen.past.view.error is None
        await pilot.press("escape", "V", "3", "home", "m")
        assert screen.selection.moment == 1
        await pilot.press("I", "down", "m")
        assert screen.selection.moment == 4


async def test_the_past_stays_where_it_is_while_the_run_goes_on() -> None:
    """New events move neither the moment nor what is shown; another run leaves it."""
    async with Opened() as (desk, pilot):
        events = run(desk)
        screen = screen_of(pilot)
        await pilot.press("2", "less_than_sign", "full_stop")
        shown = screen.graph.run
        again = TraceEvent(
            type=EventType.STEP_START,
            timestamp=NOW * 1000,
            workflow_id="aaa",
            workflow_name="parcel",
            step_name="pack",
            step_index=1,
        )
        desk.trace(again)
        await pilot.pause()
        assert screen.graph.run is shown
        assert screen.graph_pane.title.plain.startswith(f"◂◂ 2/{len(events)}")
        desk.trace(started("bbb", PARCEL, ago=1))
        screen.go_to_run("bbb")
        screen.show()
        assert screen.selection.moment is None


async def test_what_acts_on_a_run_is_refused_while_its_past_is_looked_at() -> None:
    """The reason says how to get back; starting a new run is still possible."""
    async with Opened() as (desk, pilot):
        run(desk)
        screen = screen_of(pilot)
        await pilot.press("2", "comma", "t")
        await pilot.pause()
        assert PAST in said(pilot)
        assert desk.asked == []
        await pilot.press("escape", "greater_than_sign", "full_stop")
        assert "the latest moment" in said(pilot)
        assert screen.selection.moment == 6


async def test_a_run_without_trace_says_why_there_is_no_way_back() -> None:
    """A trace that was rotated away, or a run that never wrote one."""
    async with Opened() as (desk, pilot):
        start = started("aaa", PARCEL)
        desk.trace(start)
        desk.open_runs.open("aaa", step_events(start, ["pick"]))
        desk.open_runs.put_stored("aaa", fold.apply(None, start))
        await pilot.press("2", "comma")
        await pilot.pause()
        assert "the beginning of this run's trace is gone" in said(pilot)
        desk.open_runs.open("aaa", [])
        await pilot.press("comma")
        await pilot.pause()
        assert "this one has nothing of the run" in said(pilot)


async def test_the_timeline_goes_with_the_step_and_the_step_with_the_timeline() -> None:
    """A row selects its step in the graph; a step selected elsewhere moves the row."""
    async with Opened() as (desk, pilot):
        run(desk)
        screen = screen_of(pilot)
        await pilot.press("2", "I")
        view = screen.details.views["timeline"]
        assert isinstance(view, TimelineView)
        assert view.rows.cursor_key == "pack"
        await pilot.press("3", "k")
        await pilot.pause()
        assert screen.selection.step == "pick"
        assert screen.graph.selected == "pick"
        await pilot.press("4", "right", "right")
        await pilot.pause()
        assert view.rows.cursor_key == screen.selection.step == "ship"
