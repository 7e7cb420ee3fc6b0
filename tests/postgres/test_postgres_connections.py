"""Connections that are lost: nothing is lost with them, and nothing is written twice."""

import asyncio
import contextlib
import threading
import time

import psycopg
import pytest
from postgres_cable import Cable
from postgres_server import fresh_database, start_postgres

from flux_engine import FluxEngine, FluxSilentLogger, StorageError, create_workflow
from flux_engine.errors import OwnershipLostError, RunExistsError
from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_engine.storage.contract_parts import NOON, a_run, a_write, an_entry
from flux_engine.storage.postgres import PostgresStorage


@pytest.fixture
def cable(database):
    """A cable to the server."""
    cable = Cable(database)
    yield cable
    cable.close()


@pytest.fixture
async def far(cable, schema):
    """A store at the end of the cable, open."""
    storage = PostgresStorage(cable.dsn, schema=schema, writers=1, patience=20)
    await storage.open()
    yield storage
    cable.plug_in()
    await storage.close()


def lose_answer_to(cable, part, times=1):
    """Have the answers lost to the next ``times`` messages that contain ``part``."""
    left = [times]

    def doomed(sent):
        if left[0] and part in sent:
            left[0] -= 1
            return True
        return False

    cable.cut_before_answer = doomed


