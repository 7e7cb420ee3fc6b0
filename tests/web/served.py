"""A server of the dashboard in a process of its own, as a user starts it, and a tab without a browser."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pyte
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

COLUMNS, ROWS = 120, 36
DEADLINE = 30.0

PARCEL = """
import asyncio
from pathlib import Path
from flux_engine import create_workflow

def pick(ctx):
    ctx.data.shelf = "A7"

async def pack(ctx):
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    raise ValueError("the box is too small")

def ship(ctx):
    ctx.data.shipped = ctx.data.box

parcel = create_workflow("parcel").step("pick", pick).step("pack", pack).commit("ship", ship)
"""
FIXED = PARCEL.replace('raise ValueError("the box is too small")', 'ctx.data.box = "XL"')


def make_project(folder: Path) -> Path:
    """Write a workflow whose second step fails as soon as there is a file ``go``."""
    (folder / "shop.py").write_text(PARCEL)
    return folder


def environ() -> dict[str, str]:
    """The environment of a user without settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FLUX_")}


def flux_dev(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``flux dev`` where it ends at once. ``before`` is Python that runs first in its process."""
    code = f"{before}\nfrom flux_tui.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "dev", *arguments],
        cwd=folder,
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


class Served:
    """``flux dev --port 0``, running."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from flux_tui.cli import main; main()", "dev", "--port", "0", *arguments],
            cwd=folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    @property
    def port(self) -> int:
        """The port that it took."""
        return urlsplit(self.url).port or 0

    def dashboards(self) -> set[str]:
        """The ids of the processes that it has started."""
        return set(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """End it with a signal; return the exit code and what it told."""
        self.process.send_signal(number)
        _, told = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, told

    def close(self) -> None:
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def is_running(process_id: str) -> bool:
    """Tell whether there is such a process that has not ended."""
    with contextlib.suppress(OSError):
        return ") Z" not in Path(f"/proc/{process_id}/stat").read_text()
    return False


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"never came: {what}")
        await asyncio.sleep(0.02)


class Tab:
    """What the page of a browser does: it shows what comes, and sends what is typed."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.reading = asyncio.create_task(self._read())

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, origin: str) -> AsyncIterator[Self]:
        """Open a tab at a server without a token."""
        address = f"{origin}/tab?width={COLUMNS}&height={ROWS}"
        async with ClientSession() as session, session.ws_connect(address, origin=origin) as socket:
            tab = cls(socket)
            yield tab
            await socket.close()
            await tab.reading

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                self._stream.feed(message.data)

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self._screen.display)

    async def press(self, keys: str) -> None:
        """Type."""
        await self._socket.send_json(["stdin", keys])

    async def sees(self, *parts: str) -> None:
        """Wait until all these texts are on the screen."""
        try:
            await until(lambda: all(part in self.text for part in parts), " and ".join(parts))
        except pytest.fail.Exception as failure:
            pytest.fail(f"{failure}\n{self.text}")
