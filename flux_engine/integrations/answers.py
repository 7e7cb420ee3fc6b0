"""What a request came to: an HTTP status and a JSON object."""

from typing import Any

import msgspec
from msgspec import Struct
from pydantic_core import to_jsonable_python

from flux_engine.errors import FluxError, InvalidInputError, OwnershipLostError, RunBusyError, StorageError
from flux_engine.execution import RunStatus, WorkflowState
from flux_engine.result import FluxResult
from flux_engine.secrets import registered

RETRY_AFTER = 1

_AGAIN = "Send the request again with the same idempotency key to have it gone on with."


class Answer(Struct, frozen=True, kw_only=True):
    """What a request came to: an HTTP status and a JSON object.

    ``run_status`` is where the run stands, ``None`` when there is none.
    """

    code: int
    body: dict[str, Any]
    run_status: str | None = None

    @property
    def settled(self) -> bool:
        """Whether a run is stored that has ended or waits: a message may be acknowledged."""
        return self.run_status in _SETTLED

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        headers = {"Content-Type": "application/json"}
        if self.code in (409, 503):
            headers["Retry-After"] = str(RETRY_AFTER)
        if self.code == 405:  # noqa: PLR2004 - the status of HTTP
            headers["Allow"] = "POST"
        return headers

    def text(self) -> str:
        """Return the body as JSON text."""
        return msgspec.json.encode(self.body).decode()


_SETTLED = {str(status) for status in RunStatus} - {str(RunStatus.PENDING), str(RunStatus.RUNNING)}


class RefusedError(FluxError):
    """A request or message that led to no run, or to one that has not come to rest. Has the ``answer``."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        problems = "".join(
            f"\n  {p['where'] or 'input'}: {p['what']}" for p in answer.body.get("problems", ())
        )
        super().__init__(f"{answer.code}: {answer.body.get('error', answer.body)}{problems}")


def refusal(code: int, error: str, **more: Any) -> RefusedError:
    """Return a refusal with this status and message; ``more`` goes into the body."""
    return RefusedError(Answer(code=code, body={"error": _told(error), **more}))


def answer_of(
    result: FluxResult[Any] | WorkflowState, *, failure_status: int = 200, include_data: bool = False
) -> Answer:
    """Return the answer for a run as it stands.

    200 for one that has ended, ``failure_status`` for one that failed, 202 for one that waits, and 409 for
    one that is still in somebody's hands.
    """
    body: dict[str, Any] = {"run_id": result.id, "status": str(result.status)}
    if result.error is not None:
        body["error"] = _told(str(result.error))
        body["step"] = result.error.step
    if include_data:
        body["data"] = to_plain(result.data)
    status = result.status
    if status is RunStatus.FAILED:
        code = failure_status
    elif status in (RunStatus.SUSPENDED, RunStatus.PAUSED):
        code = 202
    elif status.ended:
        code = 200
    else:
        code = 409
        body["error"] = f"run {result.id} is {status}, in other hands or just handed back. {_AGAIN}"
    return Answer(code=code, body=body, run_status=str(status))


def answer_to(error: BaseException) -> Answer:
    """Return the answer for an error that kept a run from starting, or from being gone on with."""
    if isinstance(error, RefusedError):
        return error.answer
    body: dict[str, Any] = {"error": _told(str(error))}
    if isinstance(error, InvalidInputError):
        body["error"] = f"the input does not fit workflow {error.workflow!r}"
        body["problems"] = [{"where": where, "what": _told(what)} for where, what in error.problems]
        return Answer(code=422, body=body)
    if isinstance(error, RunBusyError | OwnershipLostError):
        return Answer(code=409, body=body)
    if isinstance(error, StorageError):
        return Answer(code=503, body=body)
    if isinstance(error, FluxError):
        return Answer(code=500, body=body)
    return Answer(code=500, body={"error": "internal error; it was logged"})


def out_of_time(run_id: str | None, key: str | None) -> Answer:
    """Return the answer for a run that was handed back because there was no time left for it.

    ``run_id`` is ``None`` when there was no time to store it. ``key`` is what it is gone on with by.
    """
    body: dict[str, Any] = {"error": f"the run was handed back before the time was up. {_AGAIN}"}
    if run_id is not None:
        body = {"run_id": run_id, "status": str(RunStatus.RUNNING), "idempotency_key": key} | body
    return Answer(code=503, body=body)


def to_plain(value: Any) -> Any:
    """Return a value as JSON has them: dates and decimals as strings, bytes as base64, models as objects."""
    return to_jsonable_python(value, bytes_mode="base64", inf_nan_mode="strings", fallback=repr)


def _told(text: str) -> str:
    return registered.mask(text)
