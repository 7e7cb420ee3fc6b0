"""Where the RabbitMQ of the tests is, and a way to it that can be cut."""

import asyncio
import contextlib
import os
from urllib.parse import urlsplit

URL = os.environ.get("FLUX_TEST_RABBITMQ_URL", "")


class Cable:
    """A way to the broker that can be cut."""

    def __init__(self):
        self._writers = []
        self.url = ""

    @contextlib.asynccontextmanager
    async def laid(self):
        """Pass everything on, in both directions."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        parts = urlsplit(URL)
        there = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
        self.url = parts._replace(netloc=there, query="reconnect_interval=0.1").geturl()
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    def cut(self):
        """Break every connection at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader, writer):
        parts = urlsplit(URL)
        other_reader, other_writer = await asyncio.open_connection(parts.hostname, parts.port)
        self._writers += [writer, other_writer]
        await asyncio.gather(_pass_on(reader, other_writer), _pass_on(other_reader, writer))


async def _pass_on(reader, writer):
    with contextlib.suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()
