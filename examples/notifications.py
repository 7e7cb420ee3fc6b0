"""Send one message over several channels: email, Slack and a webhook, then record what was sent.

Each channel is a commit of its own, so that a retry after a failure of one channel knows which of the
others have gone out already, and says so before it sends them again.

Try it::

    flux run examples/notifications.py:notification_flow
    flux run examples/notifications.py:notification_flow --input '{"channels": ["slack"]}'
"""

import asyncio
from enum import StrEnum

from pydantic import BaseModel, Field

from flux_engine import create_workflow


class Channel(StrEnum):
    """A way to reach somebody."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"


class Message(BaseModel):
    """What to say, to whom, and over which channels."""

    subject: str = "Deployment finished"
    body: str = "Version 2.4 is live."
    recipient: str = "team@example.com"
    channels: list[Channel] = Field(default=list(Channel), min_length=1)


def wants(channel):
    """Return the condition that a message is to go out over ``channel``."""
    return lambda ctx: channel in ctx.input.channels


def prepare(ctx):
    """Render the message once, for all channels."""
    ctx.data.text = f"{ctx.input.subject}\n\n{ctx.input.body}"
    ctx.data.wanted = [str(channel) for channel in ctx.input.channels]


async def email(ctx):
    """Send the mail."""
    await asyncio.sleep(0.4)
    print(f"mail to {ctx.input.recipient}: {ctx.input.subject}")
    ctx.data.email_id = f"mail-{ctx.id[:6]}"


async def slack(ctx):
    """Post to the channel."""
    await asyncio.sleep(0.3)
    print(f"#deployments: {ctx.input.subject}")
    ctx.data.slack_id = f"slack-{ctx.id[:6]}"


async def webhook(ctx):
    """Call the webhook; the key lets the receiver drop a repetition."""
    await asyncio.sleep(0.3)
    ctx.data.webhook_headers = {"Idempotency-Key": ctx.idempotency_key}


def record(ctx):
    """Keep what was sent, for whoever asks later."""
    sent = [name for name in ("email_id", "slack_id", "webhook_headers") if name in ctx.data]
    ctx.data.report = f"{len(sent)} of {len(ctx.data.wanted)} channels reached"


notification_flow = (
    create_workflow("notifications")
    .input(Message)
    .step("prepare", prepare)
    .commit("email", email, when=wants(Channel.EMAIL), retries=2)
    .commit("slack", slack, when=wants(Channel.SLACK), retries=2)
    .commit("webhook", webhook, when=wants(Channel.WEBHOOK), retries=2)
    .step("record", record)
)
