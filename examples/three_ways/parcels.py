"""A parcel on its way to a carrier: one workflow, run as it is on SQLite, PostgreSQL and Restate.

Nothing here says where it runs: that is in on_sqlite.py, on_postgres.py and on_restate.py. It has a bit of
everything: branches, two questions at the same time of which one fails at first and one is not answered in
time, a rest, an approval, a booking with an idempotency key, and compensations for a carrier that will not
take the parcel.
"""

import asyncio
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

from flux_engine import create_workflow, fixed, sleep, wait

SOON = fixed(0.02)
HEAVY = Decimal(20)


class Parcel(BaseModel):
    """What is to be sent, and how the carrier behaves."""

    parcel_id: str = "P-1"
    kilos: Decimal = Field(default=Decimal("2.5"), gt=0)
    abroad: bool = False
    patience: float = Field(default=3600.0, description="seconds that an approval is waited for")
    carrier: Literal["takes it", "refuses", "is late"] = "takes it"


def weigh(ctx):
    """A plain step: what it puts into the data keeps its type."""
    ctx.data.kilos = ctx.input.kilos
    return {"heavy": ctx.input.kilos > HEAVY}


def clear_customs(ctx):
    """One branch."""
    ctx.data.papers = ["declaration", "invoice"]


def sort_by_town(ctx):
    """The other one."""
    ctx.data.papers = []


async def ask_post(ctx):
    """Fails at first; what the failed attempt changed goes no further."""
    ctx.data.asked_post = ctx.attempt
    if ctx.attempt == 1:
        ctx.data.lost = "with the attempt"
        raise ConnectionError("the post office does not pick up")
    ctx.data.post = ctx.data.kilos * 3


async def ask_van(ctx):
    """Does not answer in time at first."""
    if ctx.attempt == 1:
        await asyncio.sleep(60)
    ctx.data.van = Decimal(9)


def choose(ctx):
    """Joins what the two have answered."""
    prices = {"post": ctx.data.post, "van": ctx.data.van + ctx.data.get("surcharge", 0)}
    ctx.data.carrier = min(prices, key=prices.__getitem__)
    return prices[ctx.data.carrier]


def rest(ctx):
    """A durable sleep: no process has to live for it."""
    ctx.logger.info("the glue of %s dries", ctx.input.parcel_id)
    return sleep(0.05)


def approve(ctx):
    """Heavy parcels wait for somebody: ``{"by": "ada"}``."""
    return wait("approval", timeout=ctx.input.patience)


async def book(ctx):
    """A commit: the carrier knows a booking that it has seen by its key."""
    ctx.data.booking = {"key": ctx.idempotency_key, "price": ctx.outputs["choose"]}
    return ctx.idempotency_key


def cancel_booking(ctx):
    """Take the booking back."""
    ctx.data.booking_cancelled = ctx.data.booking["key"]


def print_label(ctx):
    """Say what is on the parcel."""
    by = ctx.signals["approval"]["by"] if "approval" in ctx.signals else "nobody"
    ctx.data.label = f"{ctx.input.parcel_id} by {ctx.data.carrier}, approved by {by}"


def tear_off_label(ctx):
    """Take the label off again; the first try always fails."""
    if ctx.attempt == 1:
        raise OSError("it sticks")


async def hand_over(ctx):
    """Give it to the carrier."""
    if ctx.input.carrier == "refuses" and not ctx.data.get("bribe"):
        raise RuntimeError(f"{ctx.data.carrier} will not take {ctx.input.parcel_id}")
    if ctx.input.carrier == "is late":
        await asyncio.sleep(60)
    ctx.data.handed_over = True


parcel_flow = (
    create_workflow("parcel")
    .input(Parcel)
    .step("weigh", weigh)
    .step("customs", clear_customs, when=lambda ctx: ctx.input.abroad)
    .step("town", sort_by_town, when=lambda ctx: not ctx.input.abroad)
    .step("ask-post", ask_post, after=("customs", "town"), retries=2, backoff=SOON)
    .step("ask-van", ask_van, after=("customs", "town"), retries=1, backoff=SOON, timeout=0.25)
    .step("choose", choose, after=("ask-post", "ask-van"))
    .step("rest", rest)
    .step("approve", approve, when=lambda ctx: ctx.data.kilos > HEAVY, retries=0)
    .commit("book", book, compensate=cancel_booking)
    .step("label", print_label, compensate=tear_off_label, retries=1, backoff=SOON)
    .step("hand-over", hand_over, retries=1, backoff=SOON)
)
