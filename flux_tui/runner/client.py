"""One runner process, seen from the dashboard."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any, Protocol

import msgspec

from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.messages import Message, Output, Report, Stop, decode_report, encode
from flux_tui.runner.tail import Tail

LONGEST_LINE = 64 * 1024 * 1024
OBITUARY_CHARACTERS = 8_192
LAST_WORDS_SECONDS = 0.3
SILENCE_SECONDS = 1.0


class RunnerListener(Protocol):
    """Who is told what a runner reports, and that it has ended."""

    def reported(self, runner: "RunnerProcess", report: Report) -> None:
        """Take a report."""
        ...

    def ended(self, runner: "RunnerProcess") -> None:
        """Take note that the process is gone; it reports nothing more."""
        ...


class RunnerProcess:
    """A child process. ``spawn`` makes one; everything is called on the event loop."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: "_Pipes") -> None:
        self._transport = transport
        self._protocol = protocol
        self.pid = transport.get_pid()

    def __repr__(self) -> str:
        return f"<runner {self.pid}: {self.exit_words if self.has_ended else 'alive'}>"

    @classmethod
    async def spawn(cls, config: RunnerConfig, listener: RunnerListener) -> "RunnerProcess":
        """Start a process with this interpreter and environment. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Pipes(listener),
            sys.executable,
            "-P",  # the project folder is not yet searched: its modules must not hide the library's
            "-m",
            "flux_tui.runner.child",
            config.encode(),
            cwd=config.root,
            start_new_session=True,  # the terminal's Ctrl+C is for the dashboard
        )
        runner = cls(transport, protocol)
        protocol.belongs_to(runner)
        return runner

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone and all that it reported has been told."""
        return self._protocol.gone.done()

    @property
    def garbage(self) -> int:
        """How many lines were received that are no reports."""
        return self._protocol.garbage

    @property
    def output(self) -> str:
        """The end of what the process wrote outside any step."""
        return self._protocol.tail.text().strip()

    @property
    def exit_words(self) -> str:
        """How the process ended, such as ``killed by SIGSEGV`` or ``exited with 3``."""
        return exit_words(self._transport.get_returncode())

    def send(self, command: Message) -> None:
        """Send a command. One that the process does not live to read is lost; its end is told anyway."""
        pipe: Any = self._transport.get_pipe_transport(0)
        if pipe is not None and not pipe.is_closing():
            pipe.write(encode(command))

    def kill(self) -> None:
        """End the process now, and the subprocesses of its handlers that stayed in its session."""
        if self._transport.get_returncode() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> None:
        """Wait until the process is gone."""
        await asyncio.shield(self._protocol.gone)

    async def stop(self, grace: float) -> None:
        """Let the process stop at a step boundary; kill it when that takes longer than ``grace`` seconds."""
        self.send(Stop(grace=grace))
        try:
            await asyncio.wait_for(self.wait(), grace + 0.5)
        except TimeoutError:
            self.kill()
            await self.wait()


class _Pipes(asyncio.SubprocessProtocol):
    def __init__(self, listener: RunnerListener) -> None:
        self._listener = listener
        self._runner: RunnerProcess | None = None
        self._early: list[Report] = []
        self._rest = bytearray()
        self._open = {1, 2}
        self._transport: asyncio.SubprocessTransport | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.garbage = 0
        self.tail = Tail(OBITUARY_CHARACTERS)

    def belongs_to(self, runner: RunnerProcess) -> None:
        self._runner = runner
        for report in self._early:
            self._listener.reported(runner, report)
        self._early.clear()
        if self.gone.done():
            self._listener.ended(runner)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101 - what subprocess_exec makes
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:  # noqa: PLR2004 - standard error
            self.tail.add(data.decode(errors="replace"))
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._take(bytes(self._rest) + line)
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > LONGEST_LINE:
            self.garbage += 1
            self._rest.clear()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._open.discard(fd)
        self._finish_if_over()
        if fd == 1:
            asyncio.get_running_loop().call_later(SILENCE_SECONDS, self._end_silence)

    def _end_silence(self) -> None:
        """Kill a process that lives on after it has closed the pipe it reports through."""
        if self._runner is not None and self._transport is not None and not self.gone.done():
            self.tail.add("\nUser code closed the pipe that the runner reports through.\n")
            self._runner.kill()

    def process_exited(self) -> None:
        # A subprocess of a handler may hold the pipes open for as long as it likes.
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._finish)
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if not self._open and self._transport is not None and self._transport.get_returncode() is not None:
            self._finish()

    def _finish(self) -> None:
        if self.gone.done():
            return
        self.gone.set_result(None)
        if self._transport is not None:
            self._transport.close()
        if self._runner is not None:
            self._listener.ended(self._runner)

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            report = decode_report(line)
        except msgspec.MsgspecError:
            self.garbage += 1
            self.tail.add(line[:1024].decode(errors="replace") + "\n")
            return
        if isinstance(report, Output):
            self.tail.add(report.text + "\n")
        if self._runner is None:
            self._early.append(report)
        elif not self.gone.done():
            self._listener.reported(self._runner, report)


def exit_words(code: int | None) -> str:
    """Tell an exit status in words."""
    if code is None:
        return "still running"
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
