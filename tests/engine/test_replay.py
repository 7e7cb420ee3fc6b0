"""Replay: what today's code makes of a recorded run."""

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from flux_engine import (
    FatalError,
    RunNotFoundError,
    WorkflowMismatchError,
    create_workflow,
    sleep,
    wait,
)
from flux_engine.engine import FluxEngine
from flux_engine.replay import RunReplay
from flux_engine.testing import ManualClock


class Replaying(FluxEngine, RunReplay):
    """An engine that can replay."""


@pytest.fixture
async def engine(storage, trace, clock, make_engine):
    options = make_engine()
    made = Replaying(
        storage=storage, trace=trace, clock=clock, default_retries=0, logger=options._services.logger
    )
    yield made
    await made.close()


@pytest.fixture
def code():
    """The code of the workflow ``order``, which a test may change; ``calls`` has what was called."""
    return SimpleNamespace(price=3, refuses=False, paid=lambda ctx: True, calls=[])


def order(code):
    """Return a workflow of two steps, a commit, and a step behind it."""

    async def price(ctx):
        code.calls.append("price")
        ctx.data.total = ctx.input["qty"] * code.price

    def check(ctx):
        code.calls.append("check")
        if code.refuses:
            raise ValueError(f"{ctx.data.total} is too much")
        return {"checked": ctx.data.total}

    async def charge(ctx):
        code.calls.append("charge")
        ctx.data.receipt = len(code.calls)
        return ctx.data.receipt

    async def thank(ctx):
        code.calls.append("thank")
        ctx.data.thanks = f"for {ctx.data.receipt} {ctx.outputs['charge']}"

    flow = create_workflow("order").step("price", price).step("check", check)
    return flow.commit("charge", charge, when=code.paid).step("thank", thank)


def found(report):
    """Return the differences as plain tuples."""
    return [(d.step, d.kind, d.key, d.recorded, d.replayed) for d in report.steps]


async def test_the_same_code_does_as_recorded_and_executes_no_commit(engine, code):
    """The plain steps run again; what the commit did is taken from the record."""
    run = await engine.execute(order(code), {"qty": 2})
    code.calls.clear()
    report = await engine.replay(order(code), run.id)
    assert (report.ok, report.steps, report.run_id, report.workflow) == (True, (), run.id, "order")
    assert code.calls == ["price", "check", "thank"]
    assert str(report) == f"order {run.id}: as recorded"
    done = {"price": "completed", "check": "completed", "charge": "answered", "thank": "completed"}
    assert report.outcomes == done
    code.refuses = True
    assert (await engine.replay(order(code), run.id)).outcomes == {"price": "completed", "check": "failed"}


async def test_nothing_is_written_traced_or_told(engine, storage, trace, code):
    """The run, the store and the trace stay as they were."""
    run = await engine.execute(order(code), {"qty": 2})
    before = (await storage.revision(), len(trace.events), await storage.journal(run.id))
    code.price = 4
    await engine.replay(order(code), run.id)
    assert (await storage.revision(), len(trace.events), await storage.journal(run.id)) == before


async def test_data_and_output_that_differ_are_reported_by_step_and_key(engine, code):
    """A value of another type is another value."""
    run = await engine.execute(order(code), {"qty": 2})
    code.price = 3.0
    report = await engine.replay(order(code), run.id)
    assert not report.ok
    assert found(report) == [
        ("price", "data", "total", 6, 6.0),
        ("check", "output", None, {"checked": 6}, {"checked": 6.0}),
    ]
    assert "price: data 'total': 6 → 6.0" in str(report)


async def test_ignored_keys_may_differ(engine, code):
    """In the data and in outputs that are dicts."""
    run = await engine.execute(order(code), {"qty": 2})
    code.price = 4
    assert not (await engine.replay(order(code), run.id, ignore=["total"])).ok
    assert (await engine.replay(order(code), run.id, ignore=["total", "checked"])).ok


async def test_a_step_that_fails_now_is_reported_with_its_error(engine, code):
    """The replay goes no further behind it."""
    run = await engine.execute(order(code), {"qty": 2})
    code.refuses = True
    code.calls.clear()
    report = await engine.replay(order(code), run.id)
    assert found(report) == [
        ("check", "status", None, "completed", "failed"),
        ("check", "error", None, None, "ValueError: 6 is too much"),
    ]
    assert code.calls == ["price", "check"]


async def test_the_same_error_is_no_difference(engine, code):
    """Type and message count; another message is another error."""
    code.refuses = True
    run = await engine.execute(order(code), {"qty": 2})
    assert (await engine.replay(order(code), run.id)).ok
    code.price = 4
    assert [d.kind for d in (await engine.replay(order(code), run.id)).steps] == ["data", "error"]


