"""A payment that fails the first time: the place to try a retry by hand.

The step states ``retries=0``, so the first attempt fails the run. Attempts are counted over the whole
life of a run, so that the second one, made by a retry, goes through: the order reserved by the first
step is still there, and only the failed step and those after it run again.

Try it::

    flux run examples/flaky_payment.py:flaky_payment_flow
    flux runs retry ID

In the dashboard: run it with ``r``, look at the error, retry the failed step with ``t``.
"""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import BaseModel, Field

from flux_engine import create_workflow


class PaymentRequest(BaseModel):
    """Who pays what."""

    customer: str = "ada@example.com"
    amount: Decimal = Field(default=Decimal("42.00"), gt=0)


async def reserve(ctx):
    """Reserve the goods, so that nobody else buys them meanwhile."""
    await asyncio.sleep(0.3)
    ctx.data.reserved_at = datetime.now(UTC)
    ctx.data.reservation = "RES-7"


async def charge(ctx):
    """Charge the customer; the gateway is down when it is first asked."""
    await asyncio.sleep(0.3)
    print(f"attempt {ctx.attempt}: charging {ctx.input.amount}")
    if ctx.attempt == 1:
        raise ConnectionError("gateway returned 502")
    ctx.data.payment_id = f"pay-{ctx.data.reservation}"


async def receipt(ctx):
    """Send the receipt."""
    await asyncio.sleep(0.2)
    ctx.data.receipt = f"{ctx.input.amount} paid by {ctx.input.customer} ({ctx.data.payment_id})"


flaky_payment_flow = (
    create_workflow("flaky-payment")
    .input(PaymentRequest)
    .step("reserve", reserve)
    .step("charge", charge, retries=0)
    .commit("receipt", receipt)
)
