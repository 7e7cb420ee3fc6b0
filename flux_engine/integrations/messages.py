"""From a message of a broker to a run, and from its outcome to what becomes of the message.

What the adapters for brokers share. Nothing here waits or acts: a message is read into a job, and the run
that came of it decides whether the message is acknowledged, put aside as a dead letter, or tried again.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from inspect import isawaitable
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from flux_engine.arguments import Workflow, as_definition
from flux_engine.builder import WorkflowBuilder
from flux_engine.data import is_text
from flux_engine.definition import WorkflowDefinition
from flux_engine.errors import FluxError, InvalidInputError, OwnershipLostError, RunBusyError, StorageError
from flux_engine.execution import RunStatus
from flux_engine.integrations.answers import RefusedError
from flux_engine.integrations.requests import Catalogue
from flux_engine.result import FluxResult
from flux_engine.secrets import registered

MAX_BYTES = 1024 * 1024
Workflows = Workflow[Any, Any] | Iterable[Workflow[Any, Any]] | Mapping[str, Workflow[Any, Any]]
OnFailure = Literal["ack", "dead-letter"]

_LONGEST_DETAIL = 1000
_REASONS = {404: "unknown-workflow", 413: "too-large"}


class Message(Struct, frozen=True, kw_only=True):
    """A message as every broker has it.

    ``source`` is the topic or queue. ``key`` identifies the message over all its deliveries; ``None`` when
    the broker does not give it an identity. ``raw`` is what the client library delivered.
    """

    body: bytes
    source: str
    key: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    raw: Any = None


class Job(Struct, frozen=True, kw_only=True):
    """What a message asks for: a run of the workflow with this name, once for each key.

    ``idempotency_key`` ``None`` stands for the identity of the message.
    """

    workflow: str
    input: Any = None
    idempotency_key: str | None = None


Route = Callable[[Message], Job | Awaitable[Job]]
"""A function of the user's own that reads a message. What it raises makes the message a dead letter."""


class Verdict(StrEnum):
    """What becomes of a message.

    ``IDENTIFY``: it has no identity yet, and must be given one before it is run.
    """

    ACKNOWLEDGE = "acknowledge"
    DEAD_LETTER = "dead-letter"
    AGAIN = "again"
    IDENTIFY = "identify"


class Decision(Struct, frozen=True, kw_only=True):
    """A verdict and why: ``reason`` is a word for programs, ``detail`` a sentence for people.

    ``run_id`` is the run, when there is one. ``of_storage`` says that other messages would fare no better.
    """

    verdict: Verdict
    reason: str
    detail: str = ""
    run_id: str | None = None
    of_storage: bool = False

    def headers(self) -> dict[str, str]:
        """Return what a dead letter says about why it is one."""
        told = {"flux-reason": self.reason, "flux-detail": registered.mask(self.detail)[:_LONGEST_DETAIL]}
        return told if self.run_id is None else told | {"flux-run": self.run_id}


