"""Route an event: classify it, handle it in the branch it belongs to, and tell somebody.

Adjacent steps with a ``when`` are branches: the dashboard draws them side by side between the step
before and the step after. Those whose condition is false are skipped, and the run goes on after them.

Try it::

    flux run examples/event_routing.py:event_flow
    flux run examples/event_routing.py:event_flow --input '{"kind": "login.failed", "payload": {"ip": "::1"}}'
"""

import asyncio
from typing import Any

from pydantic import BaseModel, Field

from flux_engine import create_workflow

ROUTES = {"order": "sales", "invoice": "sales", "login": "security", "password": "security"}


class Event(BaseModel):
    """Something that happened elsewhere, as a webhook would deliver it."""

    kind: str = Field(
        default="order.created", description="A dotted name; the part before the dot routes it."
    )
    payload: dict[str, Any] = {"order_id": "A-1001"}


async def classify(ctx):
    """Find the team that the event belongs to."""
    await asyncio.sleep(0.3)
    topic = ctx.input.kind.partition(".")[0]
    ctx.data.route = ROUTES.get(topic, "other")
    return ctx.data.route


async def sales(ctx):
    """Put the order or invoice into the books."""
    await asyncio.sleep(0.3)
    ctx.data.summary = f"booked {ctx.input.kind} {ctx.input.payload}"


async def security(ctx):
    """Rate the risk of what happened."""
    await asyncio.sleep(0.4)
    ctx.data.risk = "high" if ctx.input.kind.endswith(".failed") else "low"
    ctx.data.summary = f"{ctx.data.risk} risk: {ctx.input.kind}"


async def archive(ctx):
    """Keep what no team asked for."""
    await asyncio.sleep(0.2)
    ctx.data.summary = f"archived {ctx.input.kind}"


async def notify(ctx):
    """Tell the team what was done."""
    await asyncio.sleep(0.2)
    print(f"to {ctx.data.route}: {ctx.data.summary}")


event_flow = (
    create_workflow("event-routing")
    .input(Event)
    .step("classify", classify)
    .step("sales", sales, when=lambda ctx: ctx.data.route == "sales")
    .step("security", security, when=lambda ctx: ctx.data.route == "security")
    .step("archive", archive, when=lambda ctx: ctx.data.route == "other")
    .commit("notify", notify)
)
