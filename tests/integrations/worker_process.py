"""Starts tests/integrations/programs/message_worker.py, and ends it in the ways that processes end."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from broker_flows import eventually

PROGRAM = Path(__file__).parent / "programs" / "message_worker.py"


class WorkerProcess:
    """A worker for one topic or queue, and what its workflow did."""

    def __init__(self, kind, address, name, folder):
        self._arguments = (kind, address, name, str(folder))
        self._folder = folder
        self._process = None

    @property
    def log(self):
        """The steps that were run, by this process and those before it in the folder."""
        path = self._folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def go(self):
        """Let the second step come to its end."""
        (self._folder / "go").touch()

    async def until(self, *log):
        """Wait until this was done."""
        await eventually(lambda: self.log == list(log))

    async def end(self, number=signal.SIGTERM):
        """Send a signal; return the exit code and what the process printed."""
        self._process.send_signal(number)
        out, _ = await asyncio.wait_for(self._process.communicate(), 20)
        return self._process.returncode, out.decode()

    @contextlib.asynccontextmanager
    async def running(self):
        """Run the process; it is gone afterwards."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, PROGRAM, *self._arguments, stdout=asyncio.subprocess.PIPE
        )
        try:
            yield self
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.communicate()