def terminate_all(dsn):
    """End all connections to the database but this one."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_reads_and_writes_go_on_after_all_connections_were_ended(storage, database):
    """Whoever asks next notices nothing."""
    await storage.create(a_run(), [an_entry(1)])
    terminate_all(database)
    assert await storage.find("run-1") == a_run()
    terminate_all(database)
    await storage.save(a_write(entries=(an_entry(2),)))
    terminate_all(database)
    assert [entry.seq for entry in await storage.journal("run-1")] == [1, 2]


async def test_a_write_whose_answer_is_lost_is_made_once(far, cable):
    """A creation, a claim, steps, a deletion: each reports what it did the first time."""
    lose_answer_to(cable, b"run-1")
    await far.create(a_run(), [an_entry(1)])
    with pytest.raises(RunExistsError):
        await far.create(a_run())
    lose_answer_to(cable, b"COMMIT")
    assert await far.claim("run-1", fence=0, owner="me", lease_until=NOON) == 1
    lose_answer_to(cable, b"run-1")
    await far.request("run-1", "pause")
    lose_answer_to(cable, b"run-1")
    assert await far.save(a_write(fence=1, owner="me", entries=(an_entry(2),))) == "pause"
    lose_answer_to(cable, b"COMMIT")
    assert await far.delete("run-1") is True
    assert cable.answers_lost >= 5
    assert await far.find("run-1") is None


async def test_of_a_batch_whose_answer_is_lost_each_write_is_told_its_own_outcome(far, cable):
    """Those that were refused are refused, those that were made are made, requests are delivered."""
    for n in range(12):
        await far.create(a_run(f"run-{n}", owner="me", fence=n % 2))
    await far.request("run-2", "cancel")
    blocker = asyncio.create_task(far.create(a_run("first")))  # the others share the batch after it
    await asyncio.sleep(0)
    lose_answer_to(cable, b"run-10")
    outcomes = await asyncio.gather(
        *(far.save(a_write(f"run-{n}", owner="me", entries=(an_entry(1),))) for n in range(12)),
        return_exceptions=True,
    )
    await blocker
    assert cable.answers_lost == 1
    assert outcomes[2] == "cancel"
    kinds = [OwnershipLostError if isinstance(o, OwnershipLostError) else None for o in outcomes]
    assert kinds == [None, OwnershipLostError] * 6
    assert [len(await far.journal(f"run-{n}")) for n in range(12)] == [1, 0] * 6


async def test_a_step_that_gave_up_the_run_is_told_so_although_another_has_taken_it(far, cable, make_storage):
    """The fencing token has moved on when the writer asks again; its write was made all the same."""
    await far.create(a_run(owner="me"))
    other = make_storage()
    await other.open()
    lose_answer_to(cable, b"run-1")
    cable_cut = threading.Event()

    def lost(sent):
        if b"run-1" in sent and not cable_cut.is_set():
            cable_cut.set()
            cable.plugged = False
            return True
        return False

    cable.cut_before_answer = lost
    saving = asyncio.create_task(far.save(a_write(status=RunStatus.PAUSED, entries=(an_entry(1),))))
    async with asyncio.timeout(20):
        while cable.answers_lost == 0:
            await asyncio.sleep(0.01)
    await other.claim("run-1", fence=0, owner="you")
    cable.plug_in()
    assert await saving is None
    with pytest.raises(OwnershipLostError):
        await far.save(a_write(status=RunStatus.FAILED))
    found = await other.find("run-1")
    assert (found.status, found.owner, found.fence) == (RunStatus.PAUSED, "you", 1)


async def test_patience_ends_with_an_error_and_the_store_works_again_later(cable, schema):
    """What could not be stored is said to be so; nothing has to be opened anew."""
    storage = PostgresStorage(cable.dsn, schema=schema, patience=0.3)
    await storage.open()
    await storage.create(a_run(owner="me"))
    cable.cut()
    began = time.monotonic()
    with pytest.raises(StorageError, match="cannot be reached"):
        await storage.save(a_write(owner="me", entries=(an_entry(1),)))
    with pytest.raises(StorageError):
        await storage.find("run-1")
    assert time.monotonic() - began < 10
    cable.plug_in()
    await storage.save(a_write(owner="me", entries=(an_entry(2),)))
    assert (await storage.journal("run-1"))[-1] == an_entry(2)
    await storage.close()


async def test_a_run_is_finished_later_when_the_store_went_away_in_the_middle(cable, schema, tmp_path):
    """The engine says that it could not go on; ``recover`` finishes the run and repeats no completed step."""
    calls = []
    storage = PostgresStorage(cable.dsn, schema=schema, patience=0.2)

    async def cut(ctx):
        calls.append("b")
        if len(calls) == 2:
            cable.cut()

    flow = create_workflow("flow").step("a", lambda ctx: calls.append("a")).step("b", cut)
    flow.step("c", lambda ctx: calls.append("c"))
    async with FluxEngine(storage=storage, logger=FluxSilentLogger(), default_retries=0) as engine:
        with pytest.raises(StorageError):
            await engine.execute(flow, run_id="run-1")
        cable.plug_in()
        assert await engine.recover([flow]) == ["run-1"]
        async with asyncio.timeout(20):
            while (await engine.get("run-1")).status != "completed":
                await asyncio.sleep(0.01)
    assert calls.count("a") == 1
    assert calls[-1] == "c"


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_a_server_that_restarts_in_the_middle_of_load(how):
    """Every run ends, and each step of each run was done once, and is stored once."""
    done: dict[tuple[str, str], int] = {}

    async def count(ctx):
        key = (ctx.id, ctx.current_step)
        done[key] = done.get(key, 0) + 1
        ctx.data.n = (ctx.data.get("n") or 0) + 1

    flow = create_workflow("load")
    for n in range(8):
        flow = flow.step(f"s{n}", count)

    async def load(dsn, server):
        ended = asyncio.Event()

        async def runs(engine):
            results = []
            while not ended.is_set():
                results.append(await engine.execute(flow))
            return results

        storage = PostgresStorage(dsn)
        async with FluxEngine(storage=storage, logger=FluxSilentLogger(), default_retries=0) as engine:
            tasks = [asyncio.create_task(runs(engine)) for _ in range(8)]
            for _ in range(2):
                before = len(done)
                while len(done) < before + 100:
                    await asyncio.sleep(0.01)
                if how == "restart":
                    await asyncio.to_thread(server.restart)
                else:
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
            ended.set()
            results = [result for each in await asyncio.gather(*tasks) for result in each]
            rows = await storage.list(RunQuery(limit=100_000))
            journals = [len(await storage.journal(row.id)) for row in rows]
        assert {result.status for result in results} == {"completed"}
        assert {row.status for row in rows} == {RunStatus.COMPLETED}
        assert {result.id for result in results} == {row.id for row in rows}
        assert set(journals) == {8}
        assert {result.data["n"] for result in results} == {8}

    with start_postgres() as server, contextlib.ExitStack() as stack:
        database = stack.enter_context(fresh_database(server.dsn))
        asyncio.run(load(database, server))
    assert set(done.values()) == {1}
