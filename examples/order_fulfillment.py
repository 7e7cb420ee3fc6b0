"""Fulfil an order: validate it, take the payment, deduct the stock, ship, and tell the customer.

The workflow most programs start with, and most of what Flux offers in one place:

- plain functions and coroutines side by side: plain ones run in a worker thread;
- a step that is tried again with a growing pause, because payment gateways have bad moments;
- two commits: steps that change the world outside, and pass ``ctx.idempotency_key`` on so that the
  warehouse can tell a repetition from a second order;
- a step that runs only for some orders (``when``), and one written as a decorator.

Try it::

    flux run examples/order_fulfillment.py:order_flow
    flux run examples/order_fulfillment.py:order_flow --input '{"items": [{"sku": "mug", "quantity": 500}]}'
"""

import asyncio
import time
from decimal import Decimal

from pydantic import BaseModel, Field

from flux_engine import FatalError, create_workflow

PRICES = {"mug": Decimal("12.50"), "shirt": Decimal("24.00"), "poster": Decimal("9.90")}
STOCK = {"mug": 100, "shirt": 40, "poster": 200}
DEDUCTED: set[str] = set()


class OrderLine(BaseModel):
    """One article of an order."""

    sku: str
    quantity: int = Field(default=1, ge=1)


class Order(BaseModel):
    """What the shop sends when a customer presses *buy*."""

    order_id: str = "A-1001"
    customer: str = "ada@example.com"
    items: list[OrderLine] = [OrderLine(sku="mug", quantity=2), OrderLine(sku="poster")]
    express: bool = Field(default=False, description="Hand the parcel to the courier of the day.")


def validate(ctx):
    """Check the order against the catalogue, and work out what it costs."""
    time.sleep(0.2)
    unknown = [line.sku for line in ctx.input.items if line.sku not in PRICES]
    if unknown:
        raise FatalError(f"not in the catalogue: {', '.join(unknown)} (there is {', '.join(PRICES)})")
    short = [line.sku for line in ctx.input.items if line.quantity > STOCK[line.sku]]
    if short:
        raise FatalError(f"not enough in stock: {', '.join(short)}")
    ctx.data.total = sum(PRICES[line.sku] * line.quantity for line in ctx.input.items)


async def payment(ctx):
    """Charge the customer. The gateway is busy at the first attempt, as gateways are."""
    await asyncio.sleep(0.3)
    if ctx.attempt == 1:
        raise ConnectionError("payment gateway is busy, try again")
    ctx.data.payment_id = f"pay-{ctx.input.order_id}"
    print(f"charged {ctx.data.total} to {ctx.input.customer}")


async def deduct(ctx):
    """Take the articles from the stock, once for each idempotency key."""
    await asyncio.sleep(0.2)
    if ctx.idempotency_key not in DEDUCTED:
        for line in ctx.input.items:
            STOCK[line.sku] -= line.quantity
        DEDUCTED.add(ctx.idempotency_key)
    ctx.data.stock_left = {line.sku: STOCK[line.sku] for line in ctx.input.items}


async def book_courier(ctx):
    """Book the courier of the day, for express orders."""
    await asyncio.sleep(0.2)
    ctx.data.courier = "Swift & Sons"


async def ship(ctx):
    """Hand the parcel over and remember its tracking number."""
    await asyncio.sleep(0.3)
    ctx.data.tracking = f"TRK-{ctx.input.order_id}"
    return {"parcels": 1}


order_flow = (
    create_workflow("order-fulfillment")
    .input(Order)
    .step("validate", validate)
    .step("payment", payment, retries=2, timeout=5.0)
    .commit("deduct", deduct)
    .step("book-courier", book_courier, when=lambda ctx: ctx.input.express)
    .commit("ship", ship)
)


@order_flow.step("notify")
async def notify(ctx):
    """Tell the customer that the parcel is on its way."""
    await asyncio.sleep(0.2)
    ctx.logger.info(f"mail to {ctx.input.customer}: your parcel {ctx.data.tracking} is on its way")
    ctx.data.notified = True
