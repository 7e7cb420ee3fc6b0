"""The runner's end of the pipes: threads of their own, so that no handler can silence them."""

import contextlib
import os
import queue
import threading
from collections.abc import Callable

import msgspec

from flux_tui.runner.messages import Command, Message, Started, Stop, decode_command, encode

CHUNK = 65_536


class Reports:
    """Sends reports in order, without waiting for the dashboard to read them.

    Only ``Started`` is waited for, a moment: the handler that comes next may end the process.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="flux-reports", daemon=True).start()

    def send(self, report: Message) -> None:
        """Send a report, from any thread."""
        self._queue.put(encode(report))
        if isinstance(report, Started):
            self.flush(0.2)

    def flush(self, timeout: float = 1.0) -> None:
        """Wait until all that was sent is written, at most ``timeout`` seconds."""
        written = threading.Event()
        self._queue.put(written)
        written.wait(timeout)

    def _write(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            with contextlib.suppress(OSError):  # the dashboard is gone; the command pipe ends the runner
                while item:
                    item = item[os.write(self._descriptor, item) :]


class Commands:
    """Receives commands. The end of the pipe counts as ``Stop``: the dashboard is gone.

    From ``Stop`` on the process has ``grace`` seconds left, whatever its other threads do.
    """

    def __init__(self, descriptor: int, grace: float) -> None:
        self._descriptor = descriptor
        self._grace = grace
        self._queue: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._deliver: Callable[[Command], None] = self._queue.put
        self._lock = threading.Lock()
        threading.Thread(target=self._read, name="flux-commands", daemon=True).start()

    def next(self) -> Command:
        """Wait for a command. Only before ``deliver_to``."""
        return self._queue.get()

    def deliver_to(self, deliver: Callable[[Command], None]) -> None:
        """From now on call ``deliver``, in the reading thread, with each command, earlier ones included."""
        with self._lock:
            while not self._queue.empty():
                deliver(self._queue.get())
            self._deliver = deliver

    def _read(self) -> None:
        rest = b""
        while data := self._next_chunk():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                with contextlib.suppress(msgspec.MsgspecError):  # of another version; it will not be answered
                    self._take(decode_command(line))
        self._take(Stop(grace=self._grace))

    def _next_chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, CHUNK)
        except OSError:
            return b""

    def _take(self, command: Command) -> None:
        if isinstance(command, Stop):
            exit_after(command.grace)
        with self._lock, contextlib.suppress(RuntimeError):  # the event loop has just been closed
            self._deliver(command)


def exit_after(seconds: float) -> None:
    """End the process in any case when the time is over, even while its main thread is blocked."""

    def end() -> None:
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
