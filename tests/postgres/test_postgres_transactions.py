"""``ctx.tx`` on PostgreSQL: what a commit writes and the record of the commit are one transaction."""

import asyncio
import contextlib
import threading

import psycopg
import pytest
from postgres_cable import Cable
from postgres_server import fresh_database, start_postgres

from flux_engine import FluxEngine, FluxSilentLogger, OwnershipLostError, StorageError, create_workflow
from flux_engine.storage.postgres import PostgresStorage

INSERT = "INSERT INTO receipts (run, attempt) VALUES (?, ?)"

TABLES = """
DROP SCHEMA IF EXISTS flux CASCADE;
DROP TABLE IF EXISTS receipts, bookings, accounts, mine;
CREATE TABLE receipts (run text, attempt integer, UNIQUE (run, attempt));
CREATE TABLE accounts (name text PRIMARY KEY, balance integer);
CREATE TABLE bookings (account text REFERENCES accounts DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture
def dsn(database):
    """A database with new tables of the user, and no store."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    return database


@pytest.fixture
async def engine(dsn):
    async with FluxEngine(
        storage=PostgresStorage(dsn), logger=FluxSilentLogger(), default_retries=0
    ) as engine:
        yield engine


def select(dsn, sql="SELECT run, attempt FROM receipts ORDER BY run, attempt"):
    """Return what somebody else reads at this moment."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(sql).fetchall()


def handler(kind, then=lambda ctx: None):
    """Return a handler that writes a row and then does something: an async or a plain one."""

    async def write(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, ctx.attempt))
        ctx.data.paid = True
        return then(ctx)

    def write_in_thread(ctx):
        ctx.tx.execute(INSERT, (ctx.id, ctx.attempt))
        ctx.data.paid = True
        return then(ctx)

    return write if kind == "async" else write_in_thread


both = pytest.mark.parametrize("kind", ["async", "plain"])


@both
async def test_the_writes_and_the_record_are_stored_together(engine, dsn, kind):
    """Nobody sees the row before the commit is complete, and with the row its result is there."""
    seen = []

    def look(ctx):
        seen.append(select(dsn))
        return {"receipt": 7}

    result = await engine.execute(create_workflow("pay").commit("pay", handler(kind, look)))
    assert (result.status, result.data) == ("completed", {"paid": True})
    assert seen == [[]]
    assert select(dsn) == [(result.id, 1)]
    (step,) = (await engine.get(result.id)).history
    assert (step.status, step.output, step.attempts) == ("completed", {"receipt": 7}, 1)


async def test_all_verbs_as_on_sqlite(engine):
    """Statements give their rows and counts; ``?`` and ``:name`` are the parameters, % is a percent sign."""

    async def pay(ctx):
        tx = ctx.tx
        many = await tx.executemany("INSERT INTO accounts VALUES (:name, 5)", [{"name": "a"}, {"name": "b%"}])
        changed = await tx.execute("UPDATE accounts SET balance = 6 RETURNING name")
        none = await tx.fetchone("SELECT 1 FROM accounts WHERE name = ?", ("c",))
        like = await tx.fetchall("SELECT name FROM accounts WHERE name LIKE '%\\%'")
        return [many.rowcount, changed.rowcount, len(changed.rows), none, like]

    result = await engine.execute(create_workflow("pay").commit("pay", pay))
    assert result.history[0].output == [2, 2, 2, None, [("b%",)]], result.error


@both
async def test_a_failed_attempt_writes_nothing_and_the_next_one_once(engine, dsn, kind):
    """Each attempt begins with an empty transaction."""

    def fail_first(ctx):
        if ctx.attempt == 1:
            raise ValueError("declined")

    result = await engine.execute(create_workflow("pay").commit("pay", handler(kind, fail_first), retries=1))
    assert (result.status, select(dsn)) == ("completed", [(result.id, 2)])


@both
async def test_a_statement_that_never_ends_is_interrupted(engine, dsn, kind):
    """A time-out does not wait for the server."""

    async def wait_for_server(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        await ctx.tx.execute("SELECT pg_sleep(600)")

    def wait_in_thread(ctx):
        ctx.tx.execute(INSERT, (ctx.id, 1))
        ctx.tx.execute("SELECT pg_sleep(600)")

    hang = wait_for_server if kind == "async" else wait_in_thread
    async with asyncio.timeout(20):
        result = await engine.execute(create_workflow("pay").commit("pay", hang, timeout=0.1))
    assert (result.error.type, select(dsn)) == ("StepTimeoutError", [])
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)'"
    async with asyncio.timeout(20):
        while select(dsn, asleep) != [(0,)]:
            await asyncio.sleep(0.01)


async def test_other_runs_are_not_held_up_by_an_open_transaction(engine, dsn):
    """A run begins and ends while the transaction of another is open."""
    open_, go_on = asyncio.Event(), asyncio.Event()

    async def slow(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        open_.set()
        await go_on.wait()

    running = asyncio.create_task(engine.execute(create_workflow("slow").commit("pay", slow)))
    await open_.wait()
    other = await engine.execute(create_workflow("quick").commit("pay", handler("async")))
    assert (other.status, running.done()) == ("completed", False)
    go_on.set()
    assert (await running).ok
    assert len(select(dsn)) == 2


async def test_more_transactions_than_connections_take_turns(dsn):
    """Those that find no connection wait for one, and all are stored."""
    storage = PostgresStorage(dsn, transactions=2)
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        flow = create_workflow("pay").commit("pay", handler("async"))
        results = await asyncio.gather(*(engine.execute(flow) for _ in range(20)))
    assert all(result.ok for result in results)
    assert len(select(dsn)) == 20


async def test_an_owner_that_lost_the_run_writes_nothing(engine, dsn):
    """The commit inside the transaction checks the fencing token like every write."""

    async def lose(ctx):
        other = PostgresStorage(dsn)
        await other.open()
        record = await other.find(ctx.id)
        await other.claim(ctx.id, fence=record.fence, owner="somebody else")
        await other.close()
        await ctx.tx.execute(INSERT, (ctx.id, 1))

    with pytest.raises(OwnershipLostError):
        await engine.execute(create_workflow("pay").commit("pay", lose), run_id="run-1")
    assert select(dsn) == []


async def test_a_commit_whose_answer_is_lost_is_found_to_be_made(dsn):
    """The attempt does not count as failed: the row is there once, and so is the result."""
    cable = Cable(dsn)
    storage = PostgresStorage(cable.dsn)
    committing = []

    def lost(sent):
        if b"COMMIT" in sent and committing:
            committing.clear()
            return True
        return False

    cable.cut_before_answer = lost
    flow = create_workflow("pay").commit("pay", handler("async", committing.append), retries=2)
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        result = await engine.execute(flow)
    cable.close()
    assert cable.answers_lost == 1
    assert (result.status, result.history[0].attempts) == ("completed", 1)
    assert select(dsn) == [(result.id, 1)]


async def test_a_commit_of_which_nobody_could_find_out_is_not_written_over(dsn):
    """Patience ends before the server is back; the run is let go with what the store has, and paid once."""
    cable = Cable(dsn)
    storage = PostgresStorage(cable.dsn, patience=0.3)
    committing = []

    def lost(sent):
        if b"COMMIT" in sent and committing:
            committing.clear()
            cable.plugged = False
            return True
        return False

    cable.cut_before_answer = lost
    save = storage.save

    async def save_later(write):
        cable.plug_in()
        return await save(write)

    flow = create_workflow("pay").commit("pay", handler("async", committing.append), retries=2)
    flow.step("after", lambda ctx: None)
    async with FluxEngine(storage=storage, logger=FluxSilentLogger()) as engine:
        storage.save = save_later
        with pytest.raises(StorageError):
            await engine.execute(flow, run_id="r")
        assert (await storage.find("r")).owner is None
        result = await engine.resume(flow, "r")
    cable.close()
    assert (result.status, result.history[0].attempts) == ("completed", 1)
    assert select(dsn) == [("r", 1)]


async def test_a_connection_that_is_lost_before_the_commit_fails_the_attempt(dsn):
    """Nothing of it was written; the next attempt writes its row."""
    cable = Cable(dsn)

    async def pay(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, ctx.attempt))
        if ctx.attempt == 1:
            cable.cut()
            cable.plug_in()

    flow = create_workflow("pay").commit("pay", pay, retries=1)
    async with FluxEngine(storage=PostgresStorage(cable.dsn), logger=FluxSilentLogger()) as engine:
        result = await engine.execute(flow)
    cable.close()
    assert (result.status, result.history[0].attempts) == ("completed", 2)
    assert select(dsn) == [(result.id, 2)]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM flux.runs",
        'UPDATE "flux" . "journal" SET status = $$completed$$',
        "WITH gone AS (DELETE FROM flux.runs RETURNING id) INSERT INTO receipts SELECT id FROM gone",
        "DROP TABLE Flux.Definitions",
        "COMMIT",
        "/* well */ rollback",
        "END",
        "SELECT 1; DELETE FROM receipts",
        "PREPARE TRANSACTION 'mine'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "COPY receipts TO STDOUT",
    ],
)
async def test_the_store_is_out_of_reach(engine, dsn, sql):
    """What would change the store or end the transaction is refused, and fails the attempt."""

    async def reach(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        await ctx.tx.execute(sql)

    result = await engine.execute(create_workflow("pay").commit("pay", reach))
    assert (result.error.type, select(dsn)) == ("TransactionError", [])
    assert (await engine.get(result.id)).status == "failed"


async def test_the_store_can_be_read_and_tables_made(engine, dsn):
    """Tables of one's own can be made, and filled from those of the store; savepoints are used."""

    async def copy(ctx):
        await ctx.tx.execute("CREATE TABLE mine (step text)")
        await ctx.tx.execute("INSERT INTO mine VALUES ('runs')")
        await ctx.tx.execute("SAVEPOINT a")
        await ctx.tx.execute("DELETE FROM mine")
        await ctx.tx.execute("ROLLBACK TO a")
        return await ctx.tx.fetchall("SELECT step FROM flux.journal WHERE run_id = :run", {"run": ctx.id})

    result = await engine.execute(create_workflow("pay").commit("pay", copy))
    assert (result.status, result.error, result.history[0].output) == ("completed", None, [("pay",)])
    assert select(dsn, "SELECT * FROM mine") == [("runs",)]


