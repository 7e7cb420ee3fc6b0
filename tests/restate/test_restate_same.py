"""The same definition on one machine and on Restate: same results, same trace but for ids and times."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from flux_engine import FluxEngine, FluxSilentLogger, JsonFileTraceSink, create_workflow, fixed, sleep, wait

RUN = "the-run-on-both"
EXAMPLES = Path(__file__).parents[2] / "examples"
_TIMES = {"timestamp", "duration", "until"}


def example(module, workflow):
    """Return a workflow of the shipped examples."""
    spec = importlib.util.spec_from_file_location(f"restate_{module}", EXAMPLES / f"{module}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # where the classes of stored values are looked up
    spec.loader.exec_module(loaded)
    return getattr(loaded, workflow)


def told(events):
    """Return the events of a trace without their times."""
    return [_without(event) for event in events]


def _without(value):
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in _TIMES}
        return {key: _without(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without(item) for item in value]
    return value


def standing(run):
    """Return what a run came to, without its times."""
    return {
        "status": run.status,
        "data": repr(sorted(run.data.items())),
        "error": None if run.error is None else str(run.error),
        "steps": [
            f"{step.name} {step.status} {step.attempts} {step.output} {step.changes} {step.reason}"
            for step in run.history
        ],
    }


async def on_one_machine(flow, value, folder, signal=None):
    """Run a workflow with the engine; return where it stands, and its trace."""
    sink = JsonFileTraceSink(folder / "engine.ndjson")
    async with FluxEngine(trace=sink, logger=FluxSilentLogger(), default_retries=0) as engine:
        result = await engine.execute(flow, value, run_id=RUN)
        if signal is not None:
            await engine.signal(flow, result.id, *signal)
        run = await engine.get(result.id)
    lines = (folder / "engine.ndjson").read_text().splitlines()
    return standing(run), told([json.loads(line) for line in lines])


async def on_restate(services, flow, value, signal=None):
    """Run a workflow on Restate; return where it stands, and its trace."""
    await services.serve(flow)
    run_id = await services.client.start(flow.name, value, run_id=RUN)
    if signal is not None:
        await services.until(run_id, "suspended")
        await services.client.signal(run_id, *signal)
    run = await services.until(run_id, "completed", "failed")
    return standing(run), told(services.events())


def everything():
    """Return a workflow with a retry, a skipped step, a sleep, a wait, a commit and a failure behind them."""

    def flaky(ctx):
        ctx.data.tries = ctx.attempt
        if ctx.attempt == 1:
            raise ConnectionError("not yet")

    def fail(ctx):
        raise ValueError("the end")

    return (
        create_workflow("everything-on-both")
        .step("flaky", flaky, retries=1, backoff=fixed(0.01))
        .step("never", lambda ctx: None, when=lambda ctx: False)
        .step("nap", lambda ctx: sleep(0.05))
        .step("ask", lambda ctx: wait("answer"), compensate=lambda ctx: None)
        .commit(
            "paid", lambda ctx: {"key": ctx.idempotency_key.partition(":")[2]}, compensate=lambda ctx: None
        )
        .step("fail", fail)
    )


@pytest.mark.parametrize(
    ("module", "workflow", "value"),
    [
        ("order_fulfillment", "order_flow", {}),
        ("event_routing", "event_flow", {}),
        ("notifications", "notification_flow", {}),
    ],
)
async def test_an_example_comes_to_the_same(services, tmp_path, module, workflow, value):
    """The shipped examples, as they are."""
    engine = await on_one_machine(example(module, workflow), value, tmp_path)
    restate = await on_restate(services, example(module, workflow), value)
    assert restate[0] == engine[0]
    assert sorted(map(str, restate[1])) == sorted(map(str, engine[1]))


async def test_everything_at_once_comes_to_the_same(services, tmp_path):
    """Also in its order, event by event."""
    signal = ("answer", {"yes": True})
    engine = await on_one_machine(everything(), None, tmp_path, signal)
    restate = await on_restate(services, everything(), None, signal)
    assert restate[0] == engine[0]
    assert [event["type"] for event in restate[1]] == [event["type"] for event in engine[1]]
    assert restate[1] == engine[1]
