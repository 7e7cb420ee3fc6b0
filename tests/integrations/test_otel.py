"""Runs as traces of OpenTelemetry, read back from the SDK's own exporter."""

import asyncio
import importlib
import sys

import msgspec
import pytest

pytest.importorskip("opentelemetry.sdk")
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from flux_engine import (
    FluxEngine,
    MemoryStorage,
    MultiTraceSink,
    TraceEvent,
    create_workflow,
    none,
    register_secret,
    sleep,
    wait,
)
from flux_engine.integrations import otel
from flux_engine.integrations.otel import OpenTelemetrySink
from flux_engine.secrets import registered
from flux_engine.testing import ManualClock, RecordingTraceSink


class Spans:
    """The spans that were exported."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")

    @property
    def all(self):
        return self.exporter.get_finished_spans()

    def names(self):
        return [span.name for span in self.all]

    def one(self, name):
        (found,) = [span for span in self.all if span.name == name]
        return found


@pytest.fixture
def spans():
    return Spans()


@pytest.fixture
def engine(spans):
    return FluxEngine(
        storage=MemoryStorage(),
        trace=OpenTelemetrySink(spans.tracer),
        default_retries=0,
        clock=ManualClock(auto=True),
    )


def is_child(span, parent):
    same = span.context.trace_id == parent.context.trace_id
    return span.parent is not None and span.parent.span_id == parent.context.span_id and same


async def nothing(ctx):
    pass


async def test_a_run_is_a_span_and_its_steps_are_children(spans, engine):
    """With names, ids and statuses as attributes, and none of the data."""
    flow = (
        create_workflow("order")
        .step("fetch", lambda ctx: ctx.data.update(card="4111"))
        .commit("charge", nothing)
        .step("thank", nothing, when=lambda ctx: False)
    )
    await engine.execute(flow, {"card": "4111"}, run_id="run-1")
    run = spans.one("run order")
    assert run.parent is None
    assert dict(run.attributes) == {
        "flux.workflow.name": "order", "flux.run.id": "run-1", "flux.run.pass": "start",
        "flux.run.status": "completed",
    }  # fmt: skip
    assert run.status.status_code is StatusCode.UNSET
    charge = spans.one("step charge")
    assert is_child(spans.one("step fetch"), run)
    assert is_child(charge, run)
    assert dict(charge.attributes) == {
        "flux.step.name": "charge", "flux.step.index": 1, "flux.step.commit": True,
        "flux.step.status": "completed", "flux.step.attempts": 1,
    }  # fmt: skip
    assert [(event.name, event.attributes["flux.step.name"]) for event in run.events] == [
        ("step skipped", "thank")
    ]
    assert "4111" not in "".join(span.to_json() for span in spans.all)


async def test_a_run_is_a_child_of_the_span_in_which_it_was_started(spans, engine):
    """The caller's context is passed on, and left as it was."""
    flow = create_workflow("order").step("fetch", nothing)
    with spans.tracer.start_as_current_span("POST /orders") as caller:
        await engine.execute(flow)
        assert trace.get_current_span() is caller
    assert is_child(spans.one("run order"), spans.one("POST /orders"))


async def test_what_a_handler_calls_is_traced_below_its_step(spans, engine):
    """In async handlers, in plain ones, in conditions between them, and in runs that a handler starts."""

    async def call(ctx):
        with spans.tracer.start_as_current_span("GET /price"):
            await asyncio.sleep(0)

    def query(ctx):
        with spans.tracer.start_as_current_span("SELECT"):
            pass

    async def check(ctx):
        with spans.tracer.start_as_current_span("check"):
            return True

    async def delegate(ctx):
        await engine.execute(inner)

    inner = create_workflow("inner").step("one", nothing)
    flow = (
        create_workflow("outer")
        .step("call", call)
        .step("query", query, when=check)
        .step("delegate", delegate)
    )
    await engine.execute(flow)
    assert is_child(spans.one("GET /price"), spans.one("step call"))
    assert is_child(spans.one("SELECT"), spans.one("step query"))
    assert is_child(spans.one("run inner"), spans.one("step delegate"))
    assert is_child(spans.one("check"), spans.one("run outer"))


async def test_steps_that_run_at_the_same_time_have_spans_side_by_side(spans, engine):
    """Each handler sees its own."""
    both = asyncio.Barrier(2)

    def handler(name):
        async def handle(ctx):
            await both.wait()
            with spans.tracer.start_as_current_span(f"inside {name}"):
                await both.wait()

        return handle

    flow = (
        create_workflow("fan")
        .step("a", handler("a"), after=())
        .step("b", handler("b"), after=())
        .step("join", nothing, after=("a", "b"))
    )
    await engine.execute(flow)
    for name in ("a", "b"):
        assert is_child(spans.one(f"inside {name}"), spans.one(f"step {name}"))
        assert is_child(spans.one(f"step {name}"), spans.one("run fan"))
    assert is_child(spans.one("step join"), spans.one("run fan"))


