"""The loop that the product is judged by, in a real terminal: save, run, fail, read, fix, retry."""

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
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

COLUMNS, ROWS = 120, 36
DEADLINE = 30.0

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

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environ = {key: value for key, value in os.environ.items() if not key.startswith("FLUX_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from flux_tui.cli import dashboard; dashboard()", *arguments],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"},
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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with one workflow, whose second step fails."""
    (tmp_path / "shop.py").write_text(PARCEL)
    return tmp_path


@pytest.fixture
def terminal(project: Path) -> Iterator[Terminal]:
    """The dashboard on that project."""
    opened = Terminal(project)
    yield opened
    opened.close()


def runners_of(process: subprocess.Popen[bytes]) -> list[str]:
    """The ids of the child processes of the dashboard."""
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def test_a_failed_step_is_fixed_and_the_run_goes_on(project: Path, terminal: Terminal) -> None:
    """From a saved file to a completed run, without leaving the keyboard."""
    terminal.sees("● ready", "parcel", "not run yet", "○ pick", "○ ship")
    terminal.press("r")
    terminal.sees("Run parcel")
    terminal.press("\x13")
    terminal.sees("✖ failed at pack", "ValueError: the box is too small", "✔ pick", "○ ship", "shop.py:9")

    (project / "shop.py").write_text(FIXED)
    terminal.sees("reloaded shop.py")
    terminal.press("t")
    terminal.sees("✔ completed", "✔ pack", "✔ ship")
    terminal.wait_for(lambda text: "the box is too small" not in text, "the error goes away")

    terminal.press("q")
    assert terminal.end() == 0


def test_a_module_that_breaks_says_where_until_it_is_fixed(project: Path, terminal: Terminal) -> None:
    """The header names file and line; the module's row shows the code and a caret."""
    terminal.sees("● ready", "parcel")
    (project / "shop.py").write_text(PARCEL + "\ndef broken(:\n")
    terminal.sees("✖ shop.py line 16", "SyntaxError", "stale")
    terminal.press("1k")
    terminal.sees("def broken(:", "^", "shop.py:16")

    (project / "shop.py").write_text(PARCEL)
    terminal.sees("● ready · reloaded shop.py", "○ pick")


def test_the_end_of_the_terminal_ends_the_runner(terminal: Terminal) -> None:
    """Whatever ends the dashboard, no process is left behind and the terminal is as it was."""
    terminal.sees("● ready", "parcel")
    children = runners_of(terminal.process)
    assert children
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 128 + signal.SIGTERM
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
