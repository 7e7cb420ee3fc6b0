"""``ctx.tx``: what a commit writes and the record of the commit are one transaction."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading

import pytest

from flux_engine import (
    FluxEngine,
    FluxSilentLogger,
    MemoryStorage,
    OwnershipLostError,
    RunTransaction,
    SQLiteStorage,
    TransactionError,
    create_workflow,
    wait,
)
from flux_engine.storage import schema
from flux_engine.testing import ManualClock, RecordingTraceSink

INSERT = "INSERT INTO receipts (run, attempt) VALUES (?, ?)"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "flux.db"


@pytest.fixture
async def storage(path):
    """A store with a table of the user, and another whose constraints are checked at the end."""
    storage = SQLiteStorage(path)
    await storage.open()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE receipts (run TEXT, attempt INTEGER, UNIQUE (run, attempt));"
            "CREATE TABLE accounts (name TEXT PRIMARY KEY, balance INTEGER);"
            "CREATE TABLE bookings (account TEXT REFERENCES accounts (name) DEFERRABLE INITIALLY DEFERRED);"
        )
    return storage


def select(path, sql="SELECT run, attempt FROM receipts ORDER BY run, attempt"):
    """Return what somebody else reads from the file at this moment."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
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


async def until(condition):
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


both = pytest.mark.parametrize("kind", ["async", "plain"])


@both
async def test_the_writes_and_the_record_are_stored_together(engine, path, trace, kind):
    """Nobody sees the row before the commit is complete, and with the row its result is there."""
    seen = []

    def look(ctx):
        seen.append(select(path))
        return {"receipt": 7}

    result = await engine.execute(create_workflow("pay").commit("pay", handler(kind, look)))
    assert (result.status, result.data) == ("completed", {"paid": True})
    assert seen == [[]]
    assert select(path) == [(result.id, 1)]
    (step,) = (await engine.get(result.id)).history
    assert (step.status, step.output, step.attempts) == ("completed", {"receipt": 7}, 1)
    assert trace.types() == ["workflow:start", "step:start", "step:complete", "workflow:complete"]


async def test_completion_is_announced_after_row_and_record_are_there(make_engine, path):
    """At ``step:complete`` another connection finds both."""
    found = []

    class Looking(RecordingTraceSink):
        def emit(self, event):
            super().emit(event)
            if event.type == "step:complete":
                found.append((select(path), select(path, "SELECT status FROM steps")))

    engine = make_engine(trace=Looking())
    result = await engine.execute(create_workflow("pay").commit("pay", handler("async")))
    assert found == [([(result.id, 1)], [("completed",)])]


@both
async def test_all_verbs(engine, path, kind):
    """Statements give their rows, counts and keys; rows written are seen by the statements after."""

    async def awaited(ctx):
        tx = ctx.tx
        many = await tx.executemany("INSERT INTO accounts VALUES (:name, 5)", [{"name": "a"}, {"name": "b"}])
        changed = await tx.execute("UPDATE accounts SET balance = 6 RETURNING name")
        none = await tx.fetchone("SELECT 1 FROM accounts WHERE name = ?", ("c",))
        return [many.rowcount, changed.rows, none, await tx.fetchall("SELECT * FROM accounts ORDER BY name")]

    def called(ctx):
        tx = ctx.tx
        many = tx.executemany("INSERT INTO accounts VALUES (:name, 5)", [{"name": "a"}, {"name": "b"}])
        changed = tx.execute("UPDATE accounts SET balance = 6 RETURNING name")
        none = tx.fetchone("SELECT 1 FROM accounts WHERE name = ?", ("c",))
        return [many.rowcount, changed.rows, none, tx.fetchall("SELECT * FROM accounts ORDER BY name")]

    flow = create_workflow("pay").commit("pay", awaited if kind == "async" else called)
    result = await engine.execute(flow)
    assert result.history[0].output == [2, [("a",), ("b",)], None, [("a", 6), ("b", 6)]], result.error
    assert select(path, "SELECT count(*) FROM accounts") == [(2,)]


