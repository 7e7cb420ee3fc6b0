"""``… | flux-tui --trace -``: a trace that comes through a pipe, with the keyboard on the terminal."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte
import pytest

from flux_engine.trace.events import TraceEvent, encode_event

DEADLINE = 30.0


class Screen:
    """What a program draws on a pseudo-terminal."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._screen = pyte.Screen(100, 30)
        self._stream = pyte.ByteStream(self._screen)

    def sees(self, text: str) -> None:
        """Wait until a text is there."""
        self.until(lambda: any(text in line for line in self._screen.display))

    def sees_no(self, text: str) -> None:
        """Wait until a text is there no more."""
        self.until(lambda: not any(text in line for line in self._screen.display))

    def until(self, condition: Callable[[], bool]) -> None:
        """Draw until a condition is met."""
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, "\n".join(self._screen.display)
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # how a pseudo-terminal says that nobody writes any more
                    self._stream.feed(os.read(self._master, 65_536))


def run_of(workflow: str) -> bytes:
    """Return the lines of a short run."""
    kinds = ("workflow:start", "step:start", "step:complete", "workflow:complete")
    return b"".join(
        encode_event(
            TraceEvent(
                type=kind,
                timestamp=1_795_000_000_000.0,
                workflow_id=f"run-of-{workflow}",
                workflow_name=workflow,
                step_name="only" if kind.startswith("step") else None,
            )
        )
        for kind in kinds
    )


@pytest.mark.skipif(not hasattr(termios, "TIOCSCTTY"), reason="the system has no controlling terminals")
def test_a_trace_from_a_pipe_is_shown_as_it_comes(tmp_path):
    """Keys still work, and the end of the pipe is not the end of the dashboard."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    left_out = ("FLUX_", "COLUMNS", "LINES")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    process = subprocess.Popen(
        [sys.executable, "-c", "from flux_tui.cli import dashboard; dashboard()", "--trace", "-"],
        cwd=tmp_path,
        env=environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        stdin=subprocess.PIPE,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - a single call
        bufsize=0,
    )
    os.close(slave)
    screen = Screen(master)
    try:
        process.stdin.write(run_of("early"))
        screen.sees("early")
        process.stdin.write(run_of("late"))
        screen.sees("late")
        process.stdin.close()
        os.write(master, b"?")
        screen.sees("On the command line: flux run")
        os.write(master, b"\x1b")
        screen.sees_no("On the command line: flux run")
        os.write(master, b"q")
        screen.until(lambda: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert not (tmp_path / ".flux").exists()
