"""An engine that lives as long as an ASGI application, under a real uvicorn server and by the protocol."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from served_function import free_port, until

from flux_engine import FluxEngine, MemoryStorage, SQLiteStorage, StorageError, create_workflow
from flux_engine.integrations.asgi import FluxMiddleware, flux_lifespan

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

HERE = Path(__file__).parent
SERVICE = """
import asyncio
from cloud_workflows import FOLDER, WORKFLOWS, claim_flow, slow_flow
from flux_engine import FluxEngine, SQLiteStorage
from flux_engine.integrations.asgi import FluxMiddleware, flux_lifespan
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

engine = FluxEngine(storage=SQLiteStorage(FOLDER / "flux.db"), stop_grace=0.2)
background = set()

async def wait(request):
    result = await request.app.state.flux.execute(slow_flow, run_id=request.path_params["id"])
    return JSONResponse({"status": result.status})

async def begin(request):
    task = asyncio.create_task(request.state.flux.execute(slow_flow, run_id=request.path_params["id"]))
    background.add(task)
    return JSONResponse({}, 202)

async def look(request):
    state = await request.state.flux.get(request.path_params["id"])
    return JSONResponse({"status": state.status})

app = Starlette(
    routes=[
        Route("/wait/{id}", wait, methods=["POST"]),
        Route("/begin/{id}", begin, methods=["POST"]),
        Route("/look/{id}", look),
    ],
    lifespan=flux_lifespan(engine, WORKFLOWS),
)

async def raw(scope, receive, send):
    assert scope["type"] == "http"
    state = await scope["state"]["flux"].get(scope["path"].rpartition("/")[2])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ('{"status": "%s"}' % state.status).encode()})

wrapped = FluxMiddleware(raw, engine, WORKFLOWS)
"""


class Service:
    """A service in ``folder``, served by uvicorn."""

    def __init__(self, folder, target="service:app"):
        self.folder = folder
        self.port = free_port()
        (folder / "service.py").write_text(SERVICE)
        environ = os.environ | {
            "FLUX_TEST_FOLDER": str(folder),
            "PYTHONPATH": os.pathsep.join((str(HERE), str(HERE.parents[1]), str(folder))),
        }
        self.log = (folder / "service.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", target, "--port", str(self.port),
             "--timeout-graceful-shutdown", "1"],
            cwd=folder, env=environ, stdout=self.log, stderr=self.log,
        )  # fmt: skip

    def call(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path)
            return json.loads(connection.getresponse().read() or "null")

    def status_of(self, run):
        """Return the status of a run; ``None`` before the service listens."""
        assert self.process.poll() is None, Path(self.log.name).read_text()
        with contextlib.suppress(ConnectionError):
            return self.call("GET", f"/look/{run}")["status"]
        return None

    def begin(self, run):
        """Start a run in the background, and wait until it is in its second step."""
        until(self.listens, "the service listens")
        self.call("POST", f"/begin/{run}")
        until(lambda: "hold" in steps(self.folder, run), "the step holds")

    def listens(self):
        assert self.process.poll() is None, Path(self.log.name).read_text()
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=30)
        self.log.close()


@pytest.fixture
def serve(tmp_path):
    """Start a service in the folder of the test; all that are left are ended with it."""
    services = []

    def start(target="service:app"):
        services.append(Service(tmp_path, target))
        return services[-1]

    yield start
    for service in services:
        service.stop(signal.SIGKILL)


def steps(folder, run):
    """Return the steps of a run that were begun."""
    path = folder / "marks"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [line[1] for line in lines if line[2] == run]


async def stored(folder, run):
    async with FluxEngine(storage=SQLiteStorage(folder / "flux.db")) as engine:
        record = await engine._storage.find(run)
        return record.status, record.owner


def test_a_service_that_is_stopped_hands_back_its_runs_and_the_next_one_completes_them(serve, tmp_path):
    """SIGTERM in the middle of two runs, one of which a request waits for; no completed step runs twice.

    The next one is another kind of application, with the middleware.
    """
    service = serve()
    service.begin("behind")
    waiting = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    waiting.request("POST", "/wait/before")
    until(lambda: "hold" in steps(tmp_path, "before"), "the second run holds")
    service.stop()
    waiting.close()
    for run in ("behind", "before"):
        assert asyncio.run(stored(tmp_path, run)) == ("running", None)
    (tmp_path / "gate").touch()
    service = serve("service:wrapped")
    for run in ("behind", "before"):
        until(lambda run=run: service.status_of(run) == "completed", "the run completes")
        assert steps(tmp_path, run) == ["fetch", "hold", "hold", "charge"]


def test_a_service_that_is_killed_loses_nothing(serve, tmp_path):
    """The next one takes over at its start."""
    service = serve()
    service.begin("killed")
    service.stop(signal.SIGKILL)
    (tmp_path / "gate").touch()
    service = serve()
    until(lambda: service.status_of("killed") == "completed", "the run completes")
    assert steps(tmp_path, "killed") == ["fetch", "hold", "hold", "charge"]


# By the protocol, in this process

flow = create_workflow("flow").step("one", lambda ctx: None)


class Server:
    """The server's side of the lifespan protocol."""

    def __init__(self, app):
        self.scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self.inbox = asyncio.Queue()
        self.sent = []
        self.news = asyncio.Event()
        self.task = asyncio.ensure_future(app(self.scope, self.inbox.get, self.send))

    async def send(self, message):
        self.sent.append(message["type"].removeprefix("lifespan."))
        self.news.set()

    async def start(self):
        await self.inbox.put({"type": "lifespan.startup"})
        await self.settled(1)

    async def stop(self):
        await self.inbox.put({"type": "lifespan.shutdown"})
        await self.task

    async def settled(self, count):
        while len(self.sent) < count and not self.task.done():
            self.news.clear()
            waits = asyncio.ensure_future(self.news.wait())
            await asyncio.wait([waits, self.task], return_when=asyncio.FIRST_COMPLETED)
            waits.cancel()


