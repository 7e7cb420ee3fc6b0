"""A program in a pseudo-terminal: what it paints and when, what it takes of the processor and of memory.

While something is measured the output is only noted, with its time; the screen is worked out afterwards.
"""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import pyte

COLUMNS, ROWS = 120, 36
DEADLINE = 30.0
DASHBOARD = (sys.executable, "-c", "from flux_tui.cli import dashboard; dashboard()")
ENVIRONMENT = {
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "LANG": "C.UTF-8",
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"flux-benchmarks-{os.getuid()}" / "bytecode"),
}
"""Modules are compiled before they are measured, as those of an installed program are."""

TICKS = os.sysconf("SC_CLK_TCK")

sys.setswitchinterval(0.0005)  # so that output is noted when it comes, also while a screen is worked out


class Terminal:
    """Runs a command in a folder until ``close``. ``began`` is when it was started, by ``time.time``."""

    def __init__(self, folder: Path, *command: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._painted: list[tuple[float, bytes]] = []
        self._looked_at = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("FLUX_", "PYTHON"))}
        self.began = time.time()
        self.process = subprocess.Popen(  # noqa: S603 - ours
            command,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ | ENVIRONMENT,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def press(self, keys: str) -> float:
        """Type; return when."""
        now = time.time()
        os.write(self._master, keys.encode())
        return now

    def frames(self) -> Iterator[tuple[float, Sequence[str]]]:
        """Yield the lines of the screen after each piece of output not looked at yet, with its time."""
        while self._looked_at < len(self._painted):
            at, piece = self._painted[self._looked_at]
            self._looked_at += 1
            self._stream.feed(piece)
            yield at, self._screen.display

    def lines(self) -> Sequence[str]:
        """Return the lines of the screen as it is now."""
        for _ in self.frames():
            pass
        return self._screen.display

    def until(self, condition: Callable[[Sequence[str]], object], what: str) -> float:
        """Wait until the screen meets a condition; return when it first did."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            for at, lines in self.frames():
                if condition(lines):
                    return at
            time.sleep(0.005)
        raise TimeoutError("\n".join((f"never came: {what}", *self._screen.display)))

    def sees(self, *texts: str) -> float:
        """Wait until all these texts are on the screen; return when they first were."""
        return self.until(
            lambda lines: all(any(text in line for line in lines) for text in texts), " and ".join(texts)
        )

    def painted(self) -> bytes:
        """Return all output so far."""
        return b"".join(piece for _, piece in self._painted)

    def first_painted(self, text: bytes) -> float:
        """Wait until a text was painted, in whatever piece of output it ends; return when."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            before = b""
            for at, piece in self._painted[:]:
                before += piece
                if text in before:
                    return at
            time.sleep(0.005)
        raise TimeoutError(f"never painted: {text!r}")

    def processes(self) -> list[int]:
        """Return the process and all that it started."""
        return [self.process.pid, *_descendants(self.process.pid)]

    def seconds(self) -> float:
        """Return the seconds that the program and what it started have had of the processor."""
        return sum(map(_processor_seconds, self.processes()))

    def own_seconds(self) -> float:
        """Return the seconds that the program alone has had."""
        return _processor_seconds(self.process.pid)

    def megabytes(self) -> float:
        """Return how much memory the program alone has resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def close(self) -> None:
        """End the program."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(2)
        os.close(self._master)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how a pseudo-terminal says that nobody writes any more
            while True:
                if select.select([self._master], [], [], 0.2)[0]:
                    piece = os.read(self._master, 65_536)
                    self._painted.append((time.time(), piece))


def _descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += [int(child), *_descendants(int(child))]
    return found


def _processor_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS
