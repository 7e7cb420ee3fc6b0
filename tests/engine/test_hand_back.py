"""A run is handed back at a step boundary, and gone on with under the same idempotency key."""

import asyncio

from flux_engine import RunStatus, create_workflow, sleep


class Log:
    """What the handlers did, and a gate in the first step."""

    def __init__(self):
        self.steps: list[str] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()

    async def first(self, ctx):
        self.steps.append("first")
        self.begun.set()
        await self.gate.wait()

    def second(self, ctx):
        self.steps.append("second")

    def flow(self):
        return create_workflow("two").step("first", self.first).step("second", self.second)


async def test_a_run_handed_back_ends_its_step_and_begins_no_other(engine):
    """Who awaits it is told that it still runs; in the store it is in nobody's hands."""
    log = Log()
    run = asyncio.create_task(engine.execute(log.flow(), idempotency_key="k"))
    await log.begun.wait()
    assert engine.hand_back(log.flow(), "k")
    log.gate.set()
    result = await run
    assert result.status is RunStatus.RUNNING
    assert log.steps == ["first"]
    assert (await engine.get(result.id)).interrupted


async def test_a_run_handed_back_is_gone_on_with_elsewhere(make_engine):
    """Another engine, asked with the same key, runs only the steps that are left."""
    log = Log()
    first, second = make_engine(), make_engine()
    run = asyncio.create_task(first.execute(log.flow(), idempotency_key="k"))
    await log.begun.wait()
    first.hand_back(log.flow(), "k")
    log.gate.set()
    handed_back = await run
    ended = await second.execute(log.flow(), idempotency_key="k")
    assert (ended.id, ended.status) == (handed_back.id, "completed")
    assert log.steps == ["first", "second"]


async def test_a_run_that_only_waits_is_handed_back_at_once(make_engine):
    """A durable sleep is left in its middle; the store knows when it ends."""
    clock_that_stands = make_engine(clock=None)
    flow = create_workflow("nap").step("nap", lambda ctx: sleep(3600))
    run = asyncio.create_task(clock_that_stands.execute(flow, idempotency_key="k"))
    while not clock_that_stands.hand_back(flow, "k"):
        await asyncio.sleep(0)
    result = await asyncio.wait_for(run, 10)
    assert result.status is RunStatus.RUNNING


async def test_only_a_run_in_hand_is_handed_back(engine):
    """An unknown key, or a run that has ended, is told as not in hand."""
    flow = create_workflow("quick").step("step", lambda ctx: None)
    assert not engine.hand_back(flow, "k")
    await engine.execute(flow, idempotency_key="k")
    assert not engine.hand_back(flow, "k")
