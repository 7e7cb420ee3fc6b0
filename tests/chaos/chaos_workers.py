"""The processes that are killed and stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class Worker:
    """A process that is started again when it was killed. ``command`` is what it runs."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.stopped = False
        self._command = [sys.executable, *command]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.pids: list[int] = []

    @property
    def runs(self) -> bool:
        """Whether there is a process, and it is not stopped."""
        return self._process is not None and not self.stopped

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.setpriority(os.PRIO_PROCESS, self._process.pid, 5)
        self.pids.append(self._process.pid)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it where it is."""
        if self.runs:
            os.kill(self.pids[-1], signal.SIGSTOP)
            self.stopped = True

    def go_on(self) -> None:
        """Let it go on."""
        if self.stopped:
            os.kill(self.pids[-1], signal.SIGCONT)
            self.stopped = False

    def died(self) -> bool:
        """Say whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def wait(self, seconds: float) -> int:
        """Wait until it has ended; return its exit code."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        finally:
            self.kill()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        self.stopped = False
        if process is not None:
            process.send_signal(how)
            process.wait()