async def test_a_plain_handler_that_returns_a_coroutine_awaits_the_verbs(engine, path):
    """Which way the verbs go is said by where they are called."""
    write = handler("async")

    def give(ctx):
        return write(ctx)

    flow = create_workflow("pay").commit("pay", give)
    result = await engine.execute(flow)
    assert select(path) == [(result.id, 1)]


@both
async def test_a_failed_attempt_writes_nothing_and_the_next_one_once(engine, path, kind):
    """Each attempt begins with an empty transaction."""

    def fail_first(ctx):
        if ctx.attempt == 1:
            raise ValueError("declined")

    result = await engine.execute(create_workflow("pay").commit("pay", handler(kind, fail_first), retries=1))
    assert (result.status, select(path)) == ("completed", [(result.id, 2)])


async def test_a_run_that_failed_can_be_retried(engine, path):
    """A retry by hand is a further attempt with a transaction of its own."""
    broken = [True]

    def fail(ctx):
        if broken.pop():
            broken.append(False)
            raise ValueError("declined")

    flow = create_workflow("pay").commit("pay", handler("async", fail))
    failed = await engine.execute(flow)
    assert (failed.status, select(path)) == ("failed", [])
    result = await engine.retry_step(flow, failed.id, "pay")
    assert (result.status, select(path)) == ("completed", [(failed.id, 2)])