async def test_attempts_are_events_of_their_step_and_errors_are_recorded(spans, engine):
    """Each failed attempt with its exception; registered secrets are masked."""

    async def charge(ctx):
        raise ConnectionError(f"gateway refused key sk-live-{ctx.attempt}")

    flow = create_workflow("pay").step("charge", charge, retries=1)
    register_secret("sk-live-2")
    try:
        await engine.execute(flow)
    finally:
        registered.forget()
    step, run = spans.one("step charge"), spans.one("run pay")
    assert [event.name for event in step.events] == ["attempt", "exception", "attempt", "exception"]
    first, last = step.events[1].attributes, step.events[3].attributes
    assert (first["exception.type"], first["flux.attempt"]) == ("ConnectionError", 1)
    assert first["flux.retry.delay_seconds"] == 1
    assert first["exception.message"] == "gateway refused key sk-live-1"
    assert "Traceback" in first["exception.stacktrace"]
    assert "sk-live-2" not in step.to_json() + run.to_json()
    assert last["exception.message"].endswith("••••••••")
    assert (step.status.status_code, run.status.status_code) == (StatusCode.ERROR, StatusCode.ERROR)
    assert run.status.description.startswith("ConnectionError: gateway refused")
    assert run.attributes["flux.run.status"] == "failed"


async def test_times_are_those_of_the_events(spans):
    """Also in the back-off between attempts; a step lies within its run."""
    clock = ManualClock(auto=True)
    engine = FluxEngine(trace=OpenTelemetrySink(spans.tracer), clock=clock)
    flow = create_workflow("nap").step("nap", lambda ctx: sleep(90))
    began = clock.now()
    await engine.execute(flow)
    step, run = spans.one("step nap"), spans.one("run nap")
    assert step.start_time == run.start_time == int(began * 1e9)
    assert step.end_time - step.start_time == 90_000_000_000
    assert [event.name for event in step.events] == ["attempt", "suspended"]
    assert step.attributes["flux.step.status"] == "completed"


async def test_a_suspended_run_ends_its_span_and_the_next_pass_is_linked(spans):
    """In the same trace, when nothing else is current; otherwise below what is."""
    clock = ManualClock(auto=True)
    engine = FluxEngine(trace=OpenTelemetrySink(spans.tracer), clock=clock)

    async def ask(ctx):
        return wait("approval")

    flow = create_workflow("claim").step("ask", ask).step("pay", nothing)
    await engine.execute(flow, run_id="c")
    first = spans.one("run claim")
    assert first.attributes["flux.run.status"] == "suspended"
    assert spans.one("step ask").attributes["flux.step.status"] == "suspended"
    assert first.status.status_code is StatusCode.UNSET
    spans.exporter.clear()
    clock.advance(3600)
    await engine.signal(flow, "c", "approval", {"ok": True})
    second = spans.one("run claim")
    assert second.attributes["flux.run.pass"] == "resume"
    assert [link.context for link in second.links] == [first.context]
    assert second.context.trace_id == first.context.trace_id
    assert [event.name for event in second.events] == ["signal received"]
    assert spans.one("step ask").start_time >= second.start_time
    assert is_child(spans.one("step pay"), second)
    spans.exporter.clear()
    with spans.tracer.start_as_current_span("POST /retry"):
        await engine.retry_step(flow, "c", "pay")
    third = spans.one("run claim")
    assert is_child(third, spans.one("POST /retry"))
    assert [link.context for link in third.links] == [second.context]
    assert (third.attributes["flux.run.pass"], third.attributes["flux.run.from_step"]) == ("retry", "pay")


async def test_compensation_has_spans_of_its_own(spans, engine):
    """Below the run, after the failure."""

    async def explode(ctx):
        raise ValueError("no")

    flow = (
        create_workflow("trip").step("book", nothing, compensate=nothing).step("pay", explode, backoff=none())
    )
    await engine.execute(flow)
    undone = spans.one("compensate book")
    assert is_child(undone, spans.one("run trip"))
    assert undone.attributes["flux.step.status"] == "compensated"


async def test_logs_are_events_when_that_is_asked_for(spans):
    """Masked like errors."""

    async def talk(ctx):
        ctx.logger.info("token abcd-efgh")

    flow = create_workflow("talk").step("talk", talk)
    register_secret("abcd-efgh")
    try:
        for logs in (False, True):
            await FluxEngine(trace=OpenTelemetrySink(spans.tracer, logs=logs)).execute(flow)
    finally:
        registered.forget()
    silent, told = [span for span in spans.all if span.name == "step talk"]
    assert [event.name for event in silent.events] == ["attempt"]
    assert told.events[1].attributes["flux.log.text"] == "token ••••••••"


