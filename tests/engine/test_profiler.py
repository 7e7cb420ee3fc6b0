"""The profiler: what steps cost, and what bounds them."""

import asyncio
import threading
import time
import tracemalloc

import pytest

from flux_engine import FluxEngine, FluxError, MemoryStorage, create_workflow, sleep
from flux_engine import profiler as rules
from flux_engine.profiler import profile, profile_sync

MIB = 2**20


def compute(seconds):
    """Keep this thread busy for so much CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(200))


def by_name(found):
    return {step.name: step for step in found.steps}


async def test_steps_that_wait_and_steps_that_compute_are_told_apart():
    """On the loop and in threads, by the CPU time of their own thread."""

    async def fetch(ctx):
        await asyncio.sleep(0.03)
        ctx.data.n = 1

    def read(ctx):
        time.sleep(0.03)

    async def reckon(ctx):
        compute(0.03)

    def crunch(ctx):
        compute(0.03)

    flow = create_workflow("mixed").step("fetch", fetch).step("read", read)
    flow.step("reckon", reckon).step("crunch", crunch).step("never", crunch, when=lambda ctx: ctx.data.n == 2)
    found = await profile(flow)
    steps = by_name(found)
    assert [steps["fetch"].kind, steps["read"].kind, steps["never"].kind] == ["io", "io", None]
    assert [step.calls for step in found.steps] == [1, 1, 1, 1, 0]
    for name in ("fetch", "read"):
        assert steps[name].wall >= 0.025 > steps[name].cpu
    for name in ("reckon", "crunch"):
        assert steps[name].cpu >= 0.025
        # On a busy machine a thread that computes waits as well, for its turn.
        assert steps[name].kind == rules.bound_by(steps[name].wall, steps[name].cpu, 0)
    assert (found.workflow, found.runs, found.status, found.error) == ("mixed", 1, "completed", None)
    assert found.wall >= sum(step.wall for step in found.steps) * 0.99
    assert found.cpu >= 0.05


async def test_a_step_does_not_count_what_others_compute_while_it_waits():
    """Each has the CPU time of its own steps of the event loop."""
    computed = asyncio.Event()

    async def waits(ctx):
        await computed.wait()

    async def computes(ctx):
        compute(0.05)
        computed.set()

    flow = create_workflow("both").step("waits", waits, after=()).step("computes", computes, after=())
    steps = by_name(await profile(flow))
    assert steps["waits"].cpu < 0.02
    assert steps["computes"].cpu >= 0.05
    assert steps["waits"].kind == "io"


async def test_the_memory_of_a_step_is_its_greatest_growth():
    """Also when it lets go of it before it ends; what came before does not count."""
    kept = []

    async def keeps(ctx):
        kept.append(bytearray(5 * MIB))

    def peaks(ctx):
        bytearray(80 * MIB)

    async def small(ctx):
        ctx.data.n = 1

    flow = create_workflow("memory").step("keeps", keeps).step("peaks", peaks).step("small", small)
    found = await profile(flow)
    steps = by_name(found)
    assert 5 * MIB <= steps["keeps"].memory < 6 * MIB
    assert 80 * MIB <= steps["peaks"].memory < 81 * MIB
    assert steps["small"].memory < MIB
    assert (steps["peaks"].kind, found.kind, found.memory) == ("memory", "memory", steps["peaks"].memory)
    assert not tracemalloc.is_tracing()


async def test_with_several_runs_the_first_measures_memory_and_the_others_time():
    """So that measuring memory does not spoil the times; calls count them all."""
    tracing = []

    async def look(ctx):
        tracing.append(tracemalloc.is_tracing())
        await asyncio.sleep(0.5 if len(tracing) == 1 else 0)

    found = await profile(create_workflow("look").step("look", look), runs=3)
    assert tracing == [True, False, False]
    assert (found.runs, found.steps[0].calls) == (3, 3)
    assert found.steps[0].wall < 0.1
    assert found.wall < 0.15


async def test_a_failing_run_is_the_last_one():
    """The profile has what ran, and says what happened; the default is not to retry."""
    calls = []

    async def breaks(ctx):
        calls.append(ctx.attempt)
        raise ValueError("no")

    found = await profile(create_workflow("breaks").step("a", breaks).step("b", breaks), runs=3)
    assert (found.status, found.error, found.runs, calls) == ("failed", "ValueError: no", 1, [1])
    assert [step.calls for step in found.steps] == [1, 0]


async def test_an_engine_that_is_given_makes_the_runs():
    """With its retries, without back-off, and in its store."""
    engine = FluxEngine(storage=MemoryStorage(), default_retries=2)
    attempts = []

    def flaky(ctx):
        attempts.append(threading.current_thread().name)
        if ctx.attempt < 3:
            raise ConnectionError

    async with engine, asyncio.timeout(20):
        flow = create_workflow("flaky").step("flaky", flaky).step("rest", lambda ctx: sleep(3600))
        found = await profile(flow, engine=engine)
        assert (found.status, found.steps[0].calls) == ("completed", 3)
        assert len(await engine.list()) == 1
    assert "MainThread" not in attempts, "plain functions run in a thread, as ever"


async def test_what_a_handler_sees_and_returns_is_as_without_a_profile():
    """Inputs, outputs, cancellation by time-outs, functions that return awaitables."""
    seen = []

    async def hangs(ctx):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def later(ctx):
        await asyncio.sleep(0)
        return ctx.input + 1

    async def last(ctx):
        seen.append(ctx.outputs["later"])

    flow = create_workflow("flow").step("later", lambda ctx: later(ctx)).step("last", last)  # noqa: PLW0108
    found = await profile(flow.step("hangs", hangs, timeout=0.01), 1)
    assert seen == [2, "cancelled"]
    assert found.error.startswith("StepTimeoutError")
    assert [step.calls for step in found.steps] == [1, 1, 1]


def test_the_table_names_every_step():
    """With its calls, times, memory and what bounds it."""

    def crunch(ctx):
        compute(0.01)

    text = str(
        profile_sync(
            create_workflow("small").step("crunch", crunch).step("skip", crunch, when=lambda _: False)
        )
    )
    head, titles, *rows = text.splitlines()
    assert head.startswith("small: completed; suggested concurrency ")
    assert titles.split() == ["step", "calls", "wall", "cpu", "memory", "bound", "by"]
    assert [row.split()[0] for row in rows] == ["crunch", "skip", "a"]
    assert rows[0].split()[-1] in {"cpu", "io"}
    assert rows[1].split()[-1] == "-"


@pytest.mark.parametrize(
    ("wall", "cpu", "memory", "kind", "runs"),
    [
        (1.0, 0.05, 0, "io", 20),
        (1.0, 0.0, 0, "io", rules.MOST_RUNS),
        (1.0, 0.001, 0, "io", rules.MOST_RUNS),
        (1.0, 0.5, 0, "cpu", 8),
        (1.0, 0.99, 0, "cpu", 8),
        (1.0, 0.05, 1024 * MIB, "memory", 2),
        (1.0, 0.99, 256 * MIB, "memory", 8),
        (1.0, 0.05, 64 * 1024 * MIB, "memory", 1),
    ],
)
def test_the_rules(wall, cpu, memory, kind, runs):
    """On a machine with 8 cores and 4 GiB."""
    assert rules.bound_by(wall, cpu, memory) == kind
    assert rules.suggest_concurrency(wall, cpu, memory, cores=8, physical=4096 * MIB) == runs


async def test_mistakes_are_told():
    """A number of runs that is none, and profile_sync in an event loop."""
    flow = create_workflow("flow").step("a", lambda ctx: None)
    for runs in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="runs"):
            await profile(flow, runs=runs)
    with pytest.raises(FluxError, match="await profile"):
        profile_sync(flow)
