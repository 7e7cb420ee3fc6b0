"""The events of a run: enough to draw it from the trace alone."""

import json

import msgspec

from flux_engine import SQLiteStorage, create_workflow, fixed
from flux_engine.trace.events import encode_event


def lines(trace):
    """Return the events as they stand in a trace file."""
    return [json.loads(encode_event(event)) for event in trace.events]


async def failing(ctx):
    ctx.data.half = 1
    raise ConnectionError("gateway returned 502")


def example():
    """Return a workflow with every common kind of event."""
    return (
        create_workflow("order")
        .step("load", lambda ctx: ctx.data.update(order={"id": 7}) or {"rows": 1})
        .step("never", failing, when=lambda ctx: False)
        .commit("pay", failing, retries=1, backoff=fixed(2))
        .step("after", failing)
    )


async def test_a_failed_run_is_told_whole_and_closed(engine, trace):
    """Types in order, the fields of the format, and an end of the run itself."""
    result = await engine.execute(example(), {"who": "me"})
    events = lines(trace)
    assert [event["type"] for event in events] == [
        "workflow:start",
        "step:start",
        "step:complete",
        "step:skipped",
        "step:start",
        "step:retry",
        "step:start",
        "step:error",
        "workflow:error",
    ]
    assert all(event["workflowId"] == result.id and event["workflowName"] == "order" for event in events)
    start, load, loaded, skipped, pay, retry, again, error, end = events
    assert (start["status"], start["input"]) == ("running", {"who": "me"})
    assert [step["name"] for step in start["graph"]["steps"]] == ["load", "never", "pay", "after"]
    assert start["graph"]["edges"][0] == ["load", "never"]
    assert all(step["fingerprint"] for step in start["graph"]["steps"])
    assert (load["stepName"], load["stepIndex"], load["commit"], load["attempt"]) == ("load", 0, False, 1)
    assert loaded["changes"] == {"set": {"order": {"id": 7}}, "deleted": []}
    assert loaded["meta"]["output"] == {"rows": 1}
    assert loaded["duration"] >= 0
    assert (skipped["status"], skipped["meta"]["reason"]) == ("skipped", "when false")
    assert (pay["commit"], pay["retries"], pay["maxRetries"]) == (True, 0, 1)
    assert (retry["retries"], retry["maxRetries"], retry["meta"]["delay"]) == (1, 1, 2000)
    assert retry["changes"]["set"] == {"half": 1}
    assert again["attempt"] == 2
    assert error["error"] == "ConnectionError: gateway returned 502"
    assert error["meta"]["exception"]["frames"][-1]["function"] == "failing"
    assert (end["status"], end["error"]) == ("failed", error["error"])
    assert end["data"] == {"order": {"id": 7}}


async def test_a_retry_says_where_it_starts_and_what_runs_again(engine, trace):
    """So that a reader resets the right steps."""
    result = await engine.execute(example())
    trace.events.clear()
    await engine.retry_step(example(), result.id, "pay", data={"card": "new"})
    start = lines(trace)[0]
    assert start["type"] == "workflow:start"
    assert start["meta"] == {
        "retry": True,
        "fromStep": "pay",
        "scope": "downstream",
        "runsAgain": ["pay", "after"],
        "edit": {"set": {"card": "new"}, "deleted": []},
    }
    trace.events.clear()
    await engine.resume(example(), result.id)
    assert lines(trace)[0]["meta"] == {"resume": True, "fromStep": "pay"}


async def test_every_transition_is_stored_before_it_is_announced(make_engine, tmp_path):
    """Whoever hears of a step finds it in the store, from another connection."""
    path = tmp_path / "other.db"
    looking = SQLiteStorage(path)
    seen = []

    class Sink:
        async def emit(self, event):
            if event.step_name:
                entries = [e for e in await looking.journal(event.workflow_id) if e.step == event.step_name]
                seen.append((event.type, event.status, str(entries[-1].status)))

    engine = make_engine(storage=SQLiteStorage(path), trace=Sink())
    await engine.init()
    await looking.open()
    await engine.execute(create_workflow("w").step("a", lambda ctx: None).step("b", failing))
    await looking.close()
    assert seen == [
        ("step:start", "running", "running"),
        ("step:complete", "completed", "completed"),
        ("step:start", "running", "running"),
        ("step:error", "failed", "failed"),
    ]


async def test_logs_of_handlers_are_in_the_trace(engine, trace):
    """From the event loop and from worker threads, with step and attempt."""

    async def on_loop(ctx):
        ctx.logger.info("from the loop")

    def in_thread(ctx):
        ctx.logger.error("from a thread")

    await engine.execute(create_workflow("w").step("a", on_loop).step("b", in_thread))
    logs = [event for event in lines(trace) if event["type"] == "step:log"]
    assert [(log["stepName"], log["attempt"], log["meta"]) for log in logs] == [
        ("a", 1, {"stream": "info", "text": "from the loop"}),
        ("b", 1, {"stream": "error", "text": "from a thread"}),
    ]


def test_a_line_is_small():
    """Absent fields are left out."""
    from flux_engine import TraceEvent  # noqa: PLC0415

    line = encode_event(TraceEvent(type="x", timestamp=1, workflow_id="r", changes=msgspec.Raw(b"{}")))
    assert line == b'{"type":"x","timestamp":1,"workflowId":"r","changes":{}}\n'
