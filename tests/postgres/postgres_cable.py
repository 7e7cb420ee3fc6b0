"""The cable between a store and its server: it can be cut, plugged in, and cut before an answer comes."""

import contextlib
import selectors
import socket
import threading
from urllib.parse import urlsplit

from postgres_server import dsn_of


class Cable:
    """Passes bytes on between clients and a server, in a thread.

    ``dsn`` leads through it. ``cut_before_answer`` is called with what a client sends; when it says so, the
    server is given it and the connection is cut when it answers: the client does not learn what became of it.
    """

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.dsn = dsn_of(dsn, port=str(self._listener.getsockname()[1]))
        self.cut_before_answer = lambda sent: False
        self.plugged = True
        self.answers_lost = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._doomed: set[socket.socket] = set()
        self._dropping = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Cut all connections, and let nobody connect."""
        self.plugged = False
        for pair in list(self._pairs):
            self._drop(pair)

    def plug_in(self) -> None:
        """Let connections be made again."""
        self.plugged = True

    def close(self) -> None:
        """End it."""
        self._ended = True
        self._thread.join()
        self.cut()
        self._listener.close()

    def _serve(self) -> None:
        while not self._ended:
            with selectors.DefaultSelector() as ready:
                ready.register(self._listener, selectors.EVENT_READ)
                for pair in list(self._pairs):
                    for end in pair:
                        with contextlib.suppress(ValueError, KeyError):
                            ready.register(end, selectors.EVENT_READ, pair)
                for key, _ in ready.select(0.02):
                    with contextlib.suppress(OSError):
                        if key.data is None:
                            self._accept()
                        else:
                            self._pass_on(key.fileobj, key.data)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.plugged:
            self._pairs.append((client, socket.create_connection(self._target)))
        else:
            client.close()

    def _pass_on(self, end: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        try:
            data = end.recv(1 << 20)
        except OSError:
            data = b""
        if data and end is server and server in self._doomed:
            self.answers_lost += 1
            data = b""
        if not data:
            self._drop(pair)
        elif end is client:
            if self.cut_before_answer(data):
                self._doomed.add(server)
            server.sendall(data)
        else:
            client.sendall(data)

    def _drop(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._dropping:  # by the thread, or by whoever cuts the cable
            if pair not in self._pairs:
                return
            self._pairs.remove(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
