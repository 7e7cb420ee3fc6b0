"""Runs on a real Restate server: what a workflow means there is what it means on one machine."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import BaseModel

from flux_engine import FatalError, create_workflow, fixed, sleep, wait


class Order(BaseModel):
    order_id: str
    amount: Decimal = Decimal("1.50")


async def test_a_chain_of_steps_completes_with_typed_data(services, name):
    """Input, data and outputs keep value and type from one step to the next."""

    async def fetch(ctx):
        ctx.data.order = ctx.input
        ctx.data.at = datetime(2026, 1, 2, tzinfo=UTC)
        return {"found": ctx.input.order_id}

    def price(ctx):
        assert ctx.data.order == Order(order_id="7")
        assert isinstance(ctx.data.order.amount, Decimal)
        ctx.data.total = ctx.data.order.amount * 2
        ctx.data.key = ctx.idempotency_key

    flow = create_workflow(name).input(Order).step("fetch", fetch).commit("price", price)
    await services.serve(flow)
    run = await services.execute(name, {"order_id": "7"}, run_id=f"{name}-1")
    assert run.status == "completed"
    assert run.data["total"] == Decimal("3.00")
    assert run.data["key"] == f"{name}-1:price"
    assert run.step("fetch").output == {"found": "7"}
    assert services.kinds(run.id) == [
        ("workflow:start", None),
        ("step:start", "fetch"),
        ("step:complete", "fetch"),
        ("step:start", "price"),
        ("step:complete", "price"),
        ("workflow:complete", None),
    ]
