"""What can be called on a run while it moves, waits or has ended: signal, fork, cancel, state."""

from typing import Any

import msgspec
import restate
from msgspec import Struct
from restate.serde import BytesSerde

from flux_engine.arguments import as_edit
from flux_engine.codec import encode
from flux_engine.definition import WorkflowDefinition
from flux_engine.errors import FluxError, StepNotFoundError
from flux_engine.integrations.restate.durable_run import Delivery
from flux_engine.integrations.restate.kept_state import HEAD, ORIGIN, Head, Origin, read_head, read_state
from flux_engine.journal import Progress, stored_steps
from flux_engine.plan import copy_before, merged_steps
from flux_engine.storage.base import JournalEntry, RunRecord
from flux_engine.waiting import VERDICTS

FORK_HEADER = "x-flux-fork"
"""Set on the call that begins a fork: its body is what the run begins with, not its input."""

_BYTES = BytesSerde()


class Signal(Struct, frozen=True, kw_only=True):
    """The body of ``signal``."""

    name: str
    payload: Any = None


class Fork(Struct, frozen=True, kw_only=True):
    """The body of ``fork``."""

    step: str
    data: dict[str, Any] | None = None
    run_id: str | None = None


def add(service: restate.Workflow, definition: WorkflowDefinition[Any, Any]) -> None:
    """Add the handlers to a workflow's service. A caller hears what goes wrong: it is not retried long."""
    options: dict[str, Any] = {
        "accept": "*/*",
        "input_serde": _BYTES,
        "output_serde": _BYTES,
        "invocation_retry_policy": restate.InvocationRetryPolicy(max_attempts=3, on_max_attempts="kill"),
    }

    @service.handler("signal", **options, state_preload=False)
    async def signal(ctx: restate.WorkflowSharedContext, body: bytes) -> bytes:
        return await _signal(ctx, _read(body, Signal))

    @service.handler("fork", **options)
    async def fork(ctx: restate.WorkflowSharedContext, body: bytes) -> bytes:
        return await _fork(ctx, _read(body, Fork), definition, service.name)

    @service.handler("cancel", **options, state_preload=False)
    async def cancel(ctx: restate.WorkflowSharedContext, body: bytes) -> bytes:  # noqa: ARG001 - Restate gives one
        head = await _head(ctx)
        if head.status.ended:
            raise restate.TerminalError(f"Run {ctx.key()} is {head.status}: nothing to cancel.", 409)
        origin = msgspec.json.decode(await _kept(ctx, ORIGIN) or b"{}", type=Origin)
        ctx.cancel_invocation(origin.invocation)
        return b"{}"

    @service.handler("state", **options)
    async def state(ctx: restate.WorkflowSharedContext, body: bytes) -> bytes:  # noqa: ARG001 - as above
        record, entries = await _whole(ctx)
        return msgspec.json.encode({"record": record, "entries": entries})


async def _signal(ctx: Any, sent: Signal) -> bytes:
    head = await _head(ctx)
    waits = head.waits.get(sent.name)
    run_id = ctx.key()
    if head.status.ended or not head.waits:
        raise restate.TerminalError(
            f"Run {run_id} is {head.status} and waits for no signal; {sent.name!r} was not delivered.", 409
        )
    if waits is None:
        names = ", ".join(map(repr, head.waits))
        raise restate.TerminalError(f"Run {run_id} waits for signal {names}, not for {sent.name!r}.", 422)
    if waits.in_doubt and sent.payload not in VERDICTS:
        raise restate.TerminalError(
            f"Commit {sent.name!r} is in doubt: send 'done' when it was done, 'again' to run it again, "
            f"not {sent.payload!r}.",
            422,
        )
    at = await ctx.time()
    delivery = Delivery(payload=encode(sent.payload, root="payload"), at=at)
    try:
        await ctx.promise(waits.promise, serde=_BYTES).resolve(msgspec.json.encode(delivery))
    except restate.TerminalError as error:
        raise restate.TerminalError(f"Signal {sent.name!r} was sent to run {run_id} already.", 409) from error
    return b"{}"


async def _fork(ctx: Any, wanted: Fork, definition: WorkflowDefinition[Any, Any], service: str) -> bytes:
    record, entries = await _whole(ctx)
    now = await ctx.time()
    try:
        definition.step(wanted.step)
        edit = as_edit(definition, wanted.data)
    except StepNotFoundError as error:
        raise restate.TerminalError(str(error), 412) from error
    except FluxError as error:
        raise restate.TerminalError(str(error), 400) from error
    progress = Progress(merged_steps(definition, stored_steps(record)))
    for entry in entries:
        progress.add(entry)
    copied = copy_before(definition, progress, wanted.step, edit=edit, now=now)
    beginning = {
        "at": now,
        "input": record.input,
        "entries": copied,
        "meta": {"forkedFrom": record.id, "fromStep": wanted.step},
    }
    new_id = wanted.run_id or str(ctx.uuid())
    ctx.generic_send(
        service, "run", msgspec.json.encode(beginning), key=new_id, headers={FORK_HEADER: record.id}
    )
    return msgspec.json.encode({"run_id": new_id})


async def _kept(ctx: Any, key: str) -> bytes | None:
    found: bytes | None = await ctx.get(key, serde=_BYTES)
    return found


async def _head(ctx: Any) -> Head:
    text = await _kept(ctx, HEAD)
    if text is None:
        raise restate.TerminalError(f"There is no run {ctx.key()!r}, or it has not begun.", 410)
    return read_head(text.decode())


async def _whole(ctx: Any) -> tuple[RunRecord, list[JournalEntry]]:
    """Return the run as it stands."""
    state: dict[str, str] = {}
    for key in sorted(await ctx.state_keys()):
        state[key] = (await _kept(ctx, key) or b"").decode()
    found = read_state(ctx.key(), state)
    if found is None:
        raise restate.TerminalError(f"There is no run {ctx.key()!r}, or it has not begun.", 410)
    return found


def _read(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise restate.TerminalError(f"The body of this call is not as expected: {error}", 400) from error
