"""A real Restate server for tests: on free ports of the loopback, its data in a folder that is removed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOW_TO_GET_IT = (
    "no Restate server is here: npm install --no-save --prefix .ci/tools @restatedev/restate-server@1.7.12, "
    "then set FLUX_TEST_RESTATE_SERVER=.ci/tools/node_modules/.bin/restate-server"
)
_ROOT = Path(__file__).parent.parent
_PATIENCE = 30.0


def find_restate() -> str | None:
    """Return the server's program: named by the environment, on the path, or installed by npm."""
    named = os.environ.get("FLUX_TEST_RESTATE_SERVER")
    places = [
        _ROOT / "node_modules/.bin/restate-server",
        _ROOT / ".ci/tools/node_modules/.bin/restate-server",
    ]
    found = [named, shutil.which("restate-server"), *(str(place) for place in places)]
    program = next((each for each in found if each and Path(each).exists()), None)
    return None if program is None else _binary(Path(program))


def _binary(program: Path) -> str:
    """Return the binary behind npm's launcher, which would stand between us and its signals."""
    beside = program.resolve().parents[1].parent.glob("restate-server-*/bin/restate-server")
    return str(next(beside, program))


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


class RestateServer:
    """A server that can be killed and started again, with the same ports and data.

    ``admin_url`` and ``ingress_url`` are where it is reached, ``folder`` is where its data is.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = {"ADMIN": free_port(), "INGRESS": free_port(), "NODE": free_port()}
        self.admin_url = f"http://127.0.0.1:{self._ports['ADMIN']}"
        self.ingress_url = f"http://127.0.0.1:{self._ports['INGRESS']}"

    def start(self) -> None:
        """Start it, and return when it takes requests."""
        address = "127.0.0.1:{}".format
        settings = {
            "RESTATE_ADMIN__BIND_ADDRESS": address(self._ports["ADMIN"]),
            "RESTATE_INGRESS__BIND_ADDRESS": address(self._ports["INGRESS"]),
            "RESTATE_BIND_ADDRESS": address(self._ports["NODE"]),
            "RESTATE_ADVERTISED_ADDRESS": f"http://{address(self._ports['NODE'])}",
            "RESTATE_BASE_DIR": str(self.folder),
            "RESTATE_LOG_FILTER": "warn",
            "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
            "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "256 MB",
            "RESTATE_DISABLE_TELEMETRY": "true",
        }
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--node-name", "flux"], env=os.environ | settings, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"Restate did not start: {(self.folder / 'server.log').read_text()[-2000:]}"
                )
            time.sleep(0.05)

    def _is_up(self) -> bool:
        for url in (f"{self.admin_url}/health", f"{self.ingress_url}/restate/health"):
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
                    if answer.status != 200:
                        return False
            except OSError:
                return False
        return self._answers_queries()

    def _answers_queries(self) -> bool:
        """Ask all partitions."""
        query = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.admin_url}/query",
            data=b'{"query": "SELECT count(*) FROM sys_invocation UNION ALL SELECT count(*) FROM state"}',
            headers={"content-type": "application/json", "accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(query, timeout=5):  # noqa: S310 - as above
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def restart(self) -> None:
        """Kill it, and start it with the data that it had."""
        self.kill()
        self.start()


@contextmanager
def start_restate() -> Iterator[RestateServer]:
    """Give a running server. Skips the test where there is none."""
    program = find_restate()
    if program is None:
        pytest.skip(HOW_TO_GET_IT)
    with tempfile.TemporaryDirectory(prefix="flux-restate-", ignore_cleanup_errors=True) as folder:
        server = RestateServer(program, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
