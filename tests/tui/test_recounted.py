"""What a journal tells of a run is what its trace told, moment by moment."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fake_desk import started
from test_app import PARCEL, Opened, screen_of

from flux_engine import FluxEngine, JsonFileTraceSink, MemoryStorage, create_workflow, sleep, wait
from flux_engine.testing import ManualClock
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.trace.reader import read_events
from flux_tui.model import fold
from flux_tui.model.moments import Moments, whole
from flux_tui.model.recounted import recounted
from flux_tui.model.run import RunView
from flux_tui.model.secrets import Secrets
from flux_tui.model.stored import from_journal
from flux_tui.open_runs import OpenRuns
from flux_tui.widgets.timeline_view import TimelineView

CONCLUDED = {EventType.WORKFLOW_SUSPEND, EventType.WORKFLOW_START}
"""A journal does not say of a pass that a signal began, and a step that waits suspends its run by itself."""


class Story:
    """One run and what both accounts tell of it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(auto=True)
        self.storage = MemoryStorage()
        self.file = folder / "trace.ndjson"
        sink = JsonFileTraceSink(self.file)
        self.engine = FluxEngine(storage=self.storage, trace=sink, clock=self.clock)

    async def traced(self, run_id: str) -> list[TraceEvent]:
        """Return the events of the trace."""
        return [event for event in read_events(self.file) if event.workflow_id == run_id]

    async def stored(self, run_id: str) -> RunView:
        """Return the run as its store has it."""
        record = await self.storage.find(run_id)
        assert record is not None
        return from_journal(record, await self.storage.journal(run_id), self.clock.now())


def moves(events: Sequence[TraceEvent]) -> list[tuple[Any, ...]]:
    """Return what the events tell apart from what is concluded."""
    return [
        (event.type, event.step_name, event.attempt if event.step_name else None)
        for event in events
        if event.type not in CONCLUDED and event.type != EventType.SIGNAL_RECEIVED
    ]


def standing(view: RunView) -> list[tuple[Any, ...]]:
    """Return how the steps of a run stand, with the data that each found."""
    return [
        (step.name, step.status, step.attempt, step.error and step.error.type, view.data_before(step.name))
        for step in view.steps
    ]


def at_its_end(events: Sequence[TraceEvent]) -> RunView:
    """Return the run after the last event."""
    view = None
    for event in events:
        view = fold.apply(view, event)
    assert view is not None
    return view


async def test_a_run_with_all_that_can_happen_is_told_as_its_trace_told_it(tmp_path: Path) -> None:
    """Back-off, failure, a retry by hand with an edit, a skipped step, a wait, a timer and a commit."""
    left = [3]

    def pay(ctx: Any) -> None:
        left[0] -= 1
        ctx.data.paid = left[0]
        if left[0] >= 0:
            raise ConnectionError("gateway returned 502")

    flow = (
        create_workflow("order")
        .step("pick", lambda ctx: ctx.data.update(picked=["a"]))
        .step("pay", pay, retries=1, backoff=lambda attempt: 0.5)
        .step("gift", lambda ctx: None, when=lambda ctx: False)
        .step("ask", lambda ctx: wait("approval"))
        .step("rest", lambda ctx: sleep(5))
        .commit("tell", lambda ctx: ctx.data.update(told=ctx.outputs["ask"]))
    )
    story = Story(tmp_path)
    async with story.engine as engine:
        failed = await engine.execute(flow, {"n": 1})
        assert failed.status == "failed"
        await engine.retry_step(flow, failed.id, "pay", data={"coupon": 5})
        done = await engine.signal(flow, failed.id, "approval", {"by": "bo"})
        assert done.status == "completed"
        traced, stored = await story.traced(done.id), await story.stored(done.id)
    told = recounted(stored)
    assert whole(told)
    times = [event.timestamp for event in told]
    assert times == sorted(times)
    without_timer = [each for each in moves(traced) if each[:2] != (EventType.STEP_SUSPEND, "rest")]
    assert sorted(moves(told)) == sorted(without_timer)
    assert standing(at_its_end(told)) == standing(at_its_end(traced)) == standing(stored)
    assert at_its_end(told).final_data == at_its_end(traced).final_data


async def test_what_was_taken_back_is_told(tmp_path: Path) -> None:
    """Each compensation begins and ends; the run ends behind them."""

    def fail(_: Any) -> None:
        raise ValueError("no room")

    flow = (
        create_workflow("trip")
        .step("train", lambda ctx: None, compensate=lambda ctx: None)
        .step("hotel", fail, retries=0)
    )
    story = Story(tmp_path)
    async with story.engine as engine:
        failed = await engine.execute(flow)
        traced, stored = await story.traced(failed.id), await story.stored(failed.id)
    told = recounted(stored)
    assert moves(told) == moves(traced)
    assert standing(at_its_end(told)) == standing(at_its_end(traced))


async def test_every_moment_shows_no_more_than_there_was(tmp_path: Path) -> None:
    """Steps after the moment are still to come."""
    flow = create_workflow("three")
    for name in ("a", "b", "c"):
        flow = flow.step(name, lambda ctx, name=name: ctx.data.update({name: 1}))
    story = Story(tmp_path)
    async with story.engine as engine:
        done = await engine.execute(flow)
        stored = await story.stored(done.id)
    moments = Moments()
    moments.follow(recounted(stored))
    assert len(moments) == 8
    then = moments.at(4)
    assert then is not None
    assert [step.status for step in then.view.steps] == ["completed", "running", "pending"]
    assert then.view.data_before("b") == {"a": 1}


