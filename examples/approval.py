"""An expense that somebody has to approve: the run waits for a signal, and goes on when it comes.

The manager is told, then the run is suspended: it costs nothing while it waits, and a restart does not
harm it. The signal's payload says how it was decided. After three days without one the step fails. Should
the booking fail after the money was sent, ``take_back`` is called for the payment.

Try it::

    flux run examples/approval.py:expense_flow
    flux runs signal ID approval --payload '{"approved": true, "by": "grace"}'

In the dashboard: run it with ``r``, send the signal with ``s``.
"""

import asyncio
from decimal import Decimal

from pydantic import BaseModel, Field

from flux_engine import create_workflow, wait

THREE_DAYS = 3 * 24 * 3600.0


class Expense(BaseModel):
    """What was spent, by whom, and who decides about it."""

    employee: str = "ada"
    manager: str = "grace"
    purpose: str = "Conference ticket"
    amount: Decimal = Field(default=Decimal("420.00"), gt=0)


class Decision(BaseModel):
    """The payload of the signal."""

    approved: bool
    by: str = "unknown"


async def notify(ctx):
    """Tell the manager that there is something to decide."""
    await asyncio.sleep(0.3)
    print(f"to {ctx.input.manager}: {ctx.input.employee} asks for {ctx.input.amount} ({ctx.input.purpose})")


def ask(ctx):
    """Wait for the decision: {"approved": true} or false, and who made it as "by"."""
    ctx.data.asked = ctx.input.manager
    return wait("approval", timeout=THREE_DAYS)


def decide(ctx):
    """Check what came with the signal, and keep it."""
    decision = Decision.model_validate(ctx.outputs["approval"])
    ctx.data.approved = decision.approved
    ctx.data.decided_by = decision.by


def is_approved(ctx):
    """Whether the expense is paid."""
    return ctx.data.approved


def is_declined(ctx):
    """Whether the expense is not paid."""
    return not ctx.data.approved


async def pay(ctx):
    """Send the money; the key keeps the bank from sending it twice."""
    await asyncio.sleep(0.4)
    ctx.data.transfer = f"transfer-{ctx.idempotency_key[:8]}"


async def take_back(ctx):
    """Recall the money, because a later step failed."""
    print(f"{ctx.data.transfer} is recalled")


def decline(ctx):
    """Say no."""
    print(f"to {ctx.input.employee}: {ctx.data.decided_by} has declined {ctx.input.purpose}")


def book(ctx):
    """Enter the outcome in the books."""
    ctx.data.booked = f"{ctx.input.amount} {'paid' if ctx.data.approved else 'declined'}"


expense_flow = (
    create_workflow("expense-approval")
    .input(Expense)
    .commit("notify", notify, retries=2)
    .step("approval", ask)
    .step("decide", decide)
    .commit("pay", pay, when=is_approved, compensate=take_back)
    .step("decline", decline, when=is_declined)
    .step("book", book)
)