async def test_an_async_handler_that_times_out_writes_nothing(engine, path):
    """Its transaction is rolled back, and other runs go on."""

    async def hang(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        await asyncio.Event().wait()

    result = await engine.execute(create_workflow("pay").commit("pay", hang, timeout=0.05))
    assert (result.error.type, select(path)) == ("StepTimeoutError", [])
    assert (await engine.execute(create_workflow("other").commit("pay", handler("async")))).ok


async def test_a_plain_handler_that_times_out_can_write_no_more(engine, path):
    """Its thread runs on; what it does with the transaction is refused."""
    go_on, late = threading.Event(), []

    def hang(ctx):
        ctx.tx.execute(INSERT, (ctx.id, 1))
        go_on.wait(20)
        try:
            ctx.tx.execute(INSERT, (ctx.id, 2))
        except TransactionError as error:
            late.append(error)

    result = await engine.execute(create_workflow("pay").commit("pay", hang, timeout=0.05))
    go_on.set()
    await until(lambda: late)
    assert (result.error.type, select(path)) == ("StepTimeoutError", [])


async def test_a_statement_that_never_ends_is_interrupted(engine, path):
    """A time-out does not wait for a statement in a plain handler's thread."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    flow = create_workflow("pay").commit("pay", lambda ctx: ctx.tx.fetchall(endless), timeout=0.05)
    async with asyncio.timeout(20):
        result = await engine.execute(flow)
    assert result.error.type == "StepTimeoutError"
    assert (await engine.execute(create_workflow("other").commit("pay", handler("plain")))).ok


@both
async def test_a_cancelled_run_wrote_nothing(engine, path, kind):
    """``engine.cancel`` in the middle of the handler takes its writes back."""
    written, end = threading.Event(), threading.Event()

    async def hang(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        written.set()
        await asyncio.Event().wait()

    def hang_in_thread(ctx):
        ctx.tx.execute(INSERT, (ctx.id, 1))
        written.set()
        end.wait(20)

    flow = create_workflow("pay").commit("pay", hang if kind == "async" else hang_in_thread)
    running = asyncio.create_task(engine.execute(flow, run_id="run-1"))
    await until(written.is_set)
    await engine.cancel("run-1")
    result = await running
    end.set()
    assert (result.status, select(path)) == ("cancelled", [])


async def test_a_cancel_that_comes_while_it_commits_does_not_deny_what_was_written(
    make_engine, path, storage
):
    """The step is complete or it is not, and the row says the same: it is not run a second time."""
    committing = asyncio.Event()

    class Told(RunTransaction):
        def __init__(self, inner):
            self.inner = inner

        @property
        def committed(self):
            return self.inner.committed

        async def execute(self, sql, parameters=()):
            return await self.inner.execute(sql, parameters)

        async def executemany(self, sql, rows):
            return await self.inner.executemany(sql, rows)

        async def commit(self, write):
            committing.set()
            return await self.inner.commit(write)

        async def rollback(self):
            await self.inner.rollback()

    class Telling(SQLiteStorage):
        def transaction(self, run_id):
            return Told(super().transaction(run_id))

    flow = create_workflow("pay").commit("pay", handler("async")).step("after", lambda ctx: None)
    engine = make_engine(storage=Telling(path))
    running = asyncio.create_task(engine.execute(flow, run_id="run-1"))
    await committing.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await engine.get("run-1")).step("pay").status == "completed"
    result = await make_engine(storage=storage).resume(flow, "run-1")
    assert (result.status, select(path)) == ("completed", [("run-1", 1)])


async def test_an_owner_that_lost_the_run_writes_nothing(engine, path):
    """The commit inside the transaction checks the fencing token like every write."""

    async def lose(ctx):
        other = SQLiteStorage(path)
        await other.open()
        record = await other.find(ctx.id)
        await other.claim(ctx.id, fence=record.fence, owner="somebody else")
        await other.close()
        await ctx.tx.execute(INSERT, (ctx.id, 1))

    with pytest.raises(OwnershipLostError):
        await engine.execute(create_workflow("pay").commit("pay", lose), run_id="run-1")
    assert select(path) == []
    assert (await engine.get("run-1")).step("pay").status == "running"


async def test_other_runs_wait_while_a_transaction_is_open(engine, path):
    """A run that begins meanwhile is not refused as locked: it waits, and goes on afterwards."""
    open_, order = asyncio.Event(), []

    async def slow(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        open_.set()
        for _ in range(50):  # the other run has every chance to write
            await asyncio.sleep(0)
        order.append("slow")

    async def quick():
        await open_.wait()
        await engine.execute(create_workflow("quick").step("step", lambda ctx: order.append("quick")))

    await asyncio.gather(engine.execute(create_workflow("slow").commit("pay", slow)), quick())
    assert order == ["slow", "quick"]
    assert len(select(path)) == 1


@both
async def test_transactions_of_concurrent_runs_follow_one_another(engine, path, kind):
    """What one reads and writes is not mixed with what the others do."""

    async def add(ctx):
        (balance,) = await ctx.tx.fetchone("SELECT balance FROM accounts")
        await ctx.tx.execute("UPDATE accounts SET balance = ?", (balance + 1,))

    def add_in_thread(ctx):
        (balance,) = ctx.tx.fetchone("SELECT balance FROM accounts")
        ctx.tx.execute("UPDATE accounts SET balance = ?", (balance + 1,))

    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO accounts VALUES ('a', 0)")
    flow = create_workflow("add").commit("add", add if kind == "async" else add_in_thread)
    results = await asyncio.gather(*(engine.execute(flow) for _ in range(20)))
    assert {str(result.status) for result in results} == {"completed"}
    assert select(path, "SELECT balance FROM accounts") == [(20,)]


async def test_concurrent_commits_of_one_run(engine, path):
    """Branches that run at the same time each have a transaction, and data of both is merged."""

    def branch(name):
        async def pay(ctx):
            await ctx.tx.execute(INSERT, (name, 1))
            ctx.data[name] = "x" * 100_000
            return name

        return pay

    flow = create_workflow("pay").commit("a", branch("a"), after=()).commit("b", branch("b"), after=())
    flow.step("join", lambda ctx: sorted(ctx.data), after=("a", "b"))
    result = await engine.execute(flow)
    assert (result.status, result.history[2].output) == ("completed", ["a", "b"])
    assert select(path) == [("a", 1), ("b", 1)]
    assert (await engine.get(result.id)).data == result.data


async def test_of_concurrent_commits_that_conflict_one_writes(engine, path):
    """The later one fails with ``DataConflictError``, and its rows are not there either."""
    both_ready = asyncio.Barrier(2)

    def branch(name):
        async def pay(ctx):
            ctx.data.winner = name
            await both_ready.wait()
            await ctx.tx.execute(INSERT, (name, 1))

        return pay

    flow = create_workflow("pay").commit("a", branch("a"), after=()).commit("b", branch("b"), after=())
    result = await engine.execute(flow)
    assert result.error.type == "DataConflictError"
    assert select(path) == [(result.data["winner"], 1)]


async def test_a_step_has_no_transaction(engine):
    """The error says what to do, and is not tried again."""
    result = await engine.execute(create_workflow("pay").step("pay", handler("async"), retries=3))
    assert (result.error.type, result.history[0].attempts) == ("TransactionError", 1)
    assert ".commit()" in result.error.message


@both
async def test_memory_has_no_transaction(kind):
    """A store without transactions says so; a commit that does not ask is not concerned."""
    engine = FluxEngine(storage=MemoryStorage(), clock=ManualClock(auto=True), logger=FluxSilentLogger())
    async with engine:
        result = await engine.execute(create_workflow("pay").commit("pay", handler(kind)))
        assert (result.error.type, result.history[0].attempts) == ("TransactionError", 1)
        assert "SQLiteStorage" in result.error.message
        assert (await engine.execute(create_workflow("pay").commit("pay", lambda ctx: None))).ok


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM runs",
        "UPDATE journal SET status = 'completed'",
        "INSERT INTO blobs VALUES ('a', 'b')",
        "DROP TABLE definitions",
        "DROP VIEW steps",
        "ALTER TABLE runs ADD COLUMN mine",
        "CREATE INDEX mine ON runs (status)",
        "CREATE TRIGGER mine AFTER INSERT ON journal BEGIN DELETE FROM receipts; END",
        "PRAGMA user_version = 99",
        "PRAGMA journal_mode = DELETE",
        "ATTACH DATABASE 'other.db' AS other",
        "COMMIT",
        "ROLLBACK",
    ],
)
async def test_the_store_is_out_of_reach(engine, path, sql):
    """What would change the store or end the transaction is refused, and fails the attempt."""

    async def reach(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        await ctx.tx.execute(sql)

    result = await engine.execute(create_workflow("pay").commit("pay", reach))
    assert (result.error.type, select(path)) == ("TransactionError", [])
    assert (await engine.get(result.id)).status == "failed"


async def test_triggers_of_the_user_do_not_reach_the_store_either(engine, path):
    """What a trigger does counts as done by the statement."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON receipts BEGIN DELETE FROM runs; END")
    result = await engine.execute(create_workflow("pay").commit("pay", handler("async")))
    assert (result.error.type, select(path)) == ("TransactionError", [])


