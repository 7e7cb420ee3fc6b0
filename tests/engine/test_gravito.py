"""Runs of a store written by @gravito/flux, taken over and gone on with."""

import asyncio
import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flux_engine import DefinitionChangedError, MemoryStorage, StorageError, create_workflow, wait
from flux_engine.gravito import import_gravito

FIXTURE = Path(__file__).parents[1] / "fixtures/gravito/gravito.db"
FAILED = "077d7f51-fd96-476e-9c7f-37a3f68c5e23"


def order(calls):
    """Return the workflow of the fixture, as it is written for this engine."""

    async def validate(ctx):
        calls.append("validate")
        ctx.data.total = ctx.input["qty"] * 3

    async def charge(ctx):
        calls.append("charge")
        ctx.data.charged = ctx.data.total

    async def ship(ctx):
        calls.append("ship")
        ctx.data.shipped = True

    return create_workflow("order").step("validate", validate).step("charge", charge).commit("ship", ship)


@pytest.fixture
def ancestor(tmp_path):
    """Return a function that makes a file with the ancestor's table and such rows."""

    def make(*rows, path=tmp_path / "ancestor.db"):
        with sqlite3.connect(path) as connection:
            connection.execute(
                "CREATE TABLE flux_workflows (id TEXT PRIMARY KEY, name TEXT, status TEXT, input TEXT, "
                "data TEXT, current_step INTEGER, history TEXT, error TEXT, created_at TEXT, "
                "updated_at TEXT, completed_at TEXT)"
            )
            for row in rows:
                full = {
                    "id": "r1",
                    "name": "flow",
                    "status": "running",
                    "input": {},
                    "data": {},
                    "current_step": 0,
                    "history": [],
                    "error": None,
                    "created_at": "2026-01-02T03:04:05.000Z",
                    "updated_at": "2026-01-02T03:04:06.000Z",
                    "completed_at": None,
                } | row
                values = [json.dumps(v) if isinstance(v, dict | list) else v for v in full.values()]
                connection.execute(
                    "INSERT INTO flux_workflows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
                )
        connection.close()
        return path

    return make


def entry(name, status, **fields):
    """Return an entry of the ancestor's history."""
    return {"name": name, "status": status, "retries": 0} | fields


async def test_every_run_of_the_file_is_listed(engine, storage):
    """With the status, the error and the times that it had there."""
    report = await import_gravito(FIXTURE, storage)
    assert (len(report.imported), report.skipped, report.problems) == (5, (), ())
    runs = await engine.list()
    assert {run.id for run in runs} == set(report.imported)
    assert sorted(str(run.status) for run in runs) == ["completed"] * 3 + ["failed"] * 2
    assert [run.error for run in await engine.list(status="failed")] == ["Error: limit"] * 2
    newest = runs[0]
    assert newest.updated_at == datetime(2026, 11, 23, 3, 16, 3, 656000, tzinfo=UTC)
    assert newest.created_at == datetime(2026, 11, 23, 3, 16, 3, 655000, tzinfo=UTC), "its first step's start"
    assert not newest.interrupted


async def test_a_run_has_its_input_data_and_history(engine, storage):
    """Steps that never started have the name that other runs of the workflow know."""
    await import_gravito(FIXTURE, storage)
    state = await engine.get(FAILED)
    assert (state.name, state.input, state.data) == ("order", {"orderId": "o_4", "qty": 4}, {"total": 12})
    assert [(step.name, str(step.status), step.attempts) for step in state.history] == [
        ("validate", "completed", 1),
        ("charge", "failed", 1),
        ("ship", "pending", 0),
    ]
    assert state.step("charge").error.message == "limit"
    assert (state.error.step, state.error.message) == ("charge", "limit")
    assert state.data_before("charge") == {"total": 12}


async def test_a_failed_run_is_retried_from_its_failed_step(engine, storage):
    """It goes on with the data it had, and the steps before it do not run again."""
    await import_gravito(FIXTURE, storage)
    calls = []
    result = await engine.retry_step(order(calls), FAILED, "charge")
    assert (result.status, calls) == ("completed", ["charge", "ship"])
    assert result.data == {"total": 12, "charged": 12, "shipped": True}
    assert (await engine.get(FAILED)).step("charge").attempts == 2


async def test_a_failed_run_is_resumed(engine, storage):
    """Resume finds the first step that is not done."""
    await import_gravito(FIXTURE, storage)
    calls = []
    result = await engine.resume(order(calls), FAILED)
    assert (result.status, calls) == ("completed", ["charge", "ship"])


async def test_a_completed_run_can_be_run_again_from_its_start(engine, storage):
    """The first step is given no data, as it was."""
    report = await import_gravito(FIXTURE, storage)
    calls = []
    result = await engine.retry_step(order(calls), report.imported[0], "validate")
    assert (result.data, len(calls)) == ({"total": 3, "charged": 3, "shipped": True}, 3)


async def test_a_workflow_with_other_steps_is_refused(engine, storage):
    """The names of imported steps count as those of any run."""
    await import_gravito(FIXTURE, storage)
    other = create_workflow("order").step("check", print).step("charge", print)
    with pytest.raises(DefinitionChangedError):
        await engine.retry_step(other, FAILED, "charge")


