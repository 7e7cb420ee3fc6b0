"""Stopping a run between two attempts of a step: what is to be tried again has not failed."""

import asyncio

import pytest

from flux_engine import FluxEngine, FluxSilentLogger, MemoryStorage, create_workflow, sleep


@pytest.fixture
def storage():
    """Where the runs are kept."""
    return MemoryStorage()


@pytest.fixture
async def engine(storage):
    """An engine with the clock of the system: what would wait for it waits in vain."""
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        yield engine


class Flaky:
    """A step that fails until its third attempt, and whose first is held up until it may ``go``."""

    def __init__(self, *, backoff=600.0):
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        pauses = iter([backoff, 0.0, 0.0, 0.0])
        self.flow = (
            create_workflow("order")
            .step("pay", self.pay, retries=3, backoff=lambda _: next(pauses))
            .step("tell", lambda ctx: None)
        )

    async def pay(self, ctx):
        self.begun.set()
        await self.go.wait()
        if ctx.attempt < 3:
            raise ConnectionError("gateway returned 502")


async def rests(engine, run_id):
    """Wait until the first attempt has failed and the next one is waited for."""
    while not (engine._custody.in_hand(run_id) or [None])[0].resting:
        await asyncio.sleep(0)


async def test_a_run_that_is_paused_while_an_attempt_fails_is_paused(engine):
    """Its back-off is not waited out, and resume goes on with the step."""
    flaky = Flaky()
    running = asyncio.ensure_future(engine.execute(flaky.flow, run_id="r"))
    await flaky.begun.wait()
    pausing = asyncio.ensure_future(engine.pause("r"))
    await asyncio.sleep(0)
    flaky.go.set()
    assert (await pausing).status == "paused"
    result = await running
    assert (result.status, result.error) == ("paused", None)
    done = await engine.resume(flaky.flow, "r")
    assert [(step.status, step.attempts) for step in done.history] == [("completed", 3), ("completed", 1)]


async def test_a_run_that_is_paused_during_a_back_off_is_paused_at_once(engine):
    """Whoever waits for it is told so, and not that it was interrupted."""
    flaky = Flaky()
    flaky.go.set()
    running = asyncio.ensure_future(engine.execute(flaky.flow, run_id="r"))
    await flaky.begun.wait()
    await rests(engine, "r")
    assert (await engine.pause("r")).status == "paused"
    assert (await running).status == "paused"
    assert not (await engine.get("r")).interrupted
    assert (await engine.resume(flaky.flow, "r")).ok


async def test_a_run_that_is_paused_during_a_sleep_is_paused_at_once(engine):
    """The timer goes on meanwhile."""
    flow = create_workflow("nap").step("rest", lambda ctx: sleep(600)).step("tell", lambda ctx: None)
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    while engine._custody.in_hand("r") is None:
        await asyncio.sleep(0)
    await rests(engine, "r")
    state = await engine.pause("r")
    assert (state.status, state.step("rest").waits_for is not None) == ("paused", True)
    assert (await running).status == "paused"


async def test_a_run_that_is_handed_back_while_an_attempt_fails_goes_on_elsewhere(engine, storage):
    """So a worker that is told to stop at this moment does not end the run of its message as failed."""
    flaky = Flaky()
    running = asyncio.ensure_future(engine.execute(flaky.flow, idempotency_key="message-1"))
    await flaky.begun.wait()
    assert engine.hand_back(flaky.flow, "message-1")
    flaky.go.set()
    assert (await running).status == "running"
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as other:
        done = await other.execute(flaky.flow, idempotency_key="message-1")
    assert (done.status, done.history[0].attempts) == ("completed", 3)


async def test_an_engine_that_closes_while_an_attempt_fails_leaves_the_run_to_others(storage):
    """The end of the process is no failure of the step."""
    flaky = Flaky()
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        running = asyncio.ensure_future(engine.execute(flaky.flow, run_id="r"))
        await flaky.begun.wait()
        closing = asyncio.ensure_future(engine.close())
        await asyncio.sleep(0)
        flaky.go.set()
        await closing
        assert (await running).status == "running"
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as other:
        assert await other.recover([flaky.flow]) == ["r"]
        while (state := await other.get("r")).status == "running":
            await asyncio.sleep(0)
        assert state.status == "completed"


async def test_a_step_that_failed_for_good_fails_a_run_that_is_paused(engine):
    """The last attempt decides, whoever asked for what meanwhile."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def pay(_):
        begun.set()
        await go.wait()
        raise ConnectionError("gateway returned 502")

    flow = create_workflow("order").step("pay", pay, retries=0)
    running = asyncio.ensure_future(engine.execute(flow, run_id="r"))
    await begun.wait()
    pausing = asyncio.ensure_future(engine.pause("r"))
    await asyncio.sleep(0)
    go.set()
    assert (await pausing).status == "failed"
    assert (await running).status == "failed"
