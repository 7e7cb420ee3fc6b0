"""An engine in a thread of its own, for programs that call it from anywhere."""

import asyncio
import concurrent.futures
import contextvars
import os
import subprocess
import sys
import threading

import pytest

from flux_engine import FluxEngine, FluxError, MemoryStorage, SQLiteStorage, create_workflow
from flux_engine.integrations.engine_thread import EngineThread
from flux_engine.integrations.reception import Reception

REQUEST = contextvars.ContextVar("REQUEST", default=None)

PROGRAM = """
import asyncio, os, sys, threading
from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.integrations.engine_thread import EngineThread

started = threading.Event()

async def hold(ctx):
    started.set()
    await asyncio.sleep(60)

flow = create_workflow("held").step("hold", hold)
thread = EngineThread(lambda: FluxEngine(storage=SQLiteStorage("flux.db"), stop_grace=0.1))
thread.submit(lambda engine: engine.execute(flow, run_id="run"))
started.wait()
"""


def read_context(ctx):
    ctx.data.request = REQUEST.get()


flow = create_workflow("flow").step("read", read_context)


@pytest.fixture
def thread():
    """A thread with an engine in memory."""
    made = EngineThread(lambda: FluxEngine(storage=MemoryStorage()))
    yield made
    made.close()


def test_handlers_see_the_context_of_the_caller(thread):
    """So that what traces requests finds the request in a step."""
    REQUEST.set("request-7")
    result = thread.submit(lambda engine: engine.execute(flow)).result(timeout=10)
    assert result.data == {"request": "request-7"}


def test_callers_in_many_threads_share_one_engine(thread):
    """And one event loop."""
    seen = set()

    async def look(engine):
        seen.add((id(engine), id(asyncio.get_running_loop()), threading.get_ident()))

    callers = [threading.Thread(target=lambda: thread.submit(look).result(timeout=10)) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(seen) == 1


def test_it_starts_again_after_its_end(thread):
    """``close`` ends the thread; what comes later starts another."""
    thread.submit(lambda engine: engine.execute(flow)).result(timeout=10)
    thread.close()
    thread.close()
    assert thread.submit(lambda engine: engine.execute(flow)).result(timeout=10).ok


def test_the_end_of_the_program_hands_back_its_runs(tmp_path):
    """Even when the program forgets to close: the run is in nobody's hands at once."""
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, check=True, timeout=30)

    async def look():
        async with FluxEngine(storage=SQLiteStorage(tmp_path / "flux.db")) as engine:
            state = await engine.get("run")
            record = await engine._storage.find("run")
            return state.status, state.interrupted, record.owner

    assert asyncio.run(look()) == ("running", True, None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize(
    ("shared", "told"), [("engine", "cannot share one"), ("lambda: engine", "completed")]
)
def test_a_forked_process_makes_an_engine_of_its_own(tmp_path, shared, told):
    """A server that forks after loading is safe with a function; with an engine it is told what to do."""
    program = f"""
import os
from flux_engine import FluxEngine, create_workflow
from flux_engine.integrations.engine_thread import EngineThread

engine = FluxEngine()
flow = create_workflow("flow").step("one", lambda ctx: None)
thread = EngineThread({shared})
if os.fork() == 0:
    try:
        print(thread.submit(lambda engine: engine.execute(flow)).result(timeout=10).status, flush=True)
    except Exception as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=30, capture_output=True, text=True
    )
    assert told in done.stdout


def test_what_makes_no_engine_is_refused():
    """At once, or when it is called."""
    with pytest.raises(TypeError, match="expected a FluxEngine"):
        EngineThread("flux.db")
    with pytest.raises(FluxError, match="it returned None"):
        EngineThread(lambda: None).submit(lambda engine: engine.execute(flow))


def test_a_factory_that_fails_is_an_answer(caplog):
    """500 with nothing of the error in it, which goes to the log."""

    def make_engine():
        raise RuntimeError("no database at db.internal")

    answer = Reception(make_engine, [flow]).answer(b"{}")
    assert (answer.code, answer.body) == (500, {"error": "internal error; it was logged"})
    assert "db.internal" in caplog.text


def test_a_run_whose_time_is_nearly_up_begins_no_further_step():
    """It stops between two steps if it can; its answer has the key to go on with."""
    done = []

    async def first(ctx):
        await asyncio.sleep(0.6)
        done.append("first")

    two = create_workflow("two").step("first", first).step("second", lambda ctx: done.append("second"))
    reception = Reception(lambda: FluxEngine(storage=MemoryStorage()), two)
    answer = reception.answer(b"{}", seconds=1.0)
    assert (answer.code, answer.body["status"], done) == (503, "running", ["first"])
    again = reception.answer(b"{}", key=answer.body["idempotency_key"])
    assert (again.code, again.body["run_id"], done) == (200, answer.body["run_id"], ["first", "second"])
    reception.close()


def test_requests_with_one_key_that_come_at_once_are_one_run(tmp_path):
    """Whichever is first; the others wait for it."""
    began = []

    async def once(ctx):
        began.append(ctx.id)
        await asyncio.sleep(0.05)

    reception = Reception(
        lambda: FluxEngine(storage=SQLiteStorage(tmp_path / "flux.db")),
        create_workflow("w").step("once", once),
    )
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: reception.answer(b"{}", key="k"), range(8)))
    reception.close()
    assert len(began) == 1
    assert {(answer.code, answer.body["run_id"]) for answer in answers} == {(200, began[0])}


def test_a_store_that_fails_is_an_answer(tmp_path):
    """503 with ``Retry-After``: the same request may work later."""
    (tmp_path / "flux.db").write_bytes(b"no database" * 1000)
    reception = Reception(lambda: FluxEngine(storage=SQLiteStorage(tmp_path / "flux.db")), flow)
    answer = reception.answer(b"{}")
    assert (answer.code, answer.headers["Retry-After"], answer.settled) == (503, "1", False)
    reception.close()
