"""One SQLite store and several processes: real ones, some of them killed."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from flux_engine.storage.base import RunQuery
from flux_engine.storage.contract_parts import a_run
from flux_engine.storage.sqlite import SQLiteStorage

PRELUDE = """
import asyncio, json, sys
from flux_engine.errors import OwnershipLostError
from flux_engine.storage.contract_parts import a_run, a_write, an_entry
from flux_engine.storage.sqlite import SQLiteStorage

async def main(name, storage):
    await storage.open()
{body}
    await storage.close()

asyncio.run(main(sys.argv[1], SQLiteStorage(sys.argv[2])))
"""

WRITES_RUNS = """
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(40):
        await storage.create(a_run(f"{name}-{n:02}"))
        await storage.save(a_write(f"{name}-{n:02}", entries=(an_entry(1), an_entry(2))))
"""

CLAIMS = """
    print("ready", flush=True)
    sys.stdin.readline()
    won = 0
    for n in range(40):
        try:
            await storage.claim(f"run-{n:02}", fence=0, owner=name)
            won += 1
        except OwnershipLostError:
            pass
    print(json.dumps(won))
"""

WRITES_UNTIL_KILLED = """
    await storage.create(a_run())
    for n in range(1_000_000):
        entries = tuple(an_entry(3 * n + k, output="x" * 2000) for k in range(3))
        await storage.save(a_write(current_step=str(n), entries=entries))
        print(n, flush=True)
"""

ENDS_WITHOUT_CLOSING = """
    await storage.create(a_run())
    globals()["kept"] = storage
    return
"""


def start(body: str, name: str, path: Path) -> subprocess.Popen[str]:
    """Start a process that opens the store and does what ``body`` says."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE.replace("{body}", body), name, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def together(body: str, names: str, path: Path) -> list[str]:
    """Run one process for each name, all doing ``body`` at once; return what they print."""
    processes = [start(body, name, path) for name in names]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
    results = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        results.append(output)
    return results


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that does not exist yet."""
    return tmp_path / "store" / "flux.db"


async def ids(path: Path) -> list[str]:
    """Return the ids of all runs of a store."""
    storage = SQLiteStorage(path)
    await storage.open()
    rows = await storage.list(RunQuery(limit=1000))
    await storage.close()
    return sorted(row.id for row in rows)


def health(path: Path) -> str:
    """Return what SQLite's own check says of the file."""
    with closing(sqlite3.connect(path)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    return str(answer)


async def test_processes_write_one_store_at_once(path: Path) -> None:
    """Several processes create the store and write to it together: nothing is lost, nobody is refused."""
    together(WRITES_RUNS, "abc", path)
    assert await ids(path) == [f"{name}-{n:02}" for name in "abc" for n in range(40)]
    assert health(path) == "ok"


async def test_a_run_goes_to_one_of_several_processes(path: Path) -> None:
    """Processes that claim the same runs share them out: each run has one new owner."""
    storage = SQLiteStorage(path)
    await storage.open()
    await asyncio.gather(*(storage.create(a_run(f"run-{n:02}")) for n in range(40)))
    won = [json.loads(output) for output in together(CLAIMS, "ab", path)]
    owners = [row.owner for row in await storage.list(RunQuery(limit=100))]
    await storage.close()
    assert won == [owners.count("a"), owners.count("b")]
    assert sum(won) == 40


async def test_another_process_changes_the_revision(path: Path) -> None:
    """A store sees that another process wrote, and what."""
    storage = SQLiteStorage(path)
    await storage.open()
    before = await storage.revision()
    together(WRITES_RUNS, "a", path)
    assert await storage.revision() != before
    assert len(await storage.list(RunQuery())) == 40
    await storage.close()


async def test_a_killed_writer_leaves_whole_writes(path: Path) -> None:
    """After kill -9 everything that was reported as stored is there, and no write is there in part."""
    process = start(WRITES_UNTIL_KILLED, "a", path)
    assert process.stdout is not None
    reported = -1
    while reported < 30:
        reported = int(process.stdout.readline())
    process.kill()
    rest = process.stdout.read()  # communicate() would pass over what readline() has read ahead
    process.communicate()
    reported = max([reported, *map(int, rest.split("\n")[:-1])])

    storage = SQLiteStorage(path)
    await storage.open()
    run, journal = await storage.find("run-1"), await storage.journal("run-1")
    await storage.close()
    assert run is not None
    assert run.current_step is not None
    stored = int(run.current_step)
    assert stored in {reported, reported + 1}
    assert [entry.seq for entry in journal] == list(range(3 * stored + 3))
    assert health(path) == "ok"


async def test_a_process_ends_although_its_store_is_open(path: Path) -> None:
    """Forgetting ``close`` does not keep a program from ending, and loses nothing."""
    process = start(ENDS_WITHOUT_CLOSING, "a", path)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert await ids(path) == ["run-1"]
