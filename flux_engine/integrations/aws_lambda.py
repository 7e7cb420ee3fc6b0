"""Workflows as a function of AWS Lambda.

    from flux_engine.integrations.aws_lambda import lambda_handler

    handler = lambda_handler(make_engine, [order_flow])

It takes direct invocations, requests through API Gateway (REST and HTTP APIs), a load balancer or a function
URL, and batches of messages from SQS. It needs no package but Flux.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from flux_engine.arguments import Workflow
from flux_engine.integrations.answers import Answer, RefusedError, refusal
from flux_engine.integrations.engine_thread import EngineSource
from flux_engine.integrations.reception import Reception
from flux_engine.integrations.requests import MAX_BYTES, check_size
from flux_engine.integrations.sqs_batch import answer_batch

_FORMS = "a direct invocation {'workflow': …, 'input': …}, an HTTP request, or a batch from SQS"


class LambdaContext(Protocol):
    """What is used of the context that Lambda gives to a handler."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        ...


Handler = Callable[[Any, LambdaContext], Any]


def lambda_handler(
    engine: EngineSource,
    workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
    *,
    margin: float = 1.0,
    concurrency: int = 10,
    max_bytes: int = MAX_BYTES,
    failure_status: int = 200,
    include_data: bool = False,
) -> Handler:
    """Return a handler for AWS Lambda that runs these workflows.

    Args:
        engine: a function that makes the engine, called with the first event; or an engine.
        workflows: what may be run.
        margin: seconds before the function's time-out at which runs are handed back where they stand. The
            same event, delivered again, goes on with them.
        concurrency: how many messages of a batch are worked on at a time.
        max_bytes: larger bodies are refused.
        failure_status: the HTTP status for a run that failed; see ``Reception``.
        include_data: answer with the data of the run too.

    The handler answers HTTP requests with a status, batches with the messages to deliver again, and direct
    invocations with ``{"run_id", "status", …}``; for one of those that comes to no run, or to one that was
    cut short, it raises ``RefusedError``, so that Lambda delivers an asynchronous invocation again. Then the
    id of the invocation is its idempotency key, unless it has one.
    """
    reception = Reception(
        engine, workflows, max_bytes=max_bytes, failure_status=failure_status, include_data=include_data
    )

    def handler(event: Any, context: LambdaContext) -> Any:
        """Answer one event."""

        def left() -> float:
            return context.get_remaining_time_in_millis() / 1000 - margin

        if not isinstance(event, Mapping):
            raise refusal(400, f"expected {_FORMS}, found {type(event).__name__}")
        if "Records" in event:
            return answer_batch(reception, event["Records"], left=left, concurrency=concurrency)
        if "requestContext" in event:
            return _http_response(event, _answer_http(reception, event, left()))
        return _answer_direct(reception, event, context.aws_request_id, left())

    return handler


def _answer_direct(
    reception: Reception, event: Mapping[str, Any], request_id: str, seconds: float
) -> dict[str, Any]:
    if "workflow" not in event and "input" not in event:
        found = ", ".join(map(repr, list(event)[:5])) or "nothing"
        raise refusal(400, f"expected {_FORMS}, found an event with {found}")
    request = reception.catalogue.request_of(dict(event), default_key=request_id)
    answer = reception.begin(request, seconds=seconds).result()
    if not answer.settled:
        raise RefusedError(answer)
    return answer.body


def _answer_http(reception: Reception, event: Mapping[str, Any], seconds: float) -> Answer:
    try:
        method = event.get("httpMethod") or event["requestContext"]["http"]["method"]
        if method != "POST":
            raise refusal(405, f"runs are started with POST, not {method}")
        headers = _headers_of(event)
        body = _body_of(event, reception.max_bytes)
    except RefusedError as error:
        return error.answer
    except (KeyError, TypeError, AttributeError):
        return refusal(400, "the event is no HTTP request of a form that is known").answer
    return reception.answer(body, key=headers.get("idempotency-key"), seconds=seconds)


def _headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers by lower-case name; of several values the last counts."""
    several = {name: values[-1] for name, values in (event.get("multiValueHeaders") or {}).items() if values}
    given = several | (event.get("headers") or {})
    return {str(name).lower(): value for name, value in given.items()}


def _body_of(event: Mapping[str, Any], max_bytes: int) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="replace")
    check_size(len(body) * 3 // 4 - 2, max_bytes)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(400, f"the body is not base64: {error}") from error


def _http_response(event: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    headers: dict[str, Any] = {"headers": answer.headers}
    if (
        "headers" not in event and "multiValueHeaders" in event
    ):  # a load balancer that is set so takes no others
        headers = {"multiValueHeaders": {name: [value] for name, value in answer.headers.items()}}
    return {"statusCode": answer.code, "body": answer.text(), "isBase64Encoded": False, **headers}