async def test_a_failure_that_is_mended_stops_before_the_commit_without_a_result(engine, code):
    """There is nothing that could answer it."""
    code.refuses = True
    run = await engine.execute(order(code), {"qty": 2})
    code.refuses = False
    code.calls.clear()
    report = await engine.replay(order(code), run.id)
    assert found(report) == [
        ("check", "status", None, "failed", "completed"),
        ("check", "error", None, "ValueError: 6 is too much", None),
        ("charge", "missing", None, "pending", None),
    ]
    assert code.calls == ["price", "check"]


async def test_a_commit_that_was_skipped_and_is_wanted_now_is_missing(engine, code):
    """It is not executed either."""
    code.paid = lambda ctx: False
    flow = create_workflow("order").commit("charge", lambda ctx: code.calls.append("charge"), when=code.paid)
    run = await engine.execute(flow)
    wanted = create_workflow("order").commit("charge", lambda ctx: code.calls.append("charge"))
    report = await engine.replay(wanted, run.id)
    assert (found(report), code.calls) == ([("charge", "missing", None, "skipped", None)], [])
    assert (await engine.replay(flow, run.id)).ok


async def test_a_commit_that_failed_is_answered_with_its_failure(engine, code):
    """The replay ends where the run did."""

    async def charge(ctx):
        code.calls.append("charge")
        raise ConnectionError("no answer")

    flow = create_workflow("order").step("price", lambda ctx: ctx.data.update(n=1)).commit("charge", charge)
    run = await engine.execute(flow)
    assert run.status == "failed"
    report = await engine.replay(flow, run.id)
    assert (report.ok, code.calls) == (True, ["charge"])


async def test_a_commit_in_doubt_is_missing(engine, code):
    """It was begun, and nobody knows what it did."""
    begun = asyncio.Event()

    async def charge(ctx):
        begun.set()
        await asyncio.Event().wait()

    flow = create_workflow("order").commit("charge", charge)
    task = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert [(d.step, d.kind) for d in (await engine.replay(flow, "r")).steps] == [("charge", "missing")]


async def test_a_replay_goes_as_far_as_the_record(engine, code):
    """Steps that a run which waits has not come to are not run."""
    flow = create_workflow("flow").step("price", lambda ctx: ctx.data.update(n=1))
    flow.step("ask", lambda ctx: wait("approval")).step("after", lambda ctx: code.calls.append("after"))
    run = await engine.execute(flow)
    assert run.status == "suspended"
    assert (await engine.replay(flow, run.id)).ok
    assert code.calls == []


async def test_signals_are_answered_with_the_recorded_payload_and_sleeps_pass(engine, clock):
    """The payload is output and ctx.signals, as it was."""

    async def ask(ctx):
        ctx.data.asked = True
        return wait("approval", timeout=60)

    async def use(ctx):
        ctx.data.by = ctx.signals["approval"]["by"]
        return ctx.outputs["ask"]

    flow = create_workflow("flow").step("ask", ask).step("rest", lambda ctx: sleep(3600)).step("use", use)
    run = await engine.execute(flow)
    await engine.signal(flow, run.id, "approval", {"by": "ada"})
    now = clock.now()
    report = await engine.replay(flow, run.id)
    assert (report.ok, clock.now()) == (True, now), str(report)
    other = (
        create_workflow("flow").step("ask", lambda ctx: wait("consent")).step("rest", ask).step("use", use)
    )
    assert found(await engine.replay(other, run.id)) == [
        ("ask", "status", None, "completed", "suspended"),
    ]


async def test_a_wait_that_ran_out_runs_out_again(engine, make_engine):
    """With the same error."""
    clock = ManualClock()
    waiting = make_engine(clock=clock)
    flow = create_workflow("flow").step("ask", lambda ctx: wait("approval", timeout=60))
    run = await waiting.execute(flow)
    await clock.sleeper()
    clock.advance(60)
    async with asyncio.timeout(20):
        while (await waiting.get(run.id)).status != "failed":
            await asyncio.sleep(0.001)
    report = await engine.replay(flow, run.id)
    assert report.ok, str(report)


async def test_steps_are_retried_as_defined_without_waiting(engine, clock):
    """An attempt that fails and a second that does not are one completed step."""

    async def flaky(ctx):
        if ctx.attempt < 3:
            raise ConnectionError
        ctx.data.attempt = ctx.attempt

    flow = create_workflow("flow").step("flaky", flaky, retries=2)
    run = await engine.execute(flow)
    now = clock.now()
    assert (await engine.replay(flow, run.id)).ok
    assert clock.now() == now
    report = await engine.replay(create_workflow("flow").step("flaky", flaky, retries=1), run.id)
    assert [d.kind for d in report.steps] == ["status", "error"]


async def test_the_edit_of_a_retry_is_part_of_the_record(engine, code):
    """The step that was retried is given the edited data again."""
    code.refuses = True
    run = await engine.execute(order(code), {"qty": 2})
    code.refuses = False
    await engine.retry_step(order(code), run.id, "check", data={"total": 7})
    report = await engine.replay(order(code), run.id)
    assert report.ok, str(report)


