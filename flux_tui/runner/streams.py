"""Putting a ``Capture`` in the place of this process's standard streams, logging and warnings."""

import codecs
import contextlib
import io
import logging
import os
import select
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO, cast

from flux_engine.context import current_step
from flux_tui.runner.capture import THREAD_MARK, Capture, present_step

CHUNK = 65_536
ENGINE_THREADS = "flux-handler"

_logging_level = threading.local()


class CapturedStream(io.TextIOBase):
    """Stands in for ``sys.stdout`` or ``sys.stderr``."""

    def __init__(self, capture: Capture, name: str, descriptor: int) -> None:
        self._capture = capture
        self._name = name
        self._descriptor = descriptor
        self.buffer = cast("Any", _CapturedBytes(self))

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Always UTF-8."""
        return "utf-8"

    @property
    def name(self) -> str:
        """The stream's name, such as ``stdout``."""
        return self._name

    def write(self, text: str, /) -> int:
        """Hand the text to the capture, under the level of the log record that it comes from, if any."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._capture.write(getattr(_logging_level, "name", None) or self._name, text)
        return len(text)

    def flush(self) -> None:
        """Do nothing but forget the log record: nothing is held back here."""
        _logging_level.name = None

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor that subprocesses are to write to."""
        return self._descriptor


class _CapturedBytes(io.RawIOBase):
    def __init__(self, text: CapturedStream) -> None:
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        content = bytes(data)
        self._text.write(self._decoder.decode(content))
        return len(content)


class CapturedDescriptor:
    """A file descriptor replaced by a pipe, read by whoever pumps."""

    def __init__(self, capture: Capture, name: str, descriptor: int) -> None:
        self._capture = capture
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._lock = threading.Lock()
        self._descriptor = descriptor
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.dup2(self._writer, descriptor)

    def reopen(self) -> None:
        """Undo that user code has closed the descriptor, before a file of others gets its number."""
        try:
            os.fstat(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # it has closed the pipe too: the runner is about to be lost
                os.dup2(self._writer, self._descriptor)

    def pump(self, limit: int = CHUNK * 16) -> None:
        """Hand over what is in the pipe, without waiting, up to ``limit`` bytes."""
        with self._lock, contextlib.suppress(BlockingIOError):
            while limit > 0 and (data := os.read(self.reader, CHUNK)):
                limit -= len(data)
                self._capture.write_from_outside(self._name, self._decoder.decode(data))

    def fresh_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self._lock = threading.Lock()


class CaptureHandler(logging.Handler):
    """Sends log records to a capture, the level in the stream's place."""

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over the message, and the traceback if there is one."""
        try:
            self._capture.write(record.levelname.lower(), self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a record that cannot be formatted, as logging does it
            self.handleError(record)


def capture_descriptors(capture: Capture) -> Callable[[], None]:
    """Replace the descriptors 1 and 2 by pipes and read them in a thread; return what reads them at once."""
    pipes = [CapturedDescriptor(capture, "stdout", 1), CapturedDescriptor(capture, "stderr", 2)]

    def pump() -> None:
        for pipe in pipes:
            pipe.reopen()
            pipe.pump()

    def read() -> None:
        while True:
            select.select([pipe.reader for pipe in pipes], [], [])
            for pipe in pipes:
                pipe.pump()

    def fresh_locks() -> None:
        for pipe in pipes:
            pipe.fresh_lock()

    threading.Thread(target=read, name="flux-output", daemon=True).start()
    os.register_at_fork(after_in_child=fresh_locks)
    return pump


def capture_streams(capture: Capture) -> None:
    """Put captured streams in the place of ``sys.stdout`` and ``sys.stderr``, and take over warnings."""
    sys.stdout = cast("TextIO", CapturedStream(capture, "stdout", 1))
    sys.stderr = cast("TextIO", CapturedStream(capture, "stderr", 2))
    os.register_at_fork(after_in_child=capture.fresh_lock)

    def show(message: Any, category: Any, filename: str, lineno: int, *rest: Any) -> None:
        file, line = (*rest, None, None)[:2]
        text = warnings.formatwarning(message, category, filename, lineno, line)
        if file is not None:
            file.write(text)
        else:
            capture.write("warning", text)

    warnings.showwarning = cast("Any", show)


def capture_logging(capture: Capture) -> None:
    """Take over logging as the user's modules have set it up.

    Handlers that write to the captured streams stay, and their lines get the record's level. When the
    modules have set up nothing, everything from level info is taken.
    """
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in filter(_is_captured, getattr(logger, "handlers", ())):
            handler.addFilter(_remember_level)
    if not logging.root.handlers and logging.root.level == logging.WARNING:
        logging.root.setLevel(logging.INFO)
    if not any(map(_is_captured, logging.root.handlers)):
        logging.root.addHandler(CaptureHandler(capture))


def follow_threads() -> None:
    """Let threads that a handler starts, and jobs that it gives to thread pools, count as its step."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start_marked(self: threading.Thread) -> None:
        if self.name != ENGINE_THREADS and not _serves_a_pool(self):
            setattr(self, THREAD_MARK, present_step())
        start(self)

    def submit_marked(self: ThreadPoolExecutor, call: Any, /, *args: Any, **kwargs: Any) -> Any:
        step = present_step()

        def run() -> Any:
            token = current_step.set(step)
            try:
                return call(*args, **kwargs)
            finally:
                current_step.reset(token)

        return submit(self, run)

    threading.Thread.start = start_marked  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = submit_marked  # type: ignore[method-assign,assignment]


def _serves_a_pool(thread: threading.Thread) -> bool:
    return getattr(getattr(thread, "_target", None), "__module__", "") == "concurrent.futures.thread"


def _is_captured(handler: logging.Handler) -> bool:
    return isinstance(getattr(handler, "stream", None), CapturedStream)


def _remember_level(record: logging.LogRecord) -> bool:
    _logging_level.name = record.levelname.lower()
    return True
