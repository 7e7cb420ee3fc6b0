"""Worker threads for plain functions.

A thread that runs a handler cannot be killed. So the threads are daemons, which never keep the
program from ending, and each serves one call at a time: a handler that hangs costs its own thread
and nobody else's.
"""

import asyncio
import contextlib
import contextvars
import inspect
import os
import queue
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

Result = TypeVar("Result")

IDLE_SECONDS = 10.0

_Job = tuple[contextvars.Context, Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]

_idle: "list[queue.SimpleQueue[_Job]]" = []
_lock = threading.Lock()


def run_in_thread(call: Callable[[], Any]) -> "asyncio.Future[Any]":
    """Run ``call`` in a worker thread, in a copy of the present context; return a future of its result.

    Cancelling the future abandons the thread: what it returns or raises later is dropped, a coroutine closed.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    job = (contextvars.copy_context(), call, loop, future)
    with _lock:
        inbox = _idle.pop() if _idle else None
    if inbox is None:
        inbox = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="flux-handler", daemon=True).start()
    inbox.put(job)
    return future


async def to_its_end(work: Awaitable[Result]) -> Result:
    """Await what cannot be taken back. A cancellation that comes meanwhile is raised at its end."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # the cancellation is raised instead
        raise cancelled
    return task.result()


def _serve(inbox: "queue.SimpleQueue[_Job]") -> None:
    while True:
        try:
            context, call, loop, future = inbox.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            with _lock:
                if inbox in _idle:
                    _idle.remove(inbox)
                    return
            continue  # a job was given between the time-out and the lock
        result, error, process = None, None, os.getpid()
        try:
            result = context.run(call)
        except BaseException as raised:  # noqa: BLE001 - handed to the waiting task, whatever it is
            error = raised
        if os.getpid() != process:
            end_child(error)
        with _lock:
            _idle.append(inbox)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, future, result, error)
        del context, call, loop, future, result, error


def end_child(error: BaseException | None) -> NoReturn:
    """End a process that a handler forked and in which it has come back here.

    The run belongs to the process that began it: this one must not go on with it, nor touch its store.
    """
    if isinstance(error, SystemExit):
        os._exit(error.code if isinstance(error.code, int) else int(error.code is not None))
    if error is not None:
        with contextlib.suppress(Exception):
            traceback.print_exception(error)
    os._exit(0 if error is None else 1)


def settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    """Give a future what a call returned or raised, unless somebody has cancelled it."""
    if future.done():
        drop(result)
        return
    if isinstance(error, StopIteration):  # a future cannot carry one
        error = RuntimeError(f"the handler raised StopIteration: {error}")
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def drop(result: object) -> None:
    """Close a coroutine that nobody is going to await."""
    if inspect.iscoroutine(result):
        result.close()
