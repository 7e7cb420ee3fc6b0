"""One dashboard, running in a process of its own."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Self, TypeVar

from flux_tui.address import PASSWORD_VARIABLE
from flux_tui.serve import packets
from flux_tui.serve.driver import DRIVER
from flux_tui.serve.opening import Opening

TOKEN_VARIABLE: Final = "FLUX_TOKEN"  # noqa: S105 - a name
STOP_SECONDS: Final = 8.0
"""How long a dashboard may take to end; it gives its runner five."""
KILL_SECONDS: Final = 2.0
ERROR_BYTES: Final = 16_384
"""How much of what a process wrote to standard error is kept."""

Stream = TypeVar("Stream")


class Dashboard:
    """The process of one dashboard: what it draws comes out, what is typed goes in."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._errors = b""
        self._reading_errors = asyncio.create_task(self._read_errors())

    @classmethod
    async def start(cls, opening: Opening, *, columns: int, rows: int) -> Self:
        """Start one of the size of the tab's terminal."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "flux_tui.serve.tab", opening.model_dump_json()),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=opening.settings.project,
            env=environment(os.environ, columns=columns, rows=rows) | _password(opening),
            start_new_session=True,  # so that Ctrl-C in the server's terminal is the server's alone
        )
        return cls(process)

    @property
    def errors(self) -> str:
        """The last that the process wrote to standard error."""
        return self._errors.decode("utf-8", "replace")

    async def drawn(self) -> AsyncIterator[bytes]:
        """Yield what is drawn, for a terminal, until the dashboard ends."""
        stream = _there(self._process.stdout)
        if not await packets.is_ready(stream):
            return
        while (packet := await packets.next_packet(stream)) is not None:
            if packet.kind == packets.DATA:
                yield packet.payload

    async def type(self, text: str) -> None:
        """Send what was typed, pasted or done with the mouse."""
        await self._send(packets.packed(packets.DATA, text.encode("utf-8", "replace")))

    async def tell(self, kind: str, **more: Any) -> None:
        """Tell the driver something: ``resize`` with width and height, ``focus``, ``blur``."""
        await self._send(packets.meta(kind, **more))

    async def stop(self) -> int:
        """End the process, in good order if it lets itself be; return its exit code."""
        await self._send(packets.meta("quit"))
        draining = asyncio.create_task(_drain(_there(self._process.stdout)))
        try:
            return await self._ended()
        finally:
            draining.cancel()
            self._reading_errors.cancel()
            await asyncio.gather(draining, self._reading_errors, return_exceptions=True)

    async def _ended(self) -> int:
        for seconds, urge in ((STOP_SECONDS, self._process.terminate), (KILL_SECONDS, self._process.kill)):
            try:
                return await asyncio.wait_for(self._process.wait(), seconds)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    urge()
        return await self._process.wait()

    async def _send(self, packet: bytes) -> None:
        stream = _there(self._process.stdin)
        with contextlib.suppress(ConnectionError, RuntimeError):
            stream.write(packet)
            await stream.drain()

    async def _read_errors(self) -> None:
        stream = _there(self._process.stderr)
        while read := await stream.read(4096):
            self._errors = (self._errors + read)[-ERROR_BYTES:]


def environment(environ: Mapping[str, str], *, columns: int, rows: int) -> dict[str, str]:
    """Return the environment of a dashboard that draws for a browser. The token is not for it."""
    kept = {name: value for name, value in environ.items() if name != TOKEN_VARIABLE}
    return kept | {
        "TEXTUAL_DRIVER": DRIVER,
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "COLUMNS": str(columns),
        "ROWS": str(rows),
    }


def _password(opening: Opening) -> dict[str, str]:
    """Return the variable that the password of the store is handed on in: everybody may read arguments."""
    return {} if opening.password is None else {PASSWORD_VARIABLE: opening.password}


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass


def _there(stream: Stream | None) -> Stream:
    if stream is None:
        raise RuntimeError("the process was started without pipes")
    return stream
