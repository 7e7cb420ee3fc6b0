"""The Restate service of one workflow: what can be called on a run.

``run`` moves it; ``signal``, ``fork``, ``cancel`` and ``state`` may be called at any time.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import restate
from msgspec import Struct
from restate.serde import BytesSerde

from flux_engine.definition import WorkflowDefinition
from flux_engine.errors import InvalidInputError, UnknownTypeError
from flux_engine.execution import RunStatus
from flux_engine.integrations.restate import shared_handlers
from flux_engine.integrations.restate.actions import RETRY_AFTER, Actions, InvocationCancelledError
from flux_engine.integrations.restate.durable_clock import DurableClock
from flux_engine.integrations.restate.durable_run import DurableRun, Execution
from flux_engine.integrations.restate.once_told import Announcers, HeldAnnouncer
from flux_engine.integrations.restate.run_state import RunState
from flux_engine.integrations.restate.service_names import GRAPH, WORKFLOW, service_name
from flux_engine.journal import Progress
from flux_engine.ledger.books import as_object
from flux_engine.logger import FluxLogger
from flux_engine.plan import merged_steps
from flux_engine.running.services import Services
from flux_engine.storage.base import JournalEntry, RunRecord

_LONGEST = timedelta(days=1)
_BYTES = BytesSerde()


class Settings(Struct, frozen=True, kw_only=True):
    """What the workflows of an app have in common; ``restate_app`` documents it."""

    announcers: Announcers
    logger: FluxLogger
    default_retries: int
    default_timeout: float | None
    keep: timedelta
    inactivity_timeout: timedelta | None


class Beginning(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Restate keeps of the beginning of a run; ``refused`` is why there is none."""

    at: float
    input: str = "null"
    graph: str = ""
    entries: tuple[JournalEntry, ...] = ()
    meta: dict[str, Any] | None = None
    refused: str | None = None


def workflow_service(definition: WorkflowDefinition[Any, Any], settings: Settings) -> restate.Workflow:
    """Return the service of a workflow."""
    description = msgspec.json.encode(definition.describe()).decode()
    service = restate.Workflow(
        service_name(definition.name),
        description=f"Flux workflow {definition.name}: {', '.join(definition.names)}",
        metadata={WORKFLOW: definition.name, GRAPH: description},
        inactivity_timeout=settings.inactivity_timeout,
        abort_timeout=_longest_attempt(definition, settings),
        journal_retention=settings.keep,
        invocation_retry_policy=restate.InvocationRetryPolicy(
            initial_interval=timedelta(seconds=RETRY_AFTER), max_interval=timedelta(seconds=10)
        ),
    )

    @service.main(
        name="run",
        accept="*/*",
        input_serde=_BYTES,
        output_serde=_BYTES,
        workflow_retention=settings.keep,
        state_preload=False,
    )
    async def run(ctx: restate.WorkflowContext, body: bytes) -> bytes:
        return await _run(ctx, body, definition, settings)

    shared_handlers.add(service, definition)
    return service


async def _run(ctx: Any, body: bytes, definition: WorkflowDefinition[Any, Any], settings: Settings) -> bytes:
    """Move a run from its beginning to its end."""
    actions = Actions(ctx)
    beginning = await _begin(ctx, actions, body, definition)
    if beginning.refused is not None:
        raise restate.TerminalError(beginning.refused, 400)
    clock = DurableClock(actions)
    clock.advance(beginning.at)
    announcer = HeldAnnouncer(settings.announcers, actions)
    services = Services(
        storage=RunState(ctx),
        announcer=announcer,
        clock=clock,
        logger=settings.logger,
        default_retries=settings.default_retries,
        default_timeout=settings.default_timeout,
    )
    execution = Execution(
        services=services, actions=actions, clock=clock, announcer=announcer, definition=definition
    )
    record = RunRecord(
        id=ctx.key(),
        workflow=definition.name,
        status=RunStatus.PENDING,
        input=beginning.input,
        graph=beginning.graph,
        created_at=beginning.at,
        updated_at=beginning.at,
        fence=1,
    )
    moved = DurableRun(execution, record, Progress(merged_steps(definition, ())), is_new=True)
    moved.ledger.begin_with(beginning.entries)
    moved.start(beginning.meta)
    try:
        await moved.go()
        while moved.status is RunStatus.SUSPENDED:
            moved = await moved.woken()
            await moved.go()
    except InvocationCancelledError:
        await moved.cancel()
    return _result(moved)


async def _begin(
    ctx: Any, actions: Actions, body: bytes, definition: WorkflowDefinition[Any, Any]
) -> Beginning:
    """Check the input, or take over what a fork begins with, once in the life of the run."""

    async def begin() -> bytes:
        return msgspec.json.encode(_beginning(ctx.request().headers, body, definition))

    try:
        _, kept = await actions.first_of([actions.begin("begin", begin)])
    except InvocationCancelledError:
        return Beginning(at=0.0, refused="the run was cancelled before it began")
    return msgspec.json.decode(kept, type=Beginning)


def _beginning(headers: Any, body: bytes, definition: WorkflowDefinition[Any, Any]) -> Beginning:
    try:
        if headers.get(shared_handlers.FORK_HEADER):
            forked = msgspec.json.decode(body, type=Beginning)
            definition.decode_input(forked.input)
            return msgspec.structs.replace(forked, at=time.time(), graph=definition.graph_json)
        value = msgspec.json.decode(body) if body.strip() else None
        text = definition.encode_input(definition.validate_input(value))
        definition.decode_input(text)
    except (InvalidInputError, UnknownTypeError) as error:
        return Beginning(at=time.time(), refused=str(error))
    except msgspec.MsgspecError as error:
        return Beginning(at=time.time(), refused=f"The input of {definition.name!r} is not JSON: {error}")
    return Beginning(at=time.time(), input=text, graph=definition.graph_json)


def _result(run: DurableRun) -> bytes:
    """Return what a caller of ``run`` is given; raise what fails one that did not complete."""
    if run.status is RunStatus.COMPLETED:
        data = as_object(run.progress.texts())
        return f'{{"id":{_text(run.id)},"status":"completed","data":{data}}}'.encode()
    if run.status is RunStatus.CANCELLED:
        raise restate.TerminalError("the run was cancelled", 409)
    raise restate.TerminalError(str(run.ledger.error or f"the run is {run.status}"), 500)


def _text(value: str) -> str:
    return msgspec.json.encode(value).decode()


def _longest_attempt(definition: WorkflowDefinition[Any, Any], settings: Settings) -> timedelta:
    """Return how long Restate lets an attempt be: longer than Flux does."""
    limits: Sequence[float | None] = [
        step.timeout if isinstance(step.timeout, int | float | None) else settings.default_timeout
        for step in definition.steps
    ]
    if any(limit is None for limit in limits):
        return _LONGEST
    return timedelta(seconds=max(limit or 0.0 for limit in limits) + 60.0)