async def test_the_store_can_be_read_and_tables_made(engine, path):
    """Tables of one's own can be made, altered and filled from those of the store, and savepoints used."""

    async def copy(ctx):
        await ctx.tx.execute("CREATE TABLE mine (steps TEXT)")
        await ctx.tx.execute("ALTER TABLE mine ADD COLUMN step TEXT")
        await ctx.tx.execute("CREATE INDEX by_step ON mine (step)")
        await ctx.tx.execute("INSERT INTO mine (step) SELECT step FROM journal WHERE run_id = ?", (ctx.id,))
        await ctx.tx.execute("UPDATE mine SET steps = 'runs'")
        await ctx.tx.execute("SAVEPOINT a")
        await ctx.tx.execute("DELETE FROM mine")
        await ctx.tx.execute("ROLLBACK TO a")

    result = await engine.execute(create_workflow("pay").commit("pay", copy))
    assert (result.status, result.error) == ("completed", None)
    assert select(path, "SELECT * FROM mine") == [("runs", "pay")]


async def test_names_of_the_store_are_all_known(path, storage):
    """The names that are out of reach are those that a new store has."""
    await storage.close()
    path.unlink()
    new = SQLiteStorage(path)
    await new.open()
    await new.close()
    names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    assert {name for (name,) in select(path, names)} == schema.TABLES


