"""Looking up a run by its idempotency key."""

from flux_engine import create_workflow


async def test_a_run_is_found_by_its_key(engine):
    """Within its workflow; a key that nobody used finds nothing."""
    flow = create_workflow("order").step("one", lambda ctx: 1)
    result = await engine.execute(flow, idempotency_key="A-1")
    found = await engine.find("order", "A-1")
    assert found == await engine.get(result.id)
    assert await engine.find("order", "A-2") is None
    assert await engine.find("refund", "A-1") is None
