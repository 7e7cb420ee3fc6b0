"""A real functions-framework server as a child process, and requests to it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, seconds=30.0):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


class ServedFunction:
    """A function in ``folder``/main.py, served by the framework that Google runs."""

    def __init__(self, folder, target, signature="http"):
        self.folder = folder
        self.port = free_port()
        environ = os.environ | {
            "FLUX_TEST_FOLDER": str(folder),
            "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}",
            "THREADS": "8",
        }
        self.log = (folder / f"{target}-{self.port}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "functions_framework", "--target", target, "--signature-type", signature,
             "--source", str(folder / "main.py"), "--host", "127.0.0.1", "--port", str(self.port)],
            cwd=folder, env=environ, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip

    def ready(self):
        """Wait until it serves; return it."""
        until(self.listens, "the server listens")
        return self

    def listens(self):
        assert self.process.poll() is None, Path(self.log.name).read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def call(self, body, *, method="POST", path="/", headers=()):
        """Return the status and the body of the answer, decoded when it is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"} | dict(headers))
            response = connection.getresponse()
            text = response.read()
            is_json = response.headers["Content-Type"] == "application/json"
            return response.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def send(self, body, *, path="/"):
        """Send a request without waiting for its answer; return the connection."""
        data = json.dumps(body).encode()
        client = socket.create_connection(("127.0.0.1", self.port), 30)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        client.sendall(head.encode() + data)
        return client

    def kill(self):
        """End the server and its workers with no time to say anything."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)
        self.log.close()