async def test_a_refused_statement_can_be_caught(engine, path):
    """An error of a statement is SQLite's own, and what came before it stays."""

    async def twice(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        with pytest.raises(sqlite3.IntegrityError):
            await ctx.tx.execute(INSERT, (ctx.id, 1))

    result = await engine.execute(create_workflow("pay").commit("pay", twice))
    assert (result.status, select(path)) == ("completed", [(result.id, 1)])


async def test_a_transaction_that_sqlite_rolled_back_is_not_gone_on_with(engine, path):
    """A handler that hides the error neither completes nor writes outside of a transaction."""

    async def hide(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        with contextlib.suppress(sqlite3.IntegrityError):
            await ctx.tx.execute(INSERT.replace("INSERT", "INSERT OR ROLLBACK"), (ctx.id, 1))
        with contextlib.suppress(TransactionError):
            await ctx.tx.execute(INSERT, (ctx.id, 2))

    result = await engine.execute(create_workflow("pay").commit("pay", hide))
    assert (result.error.type, select(path)) == ("TransactionError", [])


async def test_a_constraint_that_fails_at_the_end_fails_the_attempt(engine, path):
    """A deferred foreign key is checked when the transaction commits: the attempt fails, and is retried."""

    async def book(ctx):
        await ctx.tx.execute("INSERT INTO bookings VALUES ('a')")
        if ctx.attempt == 2:
            await ctx.tx.execute("INSERT INTO accounts VALUES ('a', 0)")

    result = await engine.execute(create_workflow("pay").commit("pay", book, retries=1))
    assert (result.status, result.history[0].attempts) == ("completed", 2)
    assert "FOREIGN KEY" in result.history[0].attempt_log[0].error.message
    assert select(path, "SELECT account FROM bookings") == [("a",)]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
async def test_a_forgotten_await_fails_the_commit(engine, path):
    """A statement that was asked for and never made does not get lost in silence."""

    async def forget(ctx):
        await ctx.tx.execute(INSERT, (ctx.id, 1))
        ctx.tx.execute(INSERT, (ctx.id, 2))

    result = await engine.execute(create_workflow("pay").commit("pay", forget))
    assert (result.error.type, select(path)) == ("TransactionError", [])
    assert "await" in result.error.message


async def test_a_commit_with_a_transaction_does_not_wait(engine, path):
    """A transaction cannot stay open for a signal."""
    flow = create_workflow("pay").commit("pay", handler("async", lambda ctx: wait("approval")))
    result = await engine.execute(flow)
    assert (result.error.type, select(path)) == ("TransactionError", [])


async def test_a_store_whose_file_was_replaced_gets_nothing(engine, path, tmp_path):
    """A transaction writes to the file that the store has open, or not at all."""

    async def replaced(ctx):
        path.rename(tmp_path / "moved.db")
        path.touch()
        try:
            await ctx.tx.execute(INSERT, (ctx.id, 1))
        finally:
            path.unlink()
            (tmp_path / "moved.db").rename(path)

    result = await engine.execute(create_workflow("pay").commit("pay", replaced))
    assert (result.error.type, select(path)) == ("StorageError", [])


ADDS = """
import asyncio, sys
from flux_engine import FluxEngine, FluxSilentLogger, SQLiteStorage, create_workflow

async def add(ctx):
    (balance,) = await ctx.tx.fetchone("SELECT balance FROM accounts")
    await ctx.tx.execute("UPDATE accounts SET balance = ?", (balance + 1,))

async def main():
    storage = SQLiteStorage(sys.argv[1], busy_timeout=30)
    async with FluxEngine(storage=storage, logger=FluxSilentLogger(), default_retries=0) as engine:
        flow = create_workflow("add").commit("add", add)
        results = await asyncio.gather(*(engine.execute(flow) for _ in range(20)))
        assert all(result.ok for result in results), results

asyncio.run(main())
"""


async def test_two_processes(path, storage):
    """Transactions of several processes on one store follow one another too."""
    await storage.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO accounts VALUES ('a', 0)")
    command = [sys.executable, "-c", ADDS, str(path)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, errors = await asyncio.to_thread(process.communicate, timeout=60)
        assert (process.returncode, errors) == (0, "")
    assert select(path, "SELECT balance FROM accounts") == [(40,)]