async def test_runs_that_are_there_are_skipped_unless_they_are_to_be_overwritten(engine, storage):
    """A second import changes nothing; overwrite brings back what the file has."""
    first = await import_gravito(FIXTURE, storage)
    await engine.retry_step(order([]), FAILED, "charge")
    second = await import_gravito(FIXTURE, storage)
    assert (second.imported, second.skipped) == ((), first.imported)
    assert (await engine.get(FAILED)).status == "completed"
    assert "5 skipped" in str(second)
    third = await import_gravito(FIXTURE, storage, overwrite=True)
    assert (third.imported, third.skipped) == (first.imported, ())
    assert (await engine.get(FAILED)).status == "failed"


def test_the_file_is_not_touched(tmp_path):
    """It is opened for reading only, and nothing appears beside it."""
    copy = Path(shutil.copy(FIXTURE, tmp_path))
    copy.chmod(0o400)
    asyncio.run(import_gravito(copy, MemoryStorage()))
    assert copy.read_bytes() == FIXTURE.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["gravito.db"]


async def test_a_suspended_run_waits_for_its_signal(engine, storage, ancestor):
    """The signal that the ancestor's step waited for wakes it."""
    row = {
        "status": "suspended",
        "data": {"asked": True},
        "history": [
            entry("ask", "suspended", waitingFor="approval", suspendedAt="2026-01-02T03:04:05.500Z"),
            entry("", "pending"),
        ],
    }
    await import_gravito(ancestor(row), storage)
    state = await engine.get("r1")
    assert (state.status, state.step("ask").waits_for.signal) == ("suspended", "approval")
    assert state.history[1].name == "step-1", "nothing tells what it is called"

    async def pay(ctx):
        ctx.data.by = ctx.signals["approval"]

    flow = create_workflow("flow").step("ask", lambda _: wait("approval")).step("pay", pay)
    result = await engine.signal(flow, "r1", "approval", "ada")
    assert (result.status, result.data) == ("completed", {"asked": True, "by": "ada"})


async def test_a_run_that_was_left_in_the_middle_is_interrupted(engine, storage, ancestor):
    """It can be resumed at the step that was under way; skipped steps stay skipped."""
    at = "2026-01-02T03:04:05.000Z"
    row = {
        "data": {"n": 1},
        "history": [
            entry("a", "completed", startedAt=at, completedAt=at, output=[1]),
            entry("b", "skipped"),
            entry("c", "running", startedAt=at, retries=1),
        ],
    }
    await import_gravito(ancestor(row), storage)
    state = await engine.get("r1")
    assert (state.status, state.interrupted, state.current_step) == ("running", True, "c")
    assert state.step("a").output == [1]
    assert (str(state.step("b").status), state.step("c").attempts) == ("skipped", 2)
    flow = create_workflow("flow").step("a", print).step("b", print)
    flow.step("c", lambda ctx: ctx.data.update(n=ctx.data.n + 1))
    assert (await engine.resume(flow, "r1")).data == {"n": 2}


async def test_what_a_first_step_that_failed_left_behind_goes_no_further(engine, storage, ancestor):
    """The data that it changed is kept with its attempt, and a retry starts without it."""
    row = {"status": "failed", "error": "no", "data": {"n": 1}, "history": [entry("a", "failed", error="no")]}
    await import_gravito(ancestor(row), storage)
    state = await engine.get("r1")
    assert (state.data, state.step("a").attempt_log[0].changes.set) == ({}, {"n": 1})
    flow = create_workflow("flow").step("a", lambda ctx: ctx.data.update(n=ctx.data.get("n", 0) + 1))
    assert (await engine.retry_step(flow, "r1", "a")).data == {"n": 1}


async def test_a_run_that_was_rolled_back_has_failed_with_compensated_steps(engine, storage, ancestor):
    """As a run of this engine would have."""
    history = [entry("a", "compensated"), entry("b", "failed", error="no")]
    await import_gravito(ancestor({"status": "rolled_back", "error": "no", "history": history}), storage)
    state = await engine.get("r1")
    assert (state.status, str(state.step("a").status)) == ("failed", "compensated")


async def test_a_row_that_cannot_be_understood_is_reported(storage, ancestor):
    """It does not keep the others out."""
    path = ancestor(
        {"id": "odd", "status": "dancing"},
        {"id": "torn", "data": "{"},
        {"id": "late", "created_at": "yesterday"},
        {"id": "good"},
    )
    report = await import_gravito(path, storage)
    assert report.imported == ("good",)
    reasons = {problem.run_id: problem.reason for problem in report.problems}
    assert set(reasons) == {"odd", "torn", "late"}
    assert "dancing" in reasons["odd"]
    assert "data is not JSON" in reasons["torn"]
    assert "dancing" in str(report)


async def test_a_file_that_is_no_such_store_is_refused(storage, tmp_path):
    """The error says what is there instead."""
    with pytest.raises(StorageError, match="is not a file"):
        await import_gravito(tmp_path / "none.db", storage)
    text = tmp_path / "text.db"
    text.write_text("not a database, and long enough to be looked at as one " * 30)
    with pytest.raises(StorageError, match="cannot be read"):
        await import_gravito(text, storage)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE fruits (name TEXT)")
    connection.close()
    with pytest.raises(StorageError, match=r"no table flux_workflows.*fruits"):
        await import_gravito(other, storage)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE flux_workflows (id TEXT, name TEXT)")
    connection.close()
    with pytest.raises(StorageError, match="has no column status"):
        await import_gravito(other, storage)
