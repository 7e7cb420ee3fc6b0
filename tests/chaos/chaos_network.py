"""The cables between processes: they can be cut, held up, and cut when an answer is on its way."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence


class Cable:
    """Passes bytes on from a port to one of several others, in turn."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.port = 0
        self._targets = list(targets)
        self._avoided: set[int] = set()
        self._turn = 0
        self._flows: dict[asyncio.Task[None], int] = {}
        self._open = asyncio.Event()
        self._open.set()
        self._answers_to_lose = 0

    async def start(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def cut(self, target: int | None = None) -> None:
        """Cut all connections, or those to one target."""
        for flow, to in list(self._flows.items()):
            if target in (None, to):
                flow.cancel()

    def hold_up(self) -> None:
        """Let nothing through until ``heal``; what was sent comes late."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything through, what was held up first."""
        self._open.set()

    def lose_answers(self, count: int) -> None:
        """Cut the next connections that an answer comes over, instead of passing it on."""
        self._answers_to_lose = count

    def avoid(self, target: int, *, avoided: bool = True) -> None:
        """Make no connections to a target, or make them again."""
        if avoided:
            self._avoided.add(target)
            self.cut(target)
        else:
            self._avoided.discard(target)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flow = asyncio.current_task()
        assert flow is not None
        other: asyncio.StreamWriter | None = None
        try:
            await self._open.wait()
            for _ in self._targets:
                self._turn += 1
                target = self._targets[self._turn % len(self._targets)]
                if target in self._avoided:
                    continue
                with contextlib.suppress(OSError):
                    far, other = await asyncio.open_connection("127.0.0.1", target)
                    self._flows[flow] = target
                    await self._pass_on(reader, writer, far, other)
                    break
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            self._flows.pop(flow, None)
            for end in (writer, other):
                if end is not None:
                    end.transport.abort()

    async def _pass_on(self, reader, writer, far, other) -> None:
        ways = [
            asyncio.ensure_future(self._one_way(reader, other, answers=False)),
            asyncio.ensure_future(self._one_way(far, writer, answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _one_way(self, reader, writer, *, answers: bool) -> None:
        while data := await reader.read(1 << 16):
            await self._open.wait()
            if answers and self._answers_to_lose:
                self._answers_to_lose -= 1
                return
            writer.write(data)
            await writer.drain()


class Network:
    """All cables of a campaign, in a thread of their own. ``do`` calls a method of a cable there."""

    def __init__(self) -> None:
        self._cables: list[Cable] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def cable(self, *targets: int) -> Cable:
        """Lay a cable to the ports."""
        cable = Cable(targets)
        self._cables.append(cable)
        asyncio.run_coroutine_threadsafe(cable.start(), self._loop).result(10)
        return cable

    def do(self, method, *arguments, **named) -> None:
        """Call a method of a cable, and return when it is done."""

        async def call():
            method(*arguments, **named)

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def close(self) -> None:
        """Cut everything."""

        async def end():
            for cable in self._cables:
                cable.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