async def test_concurrent_steps_see_the_data_that_they_saw(engine):
    """Whichever ends first: each is replayed in its place."""
    others_are_done = asyncio.Event()

    async def slow(ctx):
        await others_are_done.wait()
        ctx.data.slow = sorted(ctx.data)

    async def quick(ctx):
        ctx.data.quick = sorted(ctx.data)

    async def last(ctx):
        ctx.data.last = sorted(ctx.data)
        others_are_done.set()

    flow = create_workflow("flow").step("slow", slow, after=()).step("quick", quick, after=())
    flow.step("behind", last, after=["quick"]).step("join", lambda ctx: None, after=["slow", "behind"])
    run = await engine.execute(flow)
    assert run.data == {"slow": [], "quick": [], "last": ["quick"]}
    others_are_done.clear()
    async with asyncio.timeout(20):
        report = await engine.replay(flow, run.id)
    assert report.ok, str(report)


async def test_compensations_are_not_run(engine, code):
    """What was compensated counts as what it did."""

    async def book(ctx):
        ctx.data.booked = 1

    async def pay(ctx):
        raise FatalError(f"no money for {ctx.data.booked}")

    flow = create_workflow("trip").step("book", book, compensate=lambda ctx: code.calls.append("undo"))
    flow.step("pay", pay)
    run = await engine.execute(flow)
    assert code.calls == ["undo"]
    report = await engine.replay(flow, run.id)
    assert (report.ok, code.calls) == (True, ["undo"]), str(report)


async def test_steps_that_were_added_or_removed_are_reported(engine, code):
    """An added plain step is run; a removed one is missing."""
    run = await engine.execute(order(code), {"qty": 2})

    async def price(ctx):
        ctx.data.total = ctx.input["qty"] * 3

    flow = create_workflow("order").step("price", price).step("tax", lambda ctx: ctx.data.update(tax=1))
    assert found(await engine.replay(flow, run.id)) == [
        ("tax", "added", None, None, "completed"),
        ("check", "missing", None, "completed", None),
        ("charge", "missing", None, "completed", None),
        ("thank", "missing", None, "completed", None),
    ]
    more = order(code).commit("archive", lambda ctx: code.calls.append("archive"))
    assert found(await engine.replay(more, run.id)) == [("archive", "missing", None, None, None)]
    assert "archive" not in code.calls


class Order(BaseModel):
    qty: int


@dataclass
class Totals:
    total: int = 0
    tags: set[str] | None = None
    receipt: str = ""


async def test_typed_input_and_data_are_replayed_as_such(engine, code):
    """Commits are answered into the typed data, and equal sets are equal."""

    async def price(ctx):
        ctx.data.total = ctx.input.qty * 3
        ctx.data.tags = {"a", "b", "c"}

    async def charge(ctx):
        ctx.data.receipt = f"r{len(code.calls)}"

    async def check(ctx):
        assert isinstance(ctx.data, Totals)
        ctx.data.total += len(ctx.data.receipt)

    flow = create_workflow("typed").input(Order).data(Totals)
    flow.step("price", price).commit("charge", charge).step("check", check)
    run = await engine.execute(flow, {"qty": 1})
    code.calls.append("so that charge would do something else")
    report = await engine.replay(flow, run.id)
    assert report.ok, str(report)


async def test_an_input_that_no_longer_fits_is_a_difference(engine, code):
    """It belongs to no step."""
    run = await engine.execute(order(code), {"quantity": 2} | {"qty": 1})

    class Strict(BaseModel):
        number: int

    report = await engine.replay(order(code).input(Strict), run.id)
    assert [(d.step, d.kind, d.key) for d in report.steps] == [("", "error", "input")]


async def test_all_runs_of_a_workflow_are_replayed(engine, code):
    """The newest first; only completed ones unless another status is asked for."""
    ids = [(await engine.execute(order(code), {"qty": n})).id for n in (0, 1, 2)]
    code.refuses = True
    failed = await engine.execute(order(code), {"qty": 9})
    code.refuses = False
    await engine.execute(create_workflow("other").step("a", lambda ctx: None))
    code.price = 4
    reports = await engine.replay_all(order(code))
    assert {r.run_id: r.ok for r in reports} == {ids[0]: True, ids[1]: False, ids[2]: False}
    assert len(await engine.replay_all(order(code), limit=2)) == 2
    code.refuses = True
    code.price = 3
    assert [(r.run_id, r.ok) for r in await engine.replay_all(order(code), status="failed")] == [
        (failed.id, True)
    ]
    assert len(await engine.replay_all(order(code), status=None)) == 4


async def test_mistakes_of_the_caller_are_raised(engine, code):
    """A run that is not there, and a workflow that is not the run's."""
    with pytest.raises(RunNotFoundError):
        await engine.replay(order(code), "none")
    run = await engine.execute(order(code), {"qty": 2})
    with pytest.raises(WorkflowMismatchError):
        await engine.replay(create_workflow("other").step("a", print), run.id)