class UnreadableMessageError(FluxError):
    """A message that no run can come of. ``reason`` says why in a word."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


class MessageReader:
    """Reads messages into jobs.

    ``workflows`` are either several of which each message names one, or a mapping from topic or queue to
    the workflow that its messages are the input of. Raises ``ValueError`` for none or an ambiguous name.
    """

    def __init__(
        self,
        workflows: Workflows,
        *,
        route: Route | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if isinstance(workflows, WorkflowBuilder | WorkflowDefinition):
            workflows = (workflows,)
        bound: Mapping[str, Workflow[Any, Any]] = workflows if isinstance(workflows, Mapping) else {}
        if bound and route is not None:
            raise ValueError("workflows= maps topics to workflows already: leave out route=, or give a list")
        self._bound = {source: as_definition(workflow).name for source, workflow in bound.items()}
        self._by_name = _by_name(bound.values() if isinstance(workflows, Mapping) else workflows)
        self._catalogue = Catalogue(self._by_name.values())
        self._route = route
        self._max_bytes = max_bytes

    @property
    def sources(self) -> tuple[str, ...]:
        """The topics or queues that are bound to a workflow."""
        return tuple(self._bound)

    def definition(self, job: Job) -> WorkflowDefinition[Any, Any]:
        """Return the workflow of a job. Raises ``UnreadableMessageError``."""
        found = self._by_name.get(job.workflow)
        if found is None:
            known = ", ".join(map(repr, sorted(self._by_name)))
            raise UnreadableMessageError(
                "unknown-workflow", f"there is no workflow {job.workflow!r:.100} here; there is {known}"
            )
        return found

    async def read(self, message: Message) -> Job:
        """Return what a message asks for, with a key unless the message has none.

        Raises ``UnreadableMessageError``.
        """
        size = len(message.body)
        if size > self._max_bytes:
            detail = f"the message has {size:,} bytes, more than the {self._max_bytes:,} that are taken"
            raise UnreadableMessageError("too-large", detail)
        job = await self._job(message)
        key = job.idempotency_key
        if key is not None and not _is_key(key):
            raise UnreadableMessageError("malformed", f"{key!r:.100} cannot be an idempotency key")
        return msgspec.structs.replace(job, idempotency_key=message.key if key is None else key)

    async def _job(self, message: Message) -> Job:
        if self._route is not None:
            return await _routed(self._route, message)
        value = _decoded(message.body)
        if self._bound:
            workflow = self._bound.get(message.source)
            if workflow is None:
                bound = ", ".join(self._bound)
                raise UnreadableMessageError(
                    "unknown-workflow", f"no workflow is bound to {message.source!r}, only to {bound}"
                )
            return Job(workflow=workflow, input=value)
        try:
            request = self._catalogue.request_of(value)
        except RefusedError as error:
            reason = _REASONS.get(error.answer.code, "malformed")
            raise UnreadableMessageError(reason, str(error.answer.body["error"])) from error
        return Job(
            workflow=request.workflow.name, input=request.input, idempotency_key=request.idempotency_key
        )


def _by_name(workflows: Iterable[Workflow[Any, Any]]) -> dict[str, WorkflowDefinition[Any, Any]]:
    found: dict[str, WorkflowDefinition[Any, Any]] = {}
    for workflow in workflows:
        definition = as_definition(workflow)
        other = found.setdefault(definition.name, definition)
        if other is not definition and other.graph_json != definition.graph_json:
            raise ValueError(f"two of the workflows are named {definition.name!r}: rename one of them")
    return found


def _is_key(key: object) -> bool:
    return isinstance(key, str) and bool(key.strip()) and is_text(key) and "\0" not in key


async def _routed(route: Route, message: Message) -> Job:
    try:
        made = route(message)
        job = await made if isawaitable(made) else made
    except UnreadableMessageError:
        raise
    except Exception as error:
        detail = f"route() raised {type(error).__qualname__}: {error}"
        raise UnreadableMessageError("malformed", detail) from error
    if not isinstance(job, Job):
        raise UnreadableMessageError("malformed", f"route() returned {job!r:.100}, not a Job")
    return job


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise UnreadableMessageError("malformed", f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableMessageError("malformed", "the body is nested too deeply") from error


def decide(result: FluxResult[Any], on_failure: OnFailure) -> Decision:
    """Return what becomes of a message whose run stands as ``result`` says."""
    status = result.status
    if status in (RunStatus.RUNNING, RunStatus.PENDING):
        detail = f"run {result.id} is {status}, in other hands or just handed back"
        return Decision(verdict=Verdict.AGAIN, reason="busy", detail=detail, run_id=result.id)
    if status is RunStatus.FAILED and on_failure == "dead-letter":
        detail = "the run failed" if result.error is None else str(result.error)
        return Decision(verdict=Verdict.DEAD_LETTER, reason="failed", detail=detail, run_id=result.id)
    return Decision(verdict=Verdict.ACKNOWLEDGE, reason=str(status), run_id=result.id)


def decide_error(error: Exception) -> Decision:
    """Return what becomes of a message that no run came of, or whose run could not be gone on with.

    What may pass (a store that fails, a run in other hands) is tried again; the message is kept meanwhile.
    """
    detail = f"{type(error).__qualname__}: {error}"
    if isinstance(error, UnreadableMessageError):
        return Decision(verdict=Verdict.DEAD_LETTER, reason=error.reason, detail=str(error))
    if isinstance(error, InvalidInputError):
        return Decision(verdict=Verdict.DEAD_LETTER, reason="invalid-input", detail=str(error))
    if isinstance(error, RunBusyError | OwnershipLostError):
        return Decision(verdict=Verdict.AGAIN, reason="busy", detail=detail)
    if isinstance(error, FluxError | RecursionError) and not isinstance(error, StorageError):
        return Decision(verdict=Verdict.DEAD_LETTER, reason="refused", detail=detail)
    return Decision(verdict=Verdict.AGAIN, reason="storage", detail=detail, of_storage=True)
