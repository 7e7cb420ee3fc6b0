"""Runs a transactional commit in children that are killed at each statement, and resumes each run in another.

Called with the kind of the handler and a folder; prints what became of each run as a line of JSON. A child
is forked for every run and for every resumption, so each is a process of its own that costs no start.
"""

import asyncio
import itertools
import json
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from contextlib import closing
from pathlib import Path

from flux_engine import FluxEngine, FluxSilentLogger, JsonFileTraceSink, SQLiteStorage, create_workflow
from flux_engine.storage import schema

INSERT = "INSERT INTO receipts (run, attempt) VALUES (?, ?)"


async def pay(ctx):
    await ctx.tx.execute("CREATE TABLE IF NOT EXISTS visits (run TEXT)")
    await ctx.tx.execute(INSERT, (ctx.id, ctx.attempt))
    await ctx.tx.execute("INSERT INTO visits VALUES (?)", (ctx.id,))
    ctx.data.paid = ctx.attempt


def pay_in_thread(ctx):
    ctx.tx.execute("CREATE TABLE IF NOT EXISTS visits (run TEXT)")
    ctx.tx.execute(INSERT, (ctx.id, ctx.attempt))
    ctx.tx.execute("INSERT INTO visits VALUES (?)", (ctx.id,))
    ctx.data.paid = ctx.attempt


def workflow(kind):
    handler = pay if kind == "async" else pay_in_thread
    flow = create_workflow("pay").step("before", lambda ctx: ctx.data.update(n=1))
    return flow.commit("pay", handler).step("after", lambda ctx: ctx.data.update(total=ctx.data.paid))


async def run(kind, path):
    """Start the run, or go on with the one that was left."""
    trace = JsonFileTraceSink(path.with_suffix(".ndjson"))
    storage = SQLiteStorage(path)
    async with FluxEngine(storage=storage, trace=trace, logger=FluxSilentLogger()) as engine:
        result = await engine.execute(workflow(kind), idempotency_key="the one")
        assert result.ok, result


def die_at(last):
    """Have this process killed when any connection begins its statement number ``last``."""
    statements = itertools.count(1)

    def count(_sql):
        if next(statements) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(prepare):
        def watch_and_prepare(connection, *arguments, **options):
            connection.set_trace_callback(count)
            return prepare(connection, *arguments, **options)

        return watch_and_prepare

    for name in ("prepare_writer", "prepare_reader", "prepare_transaction"):
        setattr(schema, name, watched(getattr(schema, name)))


def in_a_child(kind, path, last):
    """Run in a process that dies at that statement, and return its exit status; ``None``: it need not die."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if last is not None:
                die_at(last)
            asyncio.run(run(kind, path))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def found(path):
    """Return what is in the file now."""
    with closing(sqlite3.connect(path)) as connection:
        has_visits = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'visits'").fetchone()
        return {
            "runs": connection.execute("SELECT status FROM runs").fetchall(),
            "completed": connection.execute(
                "SELECT attempt FROM journal WHERE step = 'pay' AND status = 'completed'"
            ).fetchall(),
            "receipts": connection.execute("SELECT attempt FROM receipts").fetchall(),
            "visits": connection.execute("SELECT count(*) FROM visits").fetchone()[0] if has_visits else 0,
            "check": connection.execute("PRAGMA integrity_check").fetchone()[0],
        }


def main(kind, folder):
    template = folder / "template.db"
    asyncio.run(prepare(template))
    for last in itertools.count(1):
        path = folder / f"{last}.db"
        shutil.copy(template, path)
        died = in_a_child(kind, path, last)
        left = found(path)
        resumed = in_a_child(kind, path, None)
        death = {"died": died, "left": left, "resumed": resumed, "found": found(path)}
        sys.stdout.write(json.dumps(death) + "\n")
        sys.stdout.flush()
        if died != -signal.SIGKILL:
            return


async def prepare(path):
    storage = SQLiteStorage(path)
    await storage.open()
    await storage.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE receipts (run TEXT, attempt INTEGER)")


main(sys.argv[1], Path(sys.argv[2]))
