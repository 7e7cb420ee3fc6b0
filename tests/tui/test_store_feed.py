"""The feed of the store: pages, whole runs, and every way in which a store can be missing or broken."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys

import pytest

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.running.ownership import this_owner
from flux_engine.storage.base import EntryKind, JournalEntry, RunRecord, RunWrite
from flux_tui.feed.store import StoreFeed
from flux_tui.model.filter import compile_filter

GRAPH = '{"steps": [{"name": "fetch", "retries": 2}, {"name": "pay"}], "edges": [["fetch", "pay"]]}'


def record(run_id: str, at: float = 1.0, **fields) -> RunRecord:
    """A run as an engine stores it."""
    known = {"workflow": "order", "status": RunStatus.COMPLETED, "input": "{}", "graph": GRAPH}
    return RunRecord(**{**known, "id": run_id, "created_at": at, "updated_at": at, **fields})


@pytest.fixture
def path(tmp_path):
    """Where the store will be."""
    return tmp_path / "flux.db"


@pytest.fixture
async def store(path):
    """The store, open for writing."""
    storage = SQLiteStorage(path)
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture
async def feed(path):
    """A feed of it."""
    feed = StoreFeed(path)
    yield feed
    await feed.close()


async def test_a_store_that_does_not_exist_yet_is_no_problem(feed, path):
    """It is empty, nothing is created, and it is found when it appears."""
    assert not await feed.poll()
    assert (await feed.page(), await feed.run("a"), feed.problem, feed.exists) == ([], None, None, False)
    assert not path.exists()
    storage = SQLiteStorage(path)
    await storage.open()
    await storage.create(record("a"))
    assert await feed.poll()
    assert feed.exists
    assert [row.id for row in await feed.page()] == ["a"]
    await storage.close()


async def test_a_change_by_anyone_is_noticed_once(feed, store):
    """A poll says whether there is something new since the last one."""
    await feed.poll()
    assert not await feed.poll()
    await store.create(record("a"))
    assert await feed.poll()
    assert not await feed.poll()


async def test_pages_follow_each_other_newest_first(feed, store):
    """Without gap or double, also when runs were created at the same moment."""
    for n in range(10):
        await store.create(record(f"r{n}", 1000.123456 + n // 3))
    found, before = [], None
    while page := await feed.page(before=before, limit=3):
        found += [row.id for row in page]
        before = page[-1]
    assert found == [f"r{n}" for n in reversed(range(10))]


async def test_a_row_has_milliseconds_and_the_error(feed, store):
    """As the trace has them."""
    await store.create(
        record("a", 2.0, status=RunStatus.FAILED, completed_at=3.5, current_step="pay", error_summary="E: no")
    )
    (row,) = await feed.page()
    assert (row.started_at, row.duration, row.status) == (2000, 1500, "failed")
    assert (row.current_step, row.error) == ("pay", "E: no")


async def test_the_store_is_filtered(feed, store):
    """By what it can decide itself."""
    await store.create(record("a", 1, status=RunStatus.FAILED, error_summary="gateway down"))
    await store.create(record("b", 2))
    assert [row.id for row in await feed.page(compile_filter("s:failed"))] == ["a"]
    assert [row.id for row in await feed.page(compile_filter("gateway"))] == ["a"]
    assert [row.id for row in await feed.page(compile_filter("completed"))] == ["b", "a"]


def owner_process() -> subprocess.Popen[str]:
    """A process that tells who it is, and lives until it is killed."""
    code = (
        "from flux_engine.running.ownership import this_owner\n"
        "print(this_owner().encode(), flush=True); input()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


async def test_a_run_whose_owner_dies_is_interrupted(feed, store):
    """Nobody writes that to the store: the feed looks after the owners of the runs that it has listed."""
    child = owner_process()
    with child:
        owner = child.stdout.readline().strip()
        await store.create(record("dying", 1, status=RunStatus.RUNNING, owner=owner))
        alive = this_owner().encode()
        await store.create(record("living", 2, status=RunStatus.RUNNING, owner=alive))
        await store.create(record("left", 3, status=RunStatus.RUNNING, owner=None))
        await feed.poll()
        assert [row.status for row in await feed.page()] == ["interrupted", "running", "running"]
        assert not await feed.poll()
        child.kill()
        child.wait()
    assert await feed.poll()
    assert [row.status for row in await feed.page()] == ["interrupted", "running", "interrupted"]
    assert not await feed.poll()
    view = await feed.run("dying")
    assert view is not None
    assert view.status == "interrupted"


async def test_a_run_is_shown_with_its_data_and_its_attempts(feed, path):
    """A run made by an engine: steps, data, error, and the tries of the present pass."""
    calls = []

    def fetch(ctx):
        ctx.data.order = {"id": ctx.input["id"]}
        return "fetched"

    def pay(ctx):
        calls.append(ctx.attempt)
        ctx.data.half = True
        raise ConnectionError("gateway returned 502")

    flow = create_workflow("order").step("fetch", fetch).step("pay", pay, retries=0).commit("tell", print)
    async with FluxEngine(storage=SQLiteStorage(path), default_retries=0) as engine:
        result = await engine.execute(flow, {"id": 7})
        await engine.retry_step(flow, result.id, "pay", data={"coupon": 1})
    view = await feed.run(result.id)
    assert view is not None
    assert (view.status, view.input) == ("failed", {"id": 7})
    assert {step.name: step.status for step in view.steps} == {
        "fetch": "completed",
        "pay": "failed",
        "tell": "pending",
    }
    paid = view.step("pay")
    assert paid is not None
    assert (paid.attempt, paid.tries, paid.max_tries) == (2, 1, 1)
    assert str(paid.error) == "ConnectionError: gateway returned 502"
    assert paid.discarded is not None
    assert paid.discarded.set == {"half": True}
    assert view.steps[0].output == "fetched"
    assert view.data_before("pay") == {"order": {"id": 7}, "coupon": 1}
    assert view.steps[2].commit
    assert view.resumed_at is not None
    assert view.started_at is not None
    assert view.duration is not None
    assert view.resumed_at + view.duration == pytest.approx(view.ended_at)
    assert await feed.run("nobody") is None


async def test_a_file_that_is_no_database_is_a_problem_until_it_is_one(feed, path):
    """The message says what to do; the feed does not raise, and recovers by itself."""
    path.write_bytes(b"this is not a database, whatever its name may say\n" * 100)
    assert await feed.poll()
    assert feed.problem is not None
    assert "not a SQLite database" in feed.problem
    assert (await feed.page(), await feed.run("a")) == ([], None)
    assert not await feed.poll()

    path.unlink()
    storage = SQLiteStorage(path)
    await storage.open()
    await storage.create(record("a"))
    await storage.close()
    assert await feed.poll()
    assert feed.problem is None
    assert [row.id for row in await feed.page()] == ["a"]


async def test_a_database_of_another_program_or_a_newer_flux_is_a_problem(tmp_path):
    """Each with its own message."""
    other, newer = tmp_path / "other.db", tmp_path / "newer.db"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    storage = SQLiteStorage(newer)
    await storage.open()
    await storage.close()
    with contextlib.closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 999")
    problems = []
    for each in (other, newer):
        feed = StoreFeed(each)
        await feed.poll()
        problems.append(feed.problem or "")
        await feed.close()
    assert "another program" in problems[0]
    assert "999" in problems[1]


async def test_a_path_that_cannot_be_opened_is_a_problem(tmp_path):
    """A link to itself stands for all that the system refuses."""
    path = tmp_path / "flux.db"
    path.symlink_to(path)
    feed = StoreFeed(path)
    assert await feed.poll()
    assert feed.problem is not None
    assert str(path) in feed.problem
    path.unlink()
    assert await feed.poll()
    assert feed.problem is None


async def test_a_store_that_is_deleted_and_made_anew_is_opened_again(feed, path):
    """The old file's runs are gone with it."""
    for run_id in ("old", "new"):
        storage = SQLiteStorage(path)
        await storage.open()
        await storage.create(record(run_id))
        await storage.close()
        assert await feed.poll()
        assert [row.id for row in await feed.page()] == [run_id]
        for file in path.parent.glob("flux.db*"):
            file.unlink()
    assert await feed.poll()
    assert (await feed.page(), feed.problem, feed.exists) == ([], None, False)


