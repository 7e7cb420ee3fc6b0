"""What is particular to a store on PostgreSQL."""

import asyncio
import os
import re
import socket
import time

import psycopg
import pytest
from msgspec.structs import replace
from postgres_server import EXISTING, dsn_of, start_postgres

from flux_engine import FluxEngine, FluxSilentLogger, StorageError, create_workflow
from flux_engine.errors import OwnershipLostError, SchemaVersionError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage.base import RunQuery
from flux_engine.storage.contract_parts import NOON, a_run, a_write, an_entry
from flux_engine.storage.postgres import PostgresStorage
from flux_engine.storage.postgres import schema as tables

HOSTILE = "a\0b \ud800 \uf5ff0041 \uf5ff é😀 {\"'\\,} NULL %s ?"


def execute(dsn, *statements):
    """Make statements by hand; return the rows of the last."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


async def until(condition):
    """Wait until a coroutine function says so."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_texts_that_postgres_cannot_hold_come_back_to_the_letter(storage):
    """NUL characters, halves of surrogate pairs and whatever has a meaning in an array literal."""
    run = a_run(
        HOSTILE, workflow=HOSTILE, input=HOSTILE, graph=HOSTILE, owner=HOSTILE, error=HOSTILE,
        error_summary=HOSTILE, current_step=HOSTILE, idempotency_key=HOSTILE,
    )  # fmt: skip
    entry = an_entry(
        1, step=HOSTILE, output=HOSTILE, changes=HOSTILE, error=HOSTILE, detail=HOSTILE, fingerprint=HOSTILE
    )
    await storage.create(run, [entry], (("0" * 64, HOSTILE),))
    assert await storage.find(HOSTILE) == run
    assert await storage.find_by_key(HOSTILE, HOSTILE) == run
    assert await storage.journal(HOSTILE) == [entry]
    assert await storage.blobs(HOSTILE) == {"0" * 64: HOSTILE}
    assert [row.id for row in await storage.list(RunQuery(text="b \ud800"))] == [HOSTILE]
    assert [row.id for row in await storage.list(RunQuery(id_prefix="a\0", workflow=HOSTILE))] == [HOSTILE]
    await storage.request(HOSTILE, "pause")
    assert await storage.save(a_write(HOSTILE, owner=HOSTILE, entries=(entry,))) == "pause"
    assert await storage.renew(HOSTILE, NOON) == {HOSTILE: "pause"}
    assert await storage.claim(HOSTILE, fence=0, owner="me") == 1
    with pytest.raises(OwnershipLostError):
        await storage.save(a_write(HOSTILE))
    assert await storage.delete(HOSTILE) is True


