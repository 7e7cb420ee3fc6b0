"""Where requests become runs: the part that all functions in the cloud have in common."""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar

from flux_engine.arguments import Workflow
from flux_engine.clock import new_id
from flux_engine.engine import FluxEngine
from flux_engine.failure import describe_exception
from flux_engine.integrations.answers import Answer, answer_of, answer_to, out_of_time
from flux_engine.integrations.engine_thread import EngineSource, EngineThread
from flux_engine.integrations.requests import MAX_BYTES, Catalogue, RunRequest

T = TypeVar("T")

PATIENCE: Final = 1.0
"""Seconds before its time is up from which a run begins no further step; of a short time, its second half."""

_log = logging.getLogger("flux_engine.integrations")


class Reception:
    """Answers requests for runs of some workflows. Safe to use from any thread.

    Args:
        engine: an engine, or a function that makes one; see ``EngineThread``.
        workflows: what may be run.
        max_bytes: larger bodies are refused.
        failure_status: the HTTP status for a run that failed. It is stored and a repetition returns the
            same run, so it is 200 by default, with ``"status": "failed"``.
        include_data: answer with the data of the run too.
    """

    def __init__(
        self,
        engine: EngineSource,
        workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]],
        *,
        max_bytes: int = MAX_BYTES,
        failure_status: int = 200,
        include_data: bool = False,
    ) -> None:
        self.catalogue = Catalogue(workflows)
        self.max_bytes = max_bytes
        self._thread = EngineThread(engine)
        self._failure_status = failure_status
        self._include_data = include_data

    def close(self) -> None:
        """Hand back the runs in hand and close the engine. The next request opens it again."""
        self._thread.close()

    def read(
        self, body: bytes | str, *, key: str | None = None, default_key: str | None = None
    ) -> RunRequest:
        """Read a request, as ``Catalogue.request`` does. Raises ``RefusedError``."""
        return self.catalogue.request(body, key=key, default_key=default_key, max_bytes=self.max_bytes)

    def submit(self, call: Callable[[FluxEngine], Coroutine[Any, Any, T]]) -> "concurrent.futures.Future[T]":
        """Run ``call(engine)`` in the thread of the engine."""
        return self._thread.submit(call)

    def begin(
        self, request: RunRequest, *, seconds: float | None = None
    ) -> "concurrent.futures.Future[Answer]":
        """Start the run that is asked for, or find the one there is; return its answer to come.

        After ``seconds`` the run is handed back where it stands. Cancelling the future does so at once.
        """
        return self.submit(lambda engine: self.respond(engine, request, seconds))

    def answer(self, body: bytes | str, *, key: str | None = None, seconds: float | None = None) -> Answer:
        """Return the answer to a request. Never raises for what is wrong with it or comes of it."""
        try:
            return self.begin(self.read(body, key=key), seconds=seconds).result()
        except Exception as error:  # noqa: BLE001 - a request is answered, whatever goes wrong
            return _logged(error)

    async def answer_async(
        self, body: bytes | str, *, key: str | None = None, seconds: float | None = None
    ) -> Answer:
        """Return the answer to a request, as ``answer`` does, without blocking the caller's event loop."""
        try:
            return await asyncio.wrap_future(self.begin(self.read(body, key=key), seconds=seconds))
        except Exception as error:  # noqa: BLE001 - a request is answered, whatever goes wrong
            return _logged(error)

    async def respond(self, engine: FluxEngine, request: RunRequest, seconds: float | None = None) -> Answer:
        """Run what is asked for, with an engine of this event loop. Never raises for what comes of it.

        When the time is nearly up, no further step is begun; when it is, the step under way is cut short.
        """
        if seconds is not None and seconds <= 0:
            return out_of_time(None, request.idempotency_key)
        run_id = new_id()
        key = request.idempotency_key or run_id
        stop = _StopInTime(seconds, lambda: engine.hand_back(request.workflow, key))
        try:
            async with asyncio.timeout(seconds) as limit:
                result = await engine.execute(
                    request.workflow, request.input, run_id=run_id, idempotency_key=key
                )
        except TimeoutError as error:
            if not limit.expired():
                return _logged(error)
        except Exception as error:  # noqa: BLE001 - as above
            return _logged(error)
        else:
            answer = self._answer_of(result)
            return answer if answer.settled or not stop.asked else out_of_time(result.id, key)
        finally:
            stop.cancel()
        return await self._out_of_time(engine, request.workflow.name, key)

    async def _out_of_time(self, engine: FluxEngine, workflow: str, key: str) -> Answer:
        """Answer for a run that was cut short, or came to its end at that very moment."""
        try:
            state = await engine.find(workflow, key)
        except Exception as error:  # noqa: BLE001 - as above
            return _logged(error)
        if state is None:  # there was no time to store it
            return out_of_time(None, key)
        answer = self._answer_of(state)
        return answer if answer.settled else out_of_time(state.id, key)

    def _answer_of(self, result: Any) -> Answer:
        return answer_of(result, failure_status=self._failure_status, include_data=self._include_data)


class _StopInTime:
    """Asks a run to stop at its next step boundary when its time is nearly up; ``asked`` once it did."""

    def __init__(self, seconds: float | None, stop: Callable[[], object]) -> None:
        self.asked = False
        self._stop = stop
        self._timer: asyncio.TimerHandle | None = None
        if seconds is not None:
            delay = max(seconds - PATIENCE, seconds / 2)
            self._timer = asyncio.get_running_loop().call_later(delay, self._ask)

    def _ask(self) -> None:
        self.asked = True
        self._stop()

    def cancel(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()


def _logged(error: BaseException) -> Answer:
    answer = answer_to(error)
    if answer.code >= 500:  # noqa: PLR2004 - the classes of HTTP
        _log.error("a request failed: %s", describe_exception(error).text)
    return answer