async def test_a_store_locked_by_another_program_is_a_problem_while_it_is(feed, path, store, monkeypatch):
    """The message says so; the store is read again when the lock is gone."""
    monkeypatch.setattr("flux_tui.feed.opened.PATIENCE", 0.05)
    await store.create(record("a"))
    await store.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        await feed.poll()
        assert "locked by another program" in (feed.problem or "")
    assert await feed.poll()
    assert feed.problem is None
    assert [row.id for row in await feed.page()] == ["a"]


async def test_a_damaged_run_leaves_the_others(feed, store):
    """It is named, with the reason, and is no problem of the store."""
    await store.create(record("bad", 2, input="{not json"))
    await store.create(record("ugly", 3, graph='{"steps": 5}'))
    await store.create(record("good", 1))
    assert await feed.run("bad") is None
    assert await feed.run("ugly") is None
    assert set(feed.damaged) == {"bad", "ugly"}
    assert await feed.run("good") is not None
    assert feed.problem is None
    assert len(await feed.page()) == 3


async def test_many_may_ask_at_once(feed, store):
    """Polls, pages and runs do not get into each other's way."""
    await store.create(record("a"))
    answers = await asyncio.gather(
        *(feed.poll() for _ in range(5)), *(feed.page() for _ in range(5)), *(feed.run("a") for _ in range(5))
    )
    assert all(len(page) == 1 for page in answers[5:10])
    assert all(view is not None for view in answers[10:])
    assert feed.problem is None


async def test_tries_count_within_the_present_pass(feed, store):
    """Attempts go on counting over a retry and after an interruption; tries begin anew."""
    statuses = [StepStatus.FAILED, StepStatus.FAILED, StepStatus.CANCELLED, StepStatus.COMPLETED]
    entries = [
        JournalEntry(
            seq=n,
            kind=EntryKind.ATTEMPT,
            step="fetch",
            status=status,
            attempt=n,
            started_at=1.0,
            completed_at=2.0,
        )
        for n, status in enumerate(statuses, 1)
    ]
    await store.create(record("a"), entries)
    view = await feed.run("a")
    assert view is not None
    assert (view.steps[0].attempt, view.steps[0].tries, view.steps[0].max_tries) == (4, 1, 3)

    retry = JournalEntry(
        seq=5,
        kind=EntryKind.RETRY,
        step="fetch",
        started_at=5.0,
        detail='{"scope":"only","superseded":["fetch"]}',
    )
    await store.save(
        RunWrite(run_id="a", fence=0, status=RunStatus.RUNNING, updated_at=5.0, entries=(retry,))
    )
    again = await feed.run("a")
    assert again is not None
    assert (again.steps[0].attempt, again.steps[0].tries, again.steps[0].status) == (4, 0, "pending")
    assert again.resumed_at == 5000
