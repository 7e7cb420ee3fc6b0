"""One store on PostgreSQL and several processes: real ones, some of them killed."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_engine.storage.contract_parts import a_run

PROGRAM = Path(__file__).with_name("programs") / "postgres_worker.py"


class Worker:
    """A process, and the lines it says."""

    def __init__(self, dsn, schema, word):
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), dsn, schema, word],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said = []
        self.hear()

    def hear(self):
        line = self.process.stdout.readline()
        if line:
            self.said.append(json.loads(line))
        return bool(line)

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def wait(self):
        while self.hear():
            pass
        return self.process.wait(60)

    def kill(self):
        self.process.kill()
        self.wait()


@pytest.fixture
def start(database, schema):
    """Starts workers; all are ended."""
    workers = []

    def begin(*words):
        workers.extend(Worker(database, schema, word) for word in words)
        for worker in workers[-len(words) :]:
            worker.go()
        return workers[-len(words) :]

    yield begin
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


async def test_processes_create_the_schema_at_the_same_moment(start, storage, schema, database):
    """One makes it, the others find it; none fails."""
    with psycopg.connect(database, autocommit=True) as connection:
        await storage.close()
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
    workers = await asyncio.to_thread(start, "o1", "o2", "o3")
    assert [await asyncio.to_thread(worker.wait) for worker in workers] == [0, 0, 0]
    await storage.open()
    assert await storage.list(RunQuery()) == []


async def test_processes_write_one_store_at_once(start, storage):
    """Nothing is lost, nobody is refused, and another process has heard of it."""
    before = await storage.revision()
    workers = await asyncio.to_thread(start, "wa", "wb")
    assert [await asyncio.to_thread(worker.wait) for worker in workers] == [0, 0]
    rows = await storage.list(RunQuery(limit=1000))
    assert sorted(row.id for row in rows) == [f"{name}-{n:02}" for name in ("wa", "wb") for n in range(40)]
    assert await storage.revision() != before


async def test_a_run_goes_to_one_of_several_processes(start, storage):
    """Processes that claim the same runs share them out: each run has one new owner."""
    await asyncio.gather(*(storage.create(a_run(f"run-{n:02}")) for n in range(40)))
    workers = await asyncio.to_thread(start, "ca", "cb")
    assert [await asyncio.to_thread(worker.wait) for worker in workers] == [0, 0]
    owners = Counter(row.owner for row in await storage.list(RunQuery(limit=100)))
    assert owners == {
        worker.said[0]["worker"]: worker.said[1]["won"] for worker in workers if worker.said[1]["won"]
    }
    assert owners.total() == 40


async def test_what_a_killed_process_left_is_finished_by_another(start, storage, database):
    """Its runs go on at the step it was in; completed steps are not repeated, each run has one receipt."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS receipts")
        connection.execute("CREATE TABLE receipts (run text, worker text)")
    (dying,) = await asyncio.to_thread(start, "hangs")
    while Counter(line.get("step") for line in dying.said)["s2"] < 10:
        assert await asyncio.to_thread(dying.hear)
    (helping,) = await asyncio.to_thread(start, "helps")
    await asyncio.to_thread(dying.kill)
    async with asyncio.timeout(30):
        while len(await storage.list(RunQuery(statuses=(RunStatus.COMPLETED,), limit=100))) < 20:
            await asyncio.sleep(0.02)
    helping.go()
    assert await asyncio.to_thread(helping.wait) == 0
    done = Counter((line["run"], line["step"]) for each in (dying, helping) for line in each.said[1:])
    assert {key for key, times in done.items() if times > 1} == {(f"hangs-{n}", "s2") for n in range(10)}
    assert max(done.values()) == 2  # the step that was interrupted
    with psycopg.connect(database) as connection:
        receipts = Counter(run for run, _ in connection.execute("SELECT run, worker FROM receipts"))
    assert len(receipts) == 20
    assert set(receipts.values()) == {1}
