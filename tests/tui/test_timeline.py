"""The timeline of a run: what it says of attempts, back-offs and waits, and how that is drawn."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_engine import FluxEngine, JsonFileTraceSink, SQLiteStorage, create_workflow, wait
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.trace.reader import read_events
from flux_tui.feed.store import StoreFeed
from flux_tui.model import fold
from flux_tui.model.run import RunView
from flux_tui.model.spans import Span
from flux_tui.model.time_bars import axis, bars
from flux_tui.model.time_scale import Scale, tick_text
from flux_tui.model.time_words import span_text, total_text, totals_text
from flux_tui.model.timeline import History, Lane, Timeline, from_store, timeline, totals, union

FIXTURES = Path(__file__).parents[1] / "fixtures" / "gravito"
HOUR = 3_600_000.0


def event(kind: EventType, at: float, step: str | None = None, **fields: Any) -> TraceEvent:
    """Return an event of one run, ``at`` milliseconds after its start."""
    return TraceEvent(
        type=kind, timestamp=at, workflow_id="aaa", workflow_name="flow", step_name=step, **fields
    )


def begun(*steps: str, at: float = 0.0, **fields: Any) -> TraceEvent:
    """Return the start of a run."""
    graph = {"steps": [{"name": step, "index": place} for place, step in enumerate(steps)], "edges": []}
    return event(EventType.WORKFLOW_START, at, graph=graph, **fields)


def told(events: list[TraceEvent]) -> tuple[RunView, Timeline]:
    """Return the run and the timeline of these events."""
    view = None
    for each in events:
        view = fold.apply(view, each)
    assert view is not None
    return view, timeline(view, events)


def flaky() -> list[TraceEvent]:
    """Return a run whose payment fails once and goes through after a back-off."""
    return [
        begun("fetch", "pay", "gift"),
        event(EventType.STEP_START, 0, "fetch", attempt=1),
        event(EventType.STEP_COMPLETE, 100, "fetch", attempt=1, duration=100),
        event(EventType.STEP_START, 100, "pay", attempt=1),
        event(EventType.STEP_RETRY, 200, "pay", attempt=1, error="OSError: no", meta={"delay": 300}),
        event(EventType.STEP_START, 500, "pay", attempt=2),
        event(EventType.STEP_COMPLETE, 600, "pay", attempt=2, duration=100),
        event(EventType.STEP_SKIPPED, 600, "gift", meta={"reason": "no coupon"}),
        event(EventType.WORKFLOW_COMPLETE, 600, duration=600),
    ]


def kinds(lane: Lane) -> list[tuple[str, str, float, float | None]]:
    """Return the spans of a step in short."""
    return [(span.kind, span.status, span.start, span.end) for span in lane.spans]


def drawn(line: Timeline, now: float, width: int = 60) -> list[str]:
    """Return the rows as they are drawn."""
    spans = [span for lane in line.lanes for span in lane.spans]
    end = now if line.end is None else line.end
    busy = union(spans, ("attempt", "back-off", "compensation", "skipped"), now)
    scale = Scale(line.start, end, busy, width)
    return [axis(scale), *("".join(bit.text for bit in bars(lane, scale, now)) for lane in line.lanes)]


def test_attempts_and_the_back_offs_between_them_are_told_apart() -> None:
    """A failed attempt, the pause after it, and the attempt that went through."""
    _, line = told(flaky())
    assert kinds(line.lanes[1]) == [
        ("attempt", "failed", 100, 200),
        ("back-off", "completed", 200, 500),
        ("attempt", "completed", 500, 600),
    ]
    assert kinds(line.lanes[2]) == [("skipped", "skipped", 600, 600)]
    spent = totals(line, now=9_999)
    assert (spent.took, spent.handlers, spent.waiting, spent.idle) == (600, 300, 300, 0)


def test_each_kind_is_drawn_with_a_character_of_its_own() -> None:
    """No colour is needed to tell them apart."""
    _, line = told(flaky())
    _, fetch, pay, gift = drawn(line, now=600, width=60)
    assert fetch == "█" * 10 + " " * 50
    assert pay == " " * 10 + "▒" * 9 + "✖" + "·" * 30 + "█" * 10
    assert gift == " " * 59 + "⊘"


def test_the_words_of_an_attempt_say_all_there_is_to_know() -> None:
    """Number, when, how long, the back-off after it, and the error on one line."""
    _, line = told(flaky())
    lane = line.lanes[1]
    first, _, last = lane.spans
    said = span_text(first, lane, line, now=600)
    assert said == "attempt 1 ✖ failed at +100 ms, took 100 ms · back-off 300 ms · OSError: no"
    assert span_text(last, lane, line, now=600) == "attempt 2 ✔ completed at +500 ms, took 100 ms"
    assert total_text(lane, now=600) == "2\N{MULTIPLICATION SIGN} 200 ms"
    assert totals_text(totals(line, 600)) == "took 600 ms · 300 ms in handlers · 300 ms waiting · 0 ms idle"


def test_steps_that_run_at_the_same_time_count_once() -> None:
    """The time in handlers is that of the clock on the wall."""
    _, line = told([
        begun("a", "b"),
        event(EventType.STEP_START, 0, "a"),
        event(EventType.STEP_START, 50, "b"),
        event(EventType.STEP_COMPLETE, 100, "a"),
        event(EventType.STEP_COMPLETE, 150, "b"),
        event(EventType.WORKFLOW_COMPLETE, 200),
    ])  # fmt: skip
    assert totals(line, 200).handlers == 150
    assert totals(line, 200).idle == 50


def test_hours_between_a_failure_and_its_retry_are_folded() -> None:
    """The bars of both passes stay readable, and the fold says how long it was."""
    _, line = told([
        begun("pay"),
        event(EventType.STEP_START, 0, "pay", attempt=1),
        event(EventType.STEP_ERROR, 500, "pay", attempt=1, error="OSError: no"),
        event(EventType.WORKFLOW_ERROR, 500),
        begun("pay", at=3 * HOUR, meta={"retry": True, "fromStep": "pay"}),
        event(EventType.STEP_START, 3 * HOUR, "pay", attempt=2),
        event(EventType.STEP_COMPLETE, 3 * HOUR + 500, "pay", attempt=2),
        event(EventType.WORKFLOW_COMPLETE, 3 * HOUR + 500),
    ])  # fmt: skip
    ticks, pay = drawn(line, now=0, width=60)
    assert "≈ 3 h 00 m" in ticks
    assert (pay.count("▒"), pay.count("█")) == (23, 24)
    assert pay[29:31].strip() == "≈"
    assert line.passes == (3 * HOUR,)


def test_a_wait_for_days_is_folded_too() -> None:
    """What is waited for is told in words, and the wait grows as long as it lasts."""
    view, line = told([
        begun("ask"),
        event(EventType.STEP_START, 0, "ask", attempt=1),
        event(EventType.STEP_SUSPEND, 20, "ask", attempt=1, meta={"signal": "approval"}),
        event(EventType.WORKFLOW_SUSPEND, 20),
    ])  # fmt: skip
    assert view.status == "suspended"
    assert line.end is None
    lane = line.lanes[0]
    said = span_text(lane.spans[-1], lane, line, now=50 * HOUR)
    assert said == "⏸ waits for approval at +20 ms for 2 d 02 h"
    assert "≈ 2 d 02 h" in drawn(line, now=50 * HOUR)[0]
    spent = totals(line, 50 * HOUR)
    assert (spent.handlers, spent.waiting) == (20, 50 * HOUR - 20)


def test_what_an_interrupted_run_left_open_ends_where_it_was_last_heard_of() -> None:
    """A run that goes on later does not make that attempt hours long."""
    _, line = told([
        begun("pay"),
        event(EventType.STEP_START, 0, "pay", attempt=1),
        event(EventType.STEP_LOG, 90, "pay", meta={"text": "hello"}),
        begun("pay", at=HOUR, meta={"resume": True, "fromStep": "pay"}),
        event(EventType.STEP_START, HOUR, "pay", attempt=2),
        event(EventType.STEP_COMPLETE, HOUR + 10, "pay", attempt=2),
        event(EventType.WORKFLOW_COMPLETE, HOUR + 10),
    ])  # fmt: skip
    assert kinds(line.lanes[0])[0] == ("attempt", "interrupted", 0, 90)


def test_compensation_is_part_of_the_timeline() -> None:
    """What is taken back, and what could not be."""
    _, line = told([
        begun("book", "pay"),
        event(EventType.STEP_START, 0, "book"),
        event(EventType.STEP_COMPLETE, 10, "book"),
        event(EventType.STEP_START, 10, "pay"),
        event(EventType.STEP_ERROR, 20, "pay", error="OSError: no"),
        event(EventType.STEP_COMPENSATE, 20, "book", status="running"),
        event(EventType.STEP_COMPENSATE, 30, "book", status="compensated"),
        event(EventType.WORKFLOW_ERROR, 30),
    ])  # fmt: skip
    assert kinds(line.lanes[0])[-1] == ("compensation", "compensated", 20, 30)
    assert "░" in drawn(line, now=30)[1]


@pytest.mark.parametrize("name", ["failures", "signals", "branching"])
def test_traces_of_the_ancestor_have_a_timeline(name: str) -> None:
    """They tell less: no delays, no starts of further attempts."""
    by_run: dict[str, list[TraceEvent]] = {}
    for each in read_events(FIXTURES / f"{name}.ndjson"):
        by_run.setdefault(each.workflow_id, []).append(each)
    for events in by_run.values():
        view, line = told(events)
        assert {lane.step for lane in line.lanes} == {step.name for step in view.steps}
        assert all(len(row) == 40 for row in drawn(line, view.updated_at, width=40))
        assert totals(line, view.updated_at).idle >= 0


async def test_without_a_trace_the_store_tells_of_the_same_attempts(tmp_path: Path) -> None:
    """Attempts with their back-off, a retry by hand that is no back-off, and a step that waits."""
    left = [3]

    def pay(ctx: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionError("gateway returned 502")

    flow = (
        create_workflow("order")
        .step("pay", pay, retries=1, backoff=lambda attempt: 0.02)
        .step("ask", lambda ctx: wait("approval"))
        .step("tell", lambda ctx: wait("answer"))
    )
    sink, storage = JsonFileTraceSink(tmp_path / "trace.ndjson"), SQLiteStorage(tmp_path / "flux.db")
    async with FluxEngine(storage=storage, trace=sink) as engine:
        failed = await engine.execute(flow, {})
        await engine.retry_step(flow, failed.id, "pay")
        await engine.signal(flow, failed.id, "approval", 1)
    _, traced = told(list(read_events(tmp_path / "trace.ndjson")))
    store = StoreFeed(tmp_path / "flux.db")
    stored = await store.run(failed.id)
    await store.close()
    assert stored is not None
    assert History().timeline(stored) == from_store(stored)
    for lane, other in zip(traced.lanes, from_store(stored).lanes, strict=True):
        assert [(span.kind, span.status) for span in lane.spans] == [
            (span.kind, span.status) for span in other.spans
        ]
    assert [span.kind for span in traced.lanes[0].spans].count("back-off") == 2


def test_events_taken_one_by_one_make_the_same_timeline() -> None:
    """A timeline that grows live is the one that is read at once."""
    events = flaky()
    growing: list[TraceEvent] = []
    history = History()
    for each in events:
        growing.append(each)
        history.follow(growing)
    view, line = told(events)
    assert history.timeline(view) == line


SPANS = st.tuples(
    st.floats(0, 1e7, allow_nan=False), st.floats(0, 1e6), st.sampled_from(["attempt", "back-off", "wait"])
)


@given(st.lists(SPANS, max_size=12), st.integers(1, 200), st.floats(0, 2e7))
@example([(0.0, 5e-324, "attempt")], 1, 0.0)
def test_every_row_is_as_wide_as_the_line(
    parts: list[tuple[float, float, Any]], width: int, moment: float
) -> None:
    """Whatever overlaps, is folded, or has no length; and time never runs backwards on the scale."""
    spans = tuple(Span(kind=kind, start=start, end=start + took) for start, took, kind in parts)
    end = max((span.end or 0.0 for span in spans), default=0.0)
    start = min((span.start for span in spans), default=0.0)
    scale = Scale(start, end, union(spans, ("attempt", "back-off"), end), width)
    row = bars(Lane(step="a", spans=spans), scale, end, moment=moment)
    assert sum(len(bit.text) for bit in row) == width
    assert len(axis(scale, moment=moment)) == width
    cells = [scale.cell(start + (end - start) * part / 20) for part in range(21)]
    assert cells == sorted(cells)
    assert all(0 <= cell <= width for cell in cells)


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0"), (0.5, "0.5 ms"), (200, "200 ms"), (1500, "1.5 s"), (120_000, "2 min"), (2 * HOUR, "2 h")],
)
def test_ticks_are_round_times_in_their_own_unit(ms: float, text: str) -> None:
    """Never 120 s for two minutes."""
    assert tick_text(ms) == text