async def test_a_write_that_the_server_refuses_takes_no_other_with_it(storage):
    """An id too long for an index fails alone, in the middle of a batch."""
    long = os.urandom(9000).hex()  # which does not become shorter by compression
    ids = ["a", "b", long, "c", "d"]
    outcomes = await asyncio.gather(*(storage.create(a_run(each)) for each in ids), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [StorageError] + [type(None)] * 2
    assert len(await storage.list(RunQuery())) == 4


async def test_writes_of_one_run_are_made_in_their_order(make_storage):
    """However many connections write, the last write asked for is the last made."""
    storage = make_storage(writers=4)
    await storage.open()
    await storage.create(a_run(owner="me"))
    await asyncio.gather(
        *(storage.save(a_write(owner="me", current_step=str(n), entries=(an_entry(n),))) for n in range(50))
    )
    assert (await storage.find("run-1")).current_step == "49"
    assert len(await storage.journal("run-1")) == 50


async def test_a_schema_of_ones_choice(database, make_storage):
    """Any name; two schemas of a database are two stores, and each keeps to its own."""
    one, other = make_storage(schema="Flux Test-1"), make_storage(schema="flux$2é")
    for storage in (one, other):
        await storage.open()
    await one.create(a_run())
    assert await other.find("run-1") is None
    assert execute(database, 'SELECT id FROM "Flux Test-1".runs') == [("run-1",)]


@pytest.mark.parametrize("name", ["", "a" * 64, 'a"b', "1a", "pg_flux", "information_schema", "a;b", "a.b"])
def test_a_name_that_is_none_of_a_schema_is_refused(name):
    """Before anything is connected to."""
    with pytest.raises(StorageError, match="schema"):
        PostgresStorage("postgresql://localhost/x", schema=name)


async def test_a_schema_of_another_program_is_left_alone(database, make_storage):
    """The error names it and says what to do."""
    execute(database, "CREATE SCHEMA theirs", "CREATE TABLE theirs.runs (n integer)")
    with pytest.raises(StorageError, match="another program"):
        await make_storage(schema="theirs").open()
    found = "SELECT relname FROM pg_class WHERE relnamespace = 'theirs'::regnamespace"
    assert execute(database, found) == [("runs",)]


@pytest.mark.skipif(EXISTING in os.environ, reason="makes a role")
async def test_an_empty_schema_is_used(database, make_storage):
    """Somebody else may have to make it, for a role that may not."""
    execute(database, "CREATE SCHEMA made", "CREATE ROLE worker LOGIN", "GRANT ALL ON SCHEMA made TO worker")
    storage = PostgresStorage(dsn_of(database, user="worker"), schema="made")
    await storage.open()
    await storage.create(a_run())
    await storage.close()
    with pytest.raises(StorageError, match="does not allow it.*CREATE SCHEMA unmade AUTHORIZATION worker"):
        await PostgresStorage(dsn_of(database, user="worker"), schema="unmade").open()
    assert execute(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'unmade'") == [(0,)]


@pytest.mark.skipif(EXISTING in os.environ, reason="makes a role")
async def test_what_a_role_may_not_do_is_granted_with_what_the_error_says(storage, database, schema):
    """First to look, then to work: the statements are in the message, with the names of schema and role."""
    await storage.create(a_run())
    execute(database, "CREATE ROLE guest LOGIN")
    guest = PostgresStorage(dsn_of(database, user="guest"), schema=schema, read_only=True)
    with pytest.raises(StorageError, match="is another role's") as refused:
        await guest.open()
    assert "LINE 1" not in str(refused.value)
    look, work = re.findall("`(GRANT [^`]*)`", str(refused.value))
    execute(database, *look.split("; "))
    await guest.open()
    assert [row.id for row in await guest.list(RunQuery())] == [a_run().id]
    await guest.close()
    working = PostgresStorage(dsn_of(database, user="guest"), schema=schema)
    with pytest.raises(StorageError, match="GRANT INSERT"):
        await working.open()
    execute(database, work)
    await working.open()
    await working.create(a_run("second"))
    await working.close()
    assert {row.id for row in await storage.list(RunQuery())} == {a_run().id, "second"}


async def test_a_newer_schema_is_refused_and_left_as_it_is(database, schema, storage):
    """Also by somebody who only reads."""
    execute(database, f"UPDATE {schema}.flux_version SET version = 99")
    for read_only in (False, True):
        with pytest.raises(SchemaVersionError, match="version 99"):
            await PostgresStorage(database, schema=schema, read_only=read_only).open()
    assert execute(database, f"SELECT version FROM {schema}.flux_version") == [(99,)]


async def test_an_older_schema_is_migrated_with_its_runs(
    database, schema, storage, make_storage, monkeypatch
):
    """By one of several that open it at the same moment."""
    await storage.create(a_run(), [an_entry(1)])
    monkeypatch.setattr(
        tables, "MIGRATIONS", (*tables.MIGRATIONS, "ALTER TABLE {s}.runs ADD COLUMN extra text")
    )
    with pytest.raises(StorageError, match="version 1; version 2 is needed"):
        await make_storage(read_only=True).open()
    await asyncio.gather(*(make_storage().open() for _ in range(4)))
    assert execute(database, f"SELECT version, extra FROM {schema}.flux_version, {schema}.runs") == [
        (2, None)
    ]
    assert await storage.journal("run-1") == [an_entry(1)]


async def test_who_only_reads_creates_and_writes_nothing(database, schema, make_storage):
    """Not even the schema; and what is there can be read."""
    with pytest.raises(StorageError, match="is not there or empty"):
        await make_storage(read_only=True).open()
    assert execute(database, f"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'") == [(0,)]
    writer, reader = make_storage(), make_storage(read_only=True)
    await writer.open()
    await writer.create(a_run())
    await reader.open()
    assert await reader.find("run-1") == a_run()
    for refused in (reader.create(a_run("b")), reader.renew("me", NOON), reader.delete("run-1")):
        with pytest.raises(StorageError, match="read_only"):
            await refused
    with pytest.raises(StorageError, match="read_only"):
        reader.transaction("run-1")

    async def still() -> bool:
        return await reader.revision() == await reader.revision()

    await until(still)  # what the writer has to tell may come in between


async def test_another_store_changes_the_revision_soon(storage, make_storage):
    """A writer elsewhere is heard of, the last of many writes too; without writes the number stands still."""
    other = make_storage()
    await other.open()
    await other.revision()
    await until(lambda: _listens(other))
    for n in range(20):
        await storage.create(a_run(f"run-{n}"))
    seen = await other.revision()
    await storage.save(a_write("run-0", current_step="last"))
    await until(lambda: _differs(other, seen))
    await asyncio.sleep(0.1)
    assert (await other.find("run-0")).current_step == "last"
    still = await other.revision()
    assert await other.revision() == still


async def test_the_revision_is_right_without_the_listener(storage, make_storage, database):
    """When its connection was ended it asks the server, and it listens again by itself."""
    other = make_storage()
    await other.open()
    await other.revision()
    await until(lambda: _listens(other))
    seen = await other.revision()
    execute(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flux-listener'"
        " AND datname = current_database()",
    )
    await until(lambda: _differs(other, seen))
    seen = await other.revision()
    await storage.create(a_run())
    await until(lambda: _differs(other, seen))
    await until(lambda: _listens(other))


async def test_a_writer_that_says_nothing_is_noticed(storage, make_storage, database, schema):
    """Whatever changes the tables without a notification is seen by looking."""
    await storage.create(a_run())
    other = make_storage()
    await other.open()
    await other.revision()
    await until(lambda: _listens(other))
    seen = await other.revision()
    execute(database, f"UPDATE {schema}.runs SET current_step = 'by hand'")
    await until(lambda: _differs(other, seen))


async def _listens(storage):
    return storage._listener.listening


async def _differs(storage, seen):
    return await storage.revision() != seen


async def test_a_host_whose_clock_is_wrong_keeps_its_lease_and_takes_nobody_elses(make_storage):
    """Leases end by the clock of the server, and each host is told of them by its own."""
    right = make_storage()
    ahead = make_storage(clock=lambda: time.time() + 3600)
    behind = make_storage(clock=lambda: time.time() - 3600)
    for storage in (right, ahead, behind):
        await storage.open()
    hosts = {"right": (right, 0), "ahead": (ahead, 3600), "behind": (behind, -3600)}
    for name, (storage, offset) in hosts.items():
        await storage.create(a_run(name, owner=name, lease_until=time.time() + offset + 30))
    for storage, offset in hosts.values():
        for name in hosts:
            left = (await storage.find(name)).lease_until - (time.time() + offset)
            assert 25 < left < 30.5
    for name, (storage, offset) in hosts.items():
        await storage.renew(name, time.time() + offset - 5)
        for each, by in hosts.values():
            assert (await each.find(name)).lease_until < time.time() + by


async def test_runs_of_a_host_with_a_wrong_clock_are_recovered_when_its_lease_has_ended(make_storage, schema):
    """Neither before, by a host that is an hour ahead, nor never, by one that is an hour behind."""
    flow = create_workflow("orders").step("pay", lambda ctx: None)
    dead = '{"host": "elsewhere", "pid": 1, "started": "x", "engine": "gone"}'
    graph = '{"name": "orders", "steps": [{"name": "pay", "index": 0}], "edges": []}'
    there = make_storage()
    await there.open()
    run = a_run(owner=dead, graph=graph, input="null")
    for offset in (3600, -3600):

        class Clock:
            def now(self, offset=offset):
                return time.time() + offset

            monotonic = staticmethod(time.monotonic)
            sleep = staticmethod(asyncio.sleep)

        storage = make_storage(clock=Clock().now)
        engine = FluxEngine(storage=storage, clock=Clock(), logger=FluxSilentLogger())
        alive, ended = f"alive{offset}", f"ended{offset}"
        await there.create(replace(run, id=alive, lease_until=time.time() + 60))
        await there.create(replace(run, id=ended, lease_until=time.time() - 0.1))
        async with engine:
            assert await engine.recover([flow]) == [ended]
            await until(lambda ended=ended: _has_ended(there, ended))


async def _has_ended(storage, run_id):
    return (await storage.find(run_id)).status is RunStatus.COMPLETED


async def test_where_there_is_no_store_it_is_said_in_time(database):
    """Whatever is wrong with the DSN, the error says what to do, soon, and never shows the password."""
    secret = "s3cr3t-pass"  # noqa: S105
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        wrong = {
            "has no such database": dsn_of(database, dbname="nowhere", password=secret),
            "has no such database or role": dsn_of(database, user="nobody_here", password=secret),
            "cannot be reached": dsn_of(database, port="1", password=secret),
            "did not answer in time": dsn_of(database, port=port, password=secret),
        }
        for said, dsn in wrong.items():
            began = time.monotonic()
            with pytest.raises(StorageError, match=said) as raised:
                await PostgresStorage(dsn, connect_timeout=2).open()
            assert time.monotonic() - began < 5
            assert secret not in str(raised.value)
            assert secret not in repr(raised.value.__cause__)
    for dsn in (f"postgresql://u:{secret}@[bad", f"postgresql://u:{secret}@h/x?unknown=1", f"u {secret}"):
        with pytest.raises(StorageError, match="not one that PostgreSQL understands") as raised:
            PostgresStorage(dsn)
        assert secret not in str(raised.value)
        assert raised.value.__cause__ is raised.value.__context__ is None
    assert secret not in repr(PostgresStorage(dsn_of(database, password=secret)))


async def test_a_wrong_password_is_said_to_be_wrong():
    """The message has the advice and not the password."""
    secret = "not-the-right-one"  # noqa: S105
    with start_postgres() as server:
        execute(server.dsn, "CREATE ROLE careful LOGIN PASSWORD 'right'")
        server.ask_for_passwords()
        storage = PostgresStorage(dsn_of(server.dsn, user="careful", password=secret))
        with pytest.raises(StorageError, match="refused the login") as raised:
            await storage.open()
        assert secret not in str(raised.value)
        right = PostgresStorage(dsn_of(server.dsn, user="careful", password="right"), schema="x")  # noqa: S106
        with pytest.raises(StorageError, match="does not allow it"):
            await right.open()


async def test_the_tables_are_comfortable_to_query_by_hand(storage, database, schema):
    """Times are times, JSON is JSON, and the view has the latest attempt of each step."""
    done = an_entry(1, status=StepStatus.COMPLETED, completed_at=NOON + 2.5, output='{"n": 1}')
    await storage.create(a_run(), [an_entry(1), done])
    query = f"SELECT step, status, seconds::float8, output::json ->> 'n' FROM {schema}.steps"
    assert execute(database, query) == [("step-1", "completed", 1.5, "1")]
    query = f"SELECT input::json ->> 'order_id' FROM {schema}.definitions JOIN {schema}.runs ON id = run_id"
    assert execute(database, query) == [("1",)]
