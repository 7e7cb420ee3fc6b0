"""The program in a pseudo-terminal, and its screen as a user sees it."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte
import pytest

COLUMNS, ROWS = 120, 36
DEADLINE = 30.0
LEFT_OUT = ("FLUX_", "COLUMNS", "LINES")
"""How the variables begin that would tell the program something else than the terminal does."""

PARCEL = """
from flux_engine import create_workflow

def pick(ctx):
    ctx.data.shelf = "A7"

def pack(ctx):
    print("packing from", ctx.data.shelf)
    raise ValueError("the box is too small")

def ship(ctx):
    ctx.data.shipped = ctx.data.box

parcel = create_workflow("parcel").step("pick", pick).step("pack", pack).commit("ship", ship)
"""
FIXED = PARCEL.replace('raise ValueError("the box is too small")', 'ctx.data.box = "XL"')


class Terminal:
    """A program in a pseudo-terminal, and its screen as a user sees it."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        program: str = "dashboard",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._open = True
        self.written = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        usual = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
        usual |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"from flux_tui.cli import {program}; {program}()", *arguments],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=usual | dict(environ or {}),
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how a pseudo-terminal says that nobody writes any more
            while True:
                if select.select([self._master], [], [], 0.2)[0]:
                    data = os.read(self._master, 65_536)
                    self.written += data
                    with self._lock:
                        self._stream.feed(data)

    @property
    def text(self) -> str:
        """The whole screen."""
        with self._lock:
            return "\n".join(self._screen.display)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def wait_for(self, condition: Callable[[str], bool], what: str) -> str:
        """Wait until the screen meets a condition, and return it."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            text = self.text
            if condition(text):
                return text
            time.sleep(0.02)
        pytest.fail(f"never came: {what}\n{self.text}")

    def sees(self, *parts: str) -> str:
        """Wait until all these texts are on the screen."""
        return self.wait_for(lambda text: all(part in text for part in parts), " and ".join(parts))

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        with self._lock:
            self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def vanish(self) -> None:
        """Close the terminal, as a window is closed or a connection is lost."""
        self._open = False
        os.killpg(self.process.pid, signal.SIGHUP)

    def runners(self) -> list[str]:
        """Return the ids of the child processes of the dashboard."""
        pid = self.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def end(self) -> int:
        """Wait for the program to end, and return its exit code."""
        code = self.process.wait(DEADLINE)
        self._reader.join(2)
        return code

    def close(self) -> None:
        """End the program, if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(2)
        os.close(self._master)