async def test_the_end_of_a_back_off_is_known_without_a_trace(tmp_path: Path) -> None:
    """So that it is counted down for a run that another host has in hand."""
    story = Story(tmp_path)
    story.clock = ManualClock()
    engine = FluxEngine(storage=story.storage, clock=story.clock)

    def fail(_: Any) -> None:
        raise ValueError("not yet")

    flow = create_workflow("slow").step("pay", fail, retries=1, backoff=lambda attempt: 7.0)
    async with engine:
        task = asyncio.ensure_future(engine.execute(flow, run_id="r"))
        while (
            not (await story.storage.journal("r") if await story.storage.find("r") else ())
            or not (await story.stored("r")).steps[0].waiting_until
        ):
            await asyncio.sleep(0.001)
        step = (await story.stored("r")).steps[0]
        assert (step.status, step.waiting_until) == ("running", (story.clock.now() + 7) * 1000)
        told = at_its_end(recounted(await story.stored("r"))).steps[0]
        assert (told.status, told.waiting_until) == (step.status, step.waiting_until)
        task.cancel()


async def test_the_moments_of_a_run_that_only_the_store_knows_are_walked_through(tmp_path: Path) -> None:
    """The keys that go back in time work; the error of an attempt is seen when it had failed, and masked."""
    left = [1]

    def pay(_: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionError("password=hunter2secret was refused")

    flow = create_workflow("order").step("pay", pay, retries=1, backoff=lambda attempt: 0.5)
    story = Story(tmp_path)
    async with story.engine as engine:
        done = await engine.execute(flow.step("tell", lambda ctx: None))
        stored = await story.stored(done.id)
    async with Opened() as (desk, pilot):
        row = started(done.id, PARCEL)
        desk.trace(row)
        desk.open_runs.open(done.id, [])
        desk.open_runs.put_stored(done.id, stored)
        screen = screen_of(pilot)
        screen.go_to_run(done.id)
        await pilot.press("less_than_sign", "full_stop")
        assert screen.past.view is not None
        assert [step.status for step in screen.past.view.steps] == ["running", "pending"]
        await pilot.press("full_stop", "E")
        await pilot.pause()
        then = screen.past.view
        assert then is not None
        assert then.steps[0].waiting_until is not None
        assert then.steps[0].error is not None
        assert "hunter2secret" not in then.steps[0].error.message
        await pilot.press("escape")
        assert screen.selection.moment is None


async def test_a_run_of_a_store_whose_trace_was_rotated_has_its_moments(tmp_path: Path) -> None:
    """The journal goes back to the beginning of which the trace has nothing left."""
    flow = create_workflow("two").step("a", lambda ctx: None).step("b", lambda ctx: None)
    story = Story(tmp_path)
    async with story.engine as engine:
        done = await engine.execute(flow)
        traced, stored = await story.traced(done.id), await story.stored(done.id)
    runs = OpenRuns(Secrets(()))
    runs.open(done.id, traced[3:])
    assert not whole(runs.account(done.id))
    runs.put_stored(done.id, stored)
    assert whole(runs.account(done.id))
    runs.open(done.id, traced)
    assert list(runs.account(done.id)) == traced


async def test_the_timeline_of_a_run_that_only_the_store_knows_has_its_compensations(tmp_path: Path) -> None:
    """They are drawn as of a run whose trace is here."""

    def fail(_: Any) -> None:
        raise ValueError("no room")

    trip = create_workflow("trip").step("train", lambda ctx: None, compensate=lambda ctx: None)
    story = Story(tmp_path)
    async with story.engine as engine:
        failed = await engine.execute(trip.step("hotel", fail, retries=0))
        stored = await story.stored(failed.id)
    async with Opened() as (desk, pilot):
        desk.trace(started(failed.id, PARCEL))
        desk.open_runs.open(failed.id, [])
        desk.open_runs.put_stored(failed.id, stored)
        screen = screen_of(pilot)
        screen.go_to_run(failed.id)
        await pilot.press("I")
        await pilot.pause()
        view = screen.details.views["timeline"]
        assert isinstance(view, TimelineView)
        kinds = [span.kind for lane in view.rows.line.lanes for span in lane.spans]
        assert kinds == ["attempt", "compensation", "attempt"]


async def test_a_run_paused_in_a_back_off_stands_the_same_by_both_accounts(tmp_path: Path) -> None:
    """The step has failed for now: nothing is counted down in a run that stands still."""
    story = Story(tmp_path)
    begun, go = asyncio.Event(), asyncio.Event()

    async def pay(_: Any) -> None:
        begun.set()
        await go.wait()
        raise ValueError("not yet")

    flow = create_workflow("slow").step("pay", pay, retries=1, backoff=lambda attempt: 7.0)
    async with story.engine as engine:
        running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
        await begun.wait()
        pausing = asyncio.ensure_future(engine.pause("r"))
        await asyncio.sleep(0)
        go.set()
        assert (await pausing).status == (await running).status == "paused"
        traced, stored = at_its_end(await story.traced("r")), await story.stored("r")
    for view in (traced, stored, at_its_end(recounted(stored))):
        step = view.steps[0]
        assert (view.status, step.status, step.waiting_until) == ("paused", "failed", None)