async def test_a_refused_statement_can_be_caught(engine, dsn):
    """An error of a statement is psycopg's own, and what came before it stays, as on SQLite."""

    async def twice(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        with pytest.raises(psycopg.IntegrityError):
            await ctx.tx.execute(INSERT, (ctx.id, 1))

    result = await engine.execute(create_workflow("pay").commit("pay", twice))
    assert (result.status, select(dsn)) == ("completed", [(result.id, 1)])


async def test_a_constraint_that_fails_at_the_end_fails_the_attempt(engine, dsn):
    """A deferred foreign key is checked when the transaction commits: the attempt fails, and is retried."""

    async def book(ctx):
        await ctx.tx.execute("INSERT INTO bookings VALUES ('a')")
        if ctx.attempt == 2:
            await ctx.tx.execute("INSERT INTO accounts VALUES ('a', 0)")

    result = await engine.execute(create_workflow("pay").commit("pay", book, retries=1))
    assert (result.status, result.history[0].attempts) == ("completed", 2), result.error
    assert "foreign key" in result.history[0].attempt_log[0].error.message
    assert select(dsn, "SELECT account FROM bookings") == [("a",)]


async def test_nothing_that_a_handler_sets_outlives_the_attempt(dsn):
    """The next transaction on the same connection finds the settings and tables of a new one."""
    found = []

    async def leave(ctx):
        found.append(await ctx.tx.fetchone("SELECT current_setting('work_mem'), to_regclass('pg_temp.left')"))
        await ctx.tx.execute("SET work_mem = '99MB'")
        await ctx.tx.execute("CREATE TEMPORARY TABLE left_over (n integer)")
        await ctx.tx.execute("SELECT pg_advisory_lock(7)")

    flow = create_workflow("pay").commit("pay", leave)
    storage = PostgresStorage(dsn, transactions=1)
    async with FluxEngine(storage=storage, logger=FluxSilentLogger(), default_retries=0) as engine:
        for _ in range(3):
            result = await engine.execute(flow)
            assert result.ok, result.error
    assert found[0] == found[1] == found[2]


async def test_a_plain_handler_that_times_out_can_write_no_more(engine, dsn):
    """Its thread runs on; what it does with the transaction is refused."""
    go_on, late = threading.Event(), []

    def hang(ctx):
        ctx.tx.execute(INSERT, (ctx.id, 1))
        go_on.wait(20)
        try:
            ctx.tx.execute(INSERT, (ctx.id, 2))
        except Exception as error:
            late.append(type(error).__name__)

    result = await engine.execute(create_workflow("pay").commit("pay", hang, timeout=0.05))
    go_on.set()
    async with asyncio.timeout(20):
        while not late:
            await asyncio.sleep(0.001)
    assert (result.error.type, late, select(dsn)) == ("StepTimeoutError", ["TransactionError"], [])


def test_a_server_that_crashes_in_the_middle_of_load():
    """However its connections end, each completed commit has written one row, and each row is of one."""
    flow = create_workflow("pay").commit("pay", handler("async"), retries=20, backoff=lambda _: 0.05)

    async def load(dsn, server):
        ended = asyncio.Event()
        results = []

        async def runs(engine):
            while not ended.is_set():
                results.append(await engine.execute(flow))

        async with FluxEngine(storage=PostgresStorage(dsn), logger=FluxSilentLogger()) as engine:
            tasks = [asyncio.create_task(runs(engine)) for _ in range(6)]
            for _ in range(3):
                before = len(results)
                while len(results) < before + 30:
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            ended.set()
            await asyncio.gather(*tasks)
        return results

    with start_postgres() as server, contextlib.ExitStack() as stack:
        dsn = stack.enter_context(fresh_database(server.dsn))
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(TABLES)
        results = asyncio.run(load(dsn, server))
        assert {str(result.status) for result in results} == {"completed"}
        rows = select(dsn, "SELECT run FROM receipts ORDER BY run")
        assert rows == sorted((result.id,) for result in results)