@pytest.fixture
def engine():
    return FluxEngine(storage=MemoryStorage())


def silent(engine):
    async def app(scope, receive, send):
        assert scope["type"] == "http"

    return app


def returning(engine):
    async def app(scope, receive, send):
        pass

    return app


def polite(engine):
    async def app(scope, receive, send):
        assert (await receive())["type"] == "lifespan.startup"
        assert engine._opened
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        assert engine._opened
        await send({"type": "lifespan.shutdown.complete"})

    return app


@pytest.mark.parametrize("make_app", [silent, returning, polite])
async def test_any_application_has_an_engine_while_it_serves(engine, make_app):
    """One that raises at a lifespan, one that returns, and one that has its own, inside of ours."""
    server = Server(FluxMiddleware(make_app(engine), engine, [flow]))
    await server.start()
    assert server.sent == ["startup.complete"]
    assert server.scope["state"]["flux"] is engine
    assert (await engine.execute(flow)).ok
    await server.stop()
    assert server.sent == ["startup.complete", "shutdown.complete"]
    assert not engine._opened


async def test_a_request_finds_the_engine_in_its_scope(engine):
    """Under the name that was chosen."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["state"]["workflows"])

    await FluxMiddleware(app, engine, [flow], name="workflows")({"type": "http"}, None, None)
    assert seen == [engine]


async def test_a_store_that_cannot_be_opened_fails_the_start(tmp_path):
    """With the reason, which the server shows."""
    (tmp_path / "flux.db").write_bytes(b"no database" * 1000)
    broken = FluxEngine(storage=SQLiteStorage(tmp_path / "flux.db"))
    server = Server(FluxMiddleware(returning(broken), broken, [flow]))
    await server.start()
    assert server.sent == ["startup.failed"]
    with pytest.raises(StorageError):
        await server.task


async def test_a_start_of_the_application_that_fails_closes_the_engine(engine):
    """The server is told once."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no mail server"})

    server = Server(FluxMiddleware(app, engine, [flow]))
    await server.start()
    await server.task
    assert server.sent == ["startup.failed"]
    assert not engine._opened


async def test_a_lifespan_that_exists_is_kept(engine):
    """It begins when the engine is open, ends before it is closed, and its state stays."""
    order = []

    @asynccontextmanager
    async def lifespan(app):
        order.append(("begins", engine._opened, app.state.workflows is engine))
        yield {"pool": 5}
        order.append(("ends", engine._opened))

    app = SimpleNamespace(state=SimpleNamespace())
    async with flux_lifespan(engine, [flow], name="workflows", lifespan=lifespan)(app) as state:
        assert state == {"workflows": engine, "pool": 5}
    assert order == [("begins", True, True), ("ends", True)]
    assert not engine._opened


async def test_an_application_without_a_state_is_served_too(engine):
    """The engine is in what the lifespan yields."""
    async with flux_lifespan(engine, [flow])(object()) as state:
        assert state == {"flux": engine}
