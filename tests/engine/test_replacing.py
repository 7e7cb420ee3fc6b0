"""A run that is put in the place of another one, in stores of every kind."""

import pytest
from msgspec.structs import replace

from flux_engine import FluxEngine, FluxSilentLogger, RunExistsError, create_workflow
from flux_engine.storage.replacing import put_run

FLOW = create_workflow("w").step("s", lambda ctx: "kept")


@pytest.fixture
async def engine(storage):
    """An engine with two runs, of which the second has an idempotency key."""
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as opened:
        await opened.execute(FLOW, run_id="r")
        await opened.execute(FLOW, run_id="other", idempotency_key="k")
        yield opened


async def test_a_run_takes_the_place_of_the_one_with_its_id(engine, storage):
    """Nothing of the old one is left."""
    record = replace(await storage.find("r"), error_summary="another one")
    await put_run(storage, record, [], overwrite=True)
    assert (await storage.find("r")).error_summary == "another one"
    assert await storage.journal("r") == []


async def test_a_run_that_cannot_be_put_there_takes_nothing_away(engine, storage):
    """As where another run has its idempotency key."""
    before = await storage.find("r"), await storage.journal("r")
    with pytest.raises(RunExistsError):
        await put_run(storage, replace(before[0], idempotency_key="k"), [], overwrite=True)
    assert (await storage.find("r"), await storage.journal("r")) == before
    assert (await engine.get("r")).history[0].output == "kept"
