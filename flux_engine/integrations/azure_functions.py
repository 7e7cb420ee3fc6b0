"""Workflows as functions of Azure: over HTTP, and for messages of a storage queue or of Service Bus.

import azure.functions as func
from flux_engine.integrations.azure_functions import http_function

app = func.FunctionApp()
answer = http_function(make_engine, [order_flow])

@app.route(route="orders", methods=["POST"])
async def orders(req: func.HttpRequest) -> func.HttpResponse:
    return await answer(req)
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from flux_engine.arguments import Workflow
from flux_engine.integrations.answers import Answer, RefusedError
from flux_engine.integrations.engine_thread import EngineSource
from flux_engine.integrations.reception import Reception
from flux_engine.integrations.requests import MAX_BYTES, RunRequest

try:
    import azure.functions as func
except ImportError as error:  # pragma: no cover - the tests have it
    raise ImportError(
        "flux_engine.integrations.azure_functions needs the package azure-functions: "
        "pip install 'flux-tui[azure-functions]'"
    ) from error


class Message(Protocol):
    """What is used of a message of a storage queue (``QueueMessage``) or of Service Bus."""

    def get_body(self) -> bytes:
        """Return the body."""
        ...


def http_function(
    engine: EngineSource,
    workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
    *,
    seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
    failure_status: int = 200,
    include_data: bool = False,
) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    """Return an async function of HTTP requests that runs these workflows.

    Args:
        engine: a function that makes the engine, called with the first request; or an engine.
        workflows: what may be run.
        seconds: when to hand back a run that is not done: some less than ``functionTimeout`` in host.json.
        max_bytes: larger bodies are refused.
        failure_status: the HTTP status for a run that failed; see ``Reception``.
        include_data: answer with the data of the run too.

    The header ``Idempotency-Key`` makes a request safe to repeat.
    """
    reception = Reception(
        engine, workflows, max_bytes=max_bytes, failure_status=failure_status, include_data=include_data
    )

    async def function(req: func.HttpRequest) -> func.HttpResponse:
        """Answer one request."""
        key = req.headers.get("Idempotency-Key")
        return _response(await reception.answer_async(req.get_body(), key=key, seconds=seconds))

    return function


def http_function_sync(
    engine: EngineSource,
    workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
    *,
    seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
    failure_status: int = 200,
    include_data: bool = False,
) -> Callable[[func.HttpRequest], func.HttpResponse]:
    """Return what ``http_function`` does for a plain function, which Azure calls in a thread."""
    reception = Reception(
        engine, workflows, max_bytes=max_bytes, failure_status=failure_status, include_data=include_data
    )

    def function(req: func.HttpRequest) -> func.HttpResponse:
        """Answer one request."""
        key = req.headers.get("Idempotency-Key")
        return _response(reception.answer(req.get_body(), key=key, seconds=seconds))

    return function


def queue_function(
    engine: EngineSource,
    workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
    *,
    seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> Callable[[Message], Awaitable[None]]:
    """Return an async function of queue messages that runs what they ask for.

    The arguments are those of ``http_function``. The id of a message is its idempotency key, unless its body
    has one. It returns when the run is stored and has ended or waits, and Azure deletes the message;
    otherwise it raises ``RefusedError``, and Azure delivers it again, at last to the poison queue.
    """
    reception = Reception(engine, workflows, max_bytes=max_bytes)

    async def function(msg: Message) -> None:
        """Take one message."""
        request = _request_of(reception, msg)
        _check(await asyncio.wrap_future(reception.begin(request, seconds=seconds)))

    return function


def queue_function_sync(
    engine: EngineSource,
    workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
    *,
    seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> Callable[[Message], None]:
    """Return what ``queue_function`` does for a plain function, which Azure calls in a thread."""
    reception = Reception(engine, workflows, max_bytes=max_bytes)

    def function(msg: Message) -> None:
        """Take one message."""
        _check(reception.begin(_request_of(reception, msg), seconds=seconds).result())

    return function


def _request_of(reception: Reception, message: Message) -> RunRequest:
    name = getattr(message, "id", None) or getattr(message, "message_id", None)
    return reception.read(message.get_body(), default_key=name)


def _check(answer: Answer) -> None:
    if not answer.settled:
        raise RefusedError(answer)


def _response(answer: Answer) -> func.HttpResponse:
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
    return func.HttpResponse(
        answer.text(), status_code=answer.code, headers=headers, mimetype="application/json"
    )
