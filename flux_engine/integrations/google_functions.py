"""Workflows as functions of Google Cloud: over HTTP, and for messages of Pub/Sub.

import functions_framework
from flux_engine.integrations.google_functions import http_function

answer = http_function(make_engine, [order_flow])

@functions_framework.http
def orders(request):
    return answer(request)
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from flux_engine.arguments import Workflow
from flux_engine.integrations.answers import Answer, RefusedError, refusal
from flux_engine.integrations.engine_thread import EngineSource
from flux_engine.integrations.reception import Reception
from flux_engine.integrations.requests import MAX_BYTES, check_size

if TYPE_CHECKING:
    import flask

Response = tuple[str, int, dict[str, str]]
"""Body, status and headers, as Flask takes them."""


class Event(Protocol):
    """What is used of a CloudEvent."""

    data: Any


def http_function(
    engine: EngineSource,
    workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
    *,
    seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
    failure_status: int = 200,
    include_data: bool = False,
) -> "Callable[[flask.Request], Response]":
    """Return a function of HTTP requests that runs these workflows.

    Args:
        engine: a function that makes the engine, called with the first request; an engine does not survive
            the fork of the server.
        workflows: what may be run.
        seconds: when to hand back a run that is not done: some less than the time-out of the function.
        max_bytes: larger bodies are refused.
        failure_status: the HTTP status for a run that failed; see ``Reception``.
        include_data: answer with the data of the run too.

    The header ``Idempotency-Key`` makes a request safe to repeat. A caller that goes away meanwhile does not
    end the run: it is stored, and found by its key.
    """
    reception = Reception(
        engine, workflows, max_bytes=max_bytes, failure_status=failure_status, include_data=include_data
    )

    def function(request: "flask.Request") -> Response:
        """Answer one request."""
        try:
            body = _body_of(request, max_bytes)
        except RefusedError as error:
            return _response(error.answer)
        return _response(reception.answer(body, key=request.headers.get("Idempotency-Key"), seconds=seconds))

    return function


def pubsub_function(
    engine: EngineSource,
    workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
    *,
    seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
) -> Callable[[Event], None]:
    """Return a function of CloudEvents that runs what the messages of Pub/Sub ask for.

    The arguments are those of ``http_function``. The id of a message is its idempotency key, unless its body
    has one. It returns when the run is stored and has ended or waits, which acknowledges the message, and
    raises ``RefusedError`` otherwise, so that Pub/Sub delivers it again or to its dead-letter topic.
    """
    reception = Reception(engine, workflows, max_bytes=max_bytes)

    def function(event: Event) -> None:
        """Take one message."""
        body, message_id = _message_of(event)
        request = reception.read(body, default_key=message_id)
        answer = reception.begin(request, seconds=seconds).result()
        if not answer.settled:
            raise RefusedError(answer)

    return function


def _body_of(request: "flask.Request", max_bytes: int) -> bytes:
    if request.method != "POST":
        raise refusal(405, f"runs are started with POST, not {request.method}")
    check_size(request.content_length or 0, max_bytes)
    body = request.stream.read(max_bytes + 1)  # one that does not tell its length may be longer still
    check_size(len(body), max_bytes)
    if request.content_length is not None and len(body) < request.content_length:
        raise refusal(400, f"the body ends after {len(body)} of {request.content_length} bytes")
    return body


def _message_of(event: Event) -> tuple[bytes, str | None]:
    """Return the body and the id of a message. An older form has the message itself as the event's data."""
    data = event.data
    message = data.get("message", data) if isinstance(data, Mapping) else None
    if not isinstance(message, Mapping) or not isinstance(message.get("data"), str):
        raise refusal(400, "expected an event of Pub/Sub with message.data in base64")
    try:
        body = base64.b64decode(message["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(400, f"message.data is not base64: {error}") from error
    name = message.get("messageId") or message.get("message_id")
    return body, None if name is None else str(name)


def _response(answer: Answer) -> Response:
    return answer.text(), answer.code, answer.headers
