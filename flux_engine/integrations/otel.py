"""Runs as traces of OpenTelemetry.

    from flux_engine.integrations.otel import OpenTelemetrySink

    engine = FluxEngine(trace=OpenTelemetrySink())

A run is a span, a child of the span that is current where the run was started. Its steps are children of
it, and attempts are events of those. In a handler the span of its step is current, so that what the handler
calls is traced below it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec

from flux_engine.secrets import registered
from flux_engine.trace.events import EventType, TraceEvent

try:
    from opentelemetry import context as otel_context
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, Status, StatusCode, Tracer
    from opentelemetry.util.types import AttributeValue
except ImportError as error:  # pragma: no cover - the tests have it
    raise ImportError(
        "flux_engine.integrations.otel needs the package opentelemetry-api: pip install 'flux-tui[otel]'"
    ) from error

MOST_OPEN: Final = 10_000
"""Runs whose end was never told, as when the store failed, are dropped beyond this many."""

REMEMBERED: Final = 1_000
"""Runs to whose spans those of a retry or a resume are linked, the latest ones."""

Attributes = dict[str, AttributeValue]


class OpenTelemetrySink:
    """A trace sink that makes spans.

    Args:
        tracer: by default that of the global provider, named ``flux_engine``.
        logs: make what handlers log events of their step's span.

    Each pass of a run (its start, a resume, a retry) is a span ``run WORKFLOW``, linked to the one before if
    this sink made it, and in its trace unless another span is current. A step is a span ``step NAME``. Input,
    data and outputs stay out of it; errors have registered secrets masked.
    """

    def __init__(self, tracer: Tracer | None = None, *, logs: bool = False) -> None:
        self._tracer = tracer or trace.get_tracer("flux_engine")
        self._logs = logs
        self._open: OrderedDict[str, _RunSpans] = OrderedDict()
        self._before: OrderedDict[str, SpanContext] = OrderedDict()

    def emit(self, event: TraceEvent) -> None:
        """Take one event. Events of unknown types, or of runs that are not open, change nothing."""
        if event.type == EventType.WORKFLOW_START:
            self._start(event)
            return
        run = self._open.get(event.workflow_id)
        if run is None:
            return
        if event.type in _ENDS:
            del self._open[event.workflow_id]
            run.end(event)
        elif event.type in _STEPS and event.step_name is not None:
            _STEPS[event.type](run, event, event.step_name)
        elif event.type == EventType.STEP_LOG and self._logs:
            run.log(event)

    def close(self) -> None:
        """End the spans that are still open, as interrupted."""
        while self._open:
            self._open.popitem(last=False)[1].abandon()

    def _start(self, event: TraceEvent) -> None:
        left = self._open.pop(event.workflow_id, None)
        if left is not None:
            left.abandon()
        before = self._before.pop(event.workflow_id, None)
        parent = otel_context.get_current()
        if before is not None and not trace.get_current_span(parent).get_span_context().is_valid:
            parent = trace.set_span_in_context(NonRecordingSpan(before), parent)
        span = self._tracer.start_span(
            f"run {event.workflow_name}",
            context=parent,
            attributes=_run_attributes(event),
            links=[] if before is None else [Link(before)],
            start_time=_nanoseconds(event),
        )
        self._open[event.workflow_id] = run = _RunSpans(self._tracer, span, _nanoseconds(event))
        _make_current(run.context)
        self._before[event.workflow_id] = span.get_span_context()
        if len(self._before) > REMEMBERED:
            self._before.popitem(last=False)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)[1].abandon()


class _RunSpans:
    """The span of one pass of a run and the open spans of its steps.

    A run, and each of the steps that run beside another, has an asyncio task of its own. That is why its
    context can be made the current one there and stay so: it ends with the task.
    """

    def __init__(self, tracer: Tracer, span: Span, began: int) -> None:
        self._tracer = tracer
        self._span = span
        self._steps: dict[str, Span] = {}
        self._waiting: set[str] = set()
        self._began = self._latest = began
        self.context: Context = trace.set_span_in_context(span)

    def start_step(self, event: TraceEvent, name: str) -> None:
        span = self._going(f"step {name}", name, event)
        span.add_event("attempt", {"flux.attempt": event.attempt or 1}, self._time(event))
        _make_current(trace.set_span_in_context(span))

    def retry_step(self, event: TraceEvent, name: str) -> None:
        span = self._going(f"step {name}", name, event)
        more: Attributes = {"flux.attempt": event.attempt or 1}
        delay = _meta(event).get("delay")
        if isinstance(delay, int | float):
            more["flux.retry.delay_seconds"] = delay / 1000
        span.add_event("exception", _exception(event) | more, self._time(event))

    def suspend_step(self, event: TraceEvent, name: str) -> None:
        if (span := self._steps.get(name)) is not None:
            meta = _meta(event)
            signal = meta.get("signal")
            span.add_event("suspended", {} if signal is None else {"flux.signal": signal}, self._time(event))
            self._waiting.add(name)

    def receive_signal(self, event: TraceEvent, name: str) -> None:
        signal = _meta(event).get("signal")
        self._span.add_event(
            "signal received",
            {"flux.step.name": name, "flux.signal": str(signal)},
            self._time(event),
        )

    def skip_step(self, event: TraceEvent, name: str) -> None:
        reason = _meta(event).get("reason")
        self._span.add_event(
            "step skipped",
            {"flux.step.name": name, "flux.step.reason": registered.mask(str(reason or ""))},
            self._time(event),
        )

    def end_step(self, event: TraceEvent, name: str) -> None:
        span = self._ending(f"step {name}", name, event)
        span.set_attribute("flux.step.status", str(event.status or event.type.rpartition(":")[2]))
        if event.attempt is not None:
            span.set_attribute("flux.step.attempts", event.attempt)
        if event.type == EventType.STEP_ERROR:
            span.add_event("exception", _exception(event), self._time(event))
            span.set_status(Status(StatusCode.ERROR, registered.mask(event.error or "")))
        self._close(span, self._time(event))

    def compensate_step(self, event: TraceEvent, name: str) -> None:
        key = f"compensate {name}"
        if event.status == "running":
            span = self._going(key, key, event)
            span.add_event("attempt", {"flux.attempt": event.attempt or 1}, self._time(event))
            _make_current(trace.set_span_in_context(span))
            return
        span = self._ending(key, key, event)
        span.set_attribute("flux.step.status", str(event.status))
        if event.error is not None:
            span.add_event("exception", _exception(event), self._time(event))
            span.set_status(Status(StatusCode.ERROR, registered.mask(event.error)))
        self._close(span, self._time(event))

    def log(self, event: TraceEvent) -> None:
        span = self._steps.get(event.step_name or "", self._span)
        meta = _meta(event)
        attributes: Attributes = {
            "flux.log.stream": str(meta.get("stream")),
            "flux.log.text": registered.mask(str(meta.get("text"))),
        }
        span.add_event("log", attributes, self._time(event))

    def end(self, event: TraceEvent) -> None:
        time = self._time(event)
        self._end_steps(time)
        status = "interrupted" if _meta(event).get("interrupted") else str(event.status or "")
        self._span.set_attribute("flux.run.status", status or event.type.rpartition(":")[2])
        if event.type == EventType.WORKFLOW_ERROR:
            self._span.set_status(Status(StatusCode.ERROR, registered.mask(event.error or "")))
        self._span.end(time)

    def abandon(self) -> None:
        self._end_steps(self._latest)
        self._span.set_attribute("flux.run.status", "interrupted")
        self._span.end(self._latest)

    def _end_steps(self, time: int) -> None:
        for name, span in self._steps.items():
            span.set_attribute("flux.step.status", "suspended" if name in self._waiting else "interrupted")
            span.end(time)
        self._steps.clear()

    def _going(self, title: str, key: str, event: TraceEvent) -> Span:
        """Return the span that is open under ``key``; open it if there is none."""
        if key not in self._steps:
            self._steps[key] = self._open(title, event, self._time(event))
        return self._steps[key]

    def _ending(self, title: str, key: str, event: TraceEvent) -> Span:
        """Take the span that is open under ``key``.

        One whose start was not told, as of a step that waited since an earlier pass, began as long ago as
        the event says, within this pass.
        """
        self._waiting.discard(key)
        if key in self._steps:
            return self._steps.pop(key)
        lasted = int((event.duration or 0) * 1_000_000)
        return self._open(title, event, max(self._began, self._time(event) - lasted))

    def _open(self, title: str, event: TraceEvent, time: int) -> Span:
        attributes: Attributes = {"flux.step.name": event.step_name or ""}
        if event.step_index is not None:
            attributes["flux.step.index"] = event.step_index
        if event.commit is not None:
            attributes["flux.step.commit"] = event.commit
        return self._tracer.start_span(title, context=self.context, attributes=attributes, start_time=time)

    def _close(self, span: Span, time: int) -> None:
        span.end(time)
        if trace.get_current_span() is span:
            _make_current(self.context)

    def _time(self, event: TraceEvent) -> int:
        """Return when an event happened; never before the one before it, whatever the clock did."""
        self._latest = max(self._latest, _nanoseconds(event))
        return self._latest


_ENDS: Final = frozenset(
    {
        EventType.WORKFLOW_COMPLETE,
        EventType.WORKFLOW_ERROR,
        EventType.WORKFLOW_SUSPEND,
        EventType.WORKFLOW_PAUSE,
        EventType.WORKFLOW_CANCEL,
        EventType.WORKFLOW_DELETE,
    }
)

_STEPS: Final[dict[str, Callable[[_RunSpans, TraceEvent, str], None]]] = {
    EventType.STEP_START: _RunSpans.start_step,
    EventType.STEP_RETRY: _RunSpans.retry_step,
    EventType.STEP_COMPLETE: _RunSpans.end_step,
    EventType.STEP_ERROR: _RunSpans.end_step,
    EventType.STEP_SKIPPED: _RunSpans.skip_step,
    EventType.STEP_SUSPEND: _RunSpans.suspend_step,
    EventType.STEP_COMPENSATE: _RunSpans.compensate_step,
    EventType.SIGNAL_RECEIVED: _RunSpans.receive_signal,
}


def _make_current(context: Context) -> None:
    """Have what the task does next traced in this context. Events from outside of a task change nothing."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return
    if task is not None:
        otel_context.attach(context)


def _run_attributes(event: TraceEvent) -> Attributes:
    meta = _meta(event)
    names = (name for name in ("retry", "resume") if meta.get(name))
    kind = next(names, "fork" if meta.get("forkedFrom") else "start")
    attributes: Attributes = {
        "flux.workflow.name": event.workflow_name,
        "flux.run.id": event.workflow_id,
        "flux.run.pass": kind,
    }
    for key, name in (("fromStep", "flux.run.from_step"), ("forkedFrom", "flux.run.forked_from")):
        if isinstance(value := meta.get(key), str):
            attributes[name] = value
    return attributes


def _meta(event: TraceEvent) -> dict[str, Any]:
    return event.meta if isinstance(event.meta, dict) else {}


def _exception(event: TraceEvent) -> Attributes:
    """Return the error of an event by the names of the semantic conventions."""
    error = msgspec.to_builtins(_meta(event).get("exception")) or {}
    kind, _, message = (event.error or "").partition(": ")
    return {
        "exception.type": str(error.get("type", kind)),
        "exception.message": registered.mask(str(error.get("message", message))),
        "exception.stacktrace": registered.mask(str(error.get("text", ""))),
    }


def _nanoseconds(event: TraceEvent) -> int:
    return int(event.timestamp * 1_000_000)