async def test_a_run_that_is_let_go_ends_its_spans(spans):
    """With ``close``, as interrupted; the next engine's pass is linked when it has the same sink."""
    sink, storage, begun = OpenTelemetrySink(spans.tracer), MemoryStorage(), asyncio.Event()
    hold = [True]

    async def stand(ctx):
        begun.set()
        if hold:
            await asyncio.Event().wait()

    flow = create_workflow("long").step("stand", stand)
    engine = FluxEngine(storage=storage, trace=sink, stop_grace=0)
    task = asyncio.ensure_future(engine.execute(flow, run_id="l"))
    await begun.wait()
    await engine.close()
    await task
    first = spans.one("run long")
    assert first.attributes["flux.run.status"] == "interrupted"
    assert spans.one("step stand").attributes["flux.step.status"] == "interrupted"
    hold.clear()
    spans.exporter.clear()
    await FluxEngine(storage=storage, trace=sink).resume(flow, "l")
    assert [link.context for link in spans.one("run long").links] == [first.context]


# Events as they may come


def event(kind, run="r", at=1000, **fields):
    return TraceEvent(type=kind, timestamp=at, workflow_id=run, workflow_name="w", **fields)


def test_events_in_a_bad_order_break_nothing(spans):
    """What cannot belong anywhere is dropped; every span that is opened is ended, once."""
    sink = OpenTelemetrySink(spans.tracer, logs=True)
    for stray in ("step:start", "step:complete", "step:log", "workflow:complete", "moon:landing", ""):
        sink.emit(event(stray, step_name="s"))
    assert spans.all == ()
    sink.emit(event("workflow:start", at=2000, meta=msgspec.Raw(b"{}")))
    sink.emit(event("step:complete", step_name="unstarted", at=3000, duration=500.0))
    sink.emit(event("step:start", step_name="twice", at=2500))
    sink.emit(event("step:start", step_name="twice", at=2600, attempt=2))
    sink.emit(event("step:error", step_name="odd", error="ValueError: x"))
    sink.emit(event("step:start"))
    sink.emit(event("step:log", step_name="nobody"))
    sink.emit(event("step:compensate", step_name="odd", status="failed", error="E"))
    sink.emit(event("moon:landing", step_name="twice"))
    sink.emit(event("workflow:start", at=4000))
    sink.emit(event("workflow:complete", at=5000))
    sink.emit(event("workflow:complete", at=6000))
    sink.emit(event("step:log", step_name="late"))
    assert not trace.get_current_span().get_span_context().is_valid
    assert sorted(spans.names()) == [
        "compensate odd", "run w", "run w", "step odd", "step twice", "step unstarted",
    ]  # fmt: skip
    assert spans.one("step unstarted").start_time == 2_500_000_000
    assert all(span.end_time >= span.start_time for span in spans.all)
    assert spans.one("step odd").events[0].attributes["exception.type"] == "ValueError"


def test_what_is_read_from_elsewhere_is_masked_too(spans):
    """As the events of a trace that was written before the secret was registered."""
    sink = OpenTelemetrySink(spans.tracer)
    exception = {"type": "E", "message": "key abcd-efgh", "text": "Traceback: abcd-efgh"}
    register_secret("abcd-efgh")
    try:
        sink.emit(event("workflow:start"))
        sink.emit(event("step:start", step_name="s"))
        sink.emit(event("step:retry", step_name="s", error="E: abcd-efgh", meta={"exception": exception}))
        sink.emit(event("step:error", step_name="s", error="E: abcd-efgh", meta={"exception": exception}))
        sink.emit(event("workflow:error", error="E: abcd-efgh"))
    finally:
        registered.forget()
    assert len(spans.all) == 2
    assert "abcd-efgh" not in "".join(span.to_json() for span in spans.all)


def test_memory_does_not_grow_with_runs(spans, monkeypatch):
    """Neither with those that ended nor with those whose end was never told."""
    monkeypatch.setattr(otel, "REMEMBERED", 10)
    monkeypatch.setattr(otel, "MOST_OPEN", 20)
    sink = OpenTelemetrySink(spans.tracer)
    for number in range(100):
        sink.emit(event("workflow:start", run=f"ended-{number}"))
        sink.emit(event("step:start", run=f"ended-{number}", step_name="s"))
        sink.emit(event("workflow:complete", run=f"ended-{number}"))
    assert (len(sink._open), len(sink._before)) == (0, 10)
    for number in range(100):
        sink.emit(event("workflow:start", run=f"lost-{number}"))
    assert (len(sink._open), len(sink._before)) == (20, 10)
    sink.close()
    assert len(sink._open) == 0
    assert spans.names().count("run w") == 200


async def test_it_works_beside_other_sinks_and_by_the_global_provider():
    """Without a provider it costs next to nothing and makes nothing."""
    recording = RecordingTraceSink()
    engine = FluxEngine(trace=MultiTraceSink(recording, OpenTelemetrySink()))
    result = await engine.execute(create_workflow("w").step("s", nothing))
    assert result.ok
    assert recording.types()[-1] == "workflow:complete"
    assert engine.problems == {}


def test_the_missing_package_is_named(monkeypatch):
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "flux_engine.integrations.otel")
    with pytest.raises(ImportError, match=r"pip install 'flux-tui\[otel\]'"):
        importlib.import_module("flux_engine.integrations.otel")
