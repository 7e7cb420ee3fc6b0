"""The trace and the store tell of the same run; the dashboard shows the account that is right."""

import pytest
from msgspec.structs import replace

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.trace.file_sink import JsonFileTraceSink
from flux_tui.feed.store import StoreFeed
from flux_tui.feed.trace import TraceFeed
from flux_tui.model.fold import apply, newer
from flux_tui.model.run import GraphSpec, RunView, StepView
from flux_tui.model.runs import RunsModel


def flaky_flow(failures: int):
    """A workflow whose payment fails so many times."""
    left = [failures]

    def fetch(ctx):
        ctx.data.order = {"total": 5}
        ctx.data.draft = True
        return "fetched"

    def pay(ctx):
        ctx.data.paid = ctx.data.order["total"]
        del ctx.data["draft"]
        if left[0]:
            left[0] -= 1
            raise ConnectionError("gateway returned 502")

    return (
        create_workflow("order")
        .step("fetch", fetch)
        .step("gift", print, when=lambda ctx: False)
        .step("pay", pay, retries=1, backoff=lambda attempt: 0.0)
        .commit("tell", lambda ctx: None)
    )


def story(view: RunView) -> dict:
    """What both accounts must agree upon."""
    return {
        "run": (view.id, view.workflow, view.status, view.input, str(view.error)),
        "graph": view.graph,
        "resumed": view.resumed_at is not None,
        "steps": [
            (step.name, step.status, step.commit, step.attempt, step.tries, step.reason, step.output)
            for step in view.steps
        ],
        "errors": [None if step.error is None else (str(step.error), step.error.step) for step in view.steps],
        "frames": [step.error.frames if step.error else () for step in view.steps],
        "discarded": [step.discarded for step in view.steps if step.status == "failed"],
        "data": [(view.data_before(step.name), view.data_after(step.name)) for step in view.steps],
    }


@pytest.mark.parametrize("failures", [0, 1, 2, 4])
async def test_trace_and_store_tell_the_same_story(tmp_path, failures):
    """After a run, and after a retry with an edit: same statuses, attempts, errors and data."""
    flow = flaky_flow(failures)
    trace, store = TraceFeed(tmp_path / "trace.ndjson"), StoreFeed(tmp_path / "flux.db")
    model = RunsModel()

    async def compare() -> RunView:
        news = await trace.poll()
        model.merge_trace(news.rows)
        traced = None
        for event in await trace.events_of(result.id):
            traced = apply(traced, event)
        stored = await store.run(result.id)
        assert traced is not None
        assert stored is not None
        assert story(traced) == story(stored)
        model.merge_store(await store.page())
        assert model.total == 1
        assert model.row(0).status == traced.status
        assert model.row(0).current_step == stored_row_step(traced)
        return traced

    sink = JsonFileTraceSink(tmp_path / "trace.ndjson")
    async with FluxEngine(storage=SQLiteStorage(tmp_path / "flux.db"), trace=sink) as engine:
        result = await engine.execute(flow, {"id": 1})
        first = await compare()
        assert first.status == ("completed" if failures < 2 else "failed")
        result = await engine.retry_step(flow, result.id, "pay", data={"order": {"total": 9}})
        second = await compare()
        assert second.data_before("pay")["order"] == {"total": 9}
    sink.close()
    trace.close()
    await store.close()


def stored_row_step(view: RunView) -> str | None:
    """The step that a listing names."""
    return None if view.failed_step is None else view.failed_step.name


def run(status: str, updated: float, **fields) -> RunView:
    """A run of one step that is in the same state."""
    ended = updated if status in ("completed", "failed") else None
    known = {"started_at": 1.0, "ended_at": ended, "graph": GraphSpec()}
    steps = (StepView(name="a", status="running" if status == "running" else "completed"),)
    return RunView(
        **{
            **known,
            "id": "r",
            "workflow": "w",
            "status": status,
            "updated_at": updated,
            "steps": steps,
            **fields,
        }
    )


def test_of_one_account_there_is_no_choice():
    """The one that exists is shown."""
    only = run("running", 5)
    assert newer(only, None) is only
    assert newer(None, only) is only
    assert newer(None, None) is None


def test_the_trace_is_shown_unless_it_is_behind():
    """A moment between the two is no difference; more is."""
    traced = run("running", 1000)
    assert newer(traced, run("running", 1001)) is traced
    later = run("running", 60_000)
    assert newer(traced, later) is later
    assert newer(later, traced) is later


def test_a_trace_without_the_start_gives_way_to_the_store():
    """It does not know the steps before."""
    stored = run("running", 900)
    assert newer(run("running", 1000, started_at=None), stored) is stored


def test_an_end_that_the_trace_missed_is_shown():
    """The sink may have failed at the last event."""
    stored = run("completed", 1010)
    assert newer(run("running", 1000), stored) is stored
    ended = run("failed", 1000)
    assert newer(ended, run("running", 990)) is ended


def test_an_interruption_is_laid_over_the_trace():
    """The trace of a killed process ends in the middle of a step; a run that goes on is not interrupted."""
    shown = newer(run("running", 1000), run("interrupted", 999))
    assert shown is not None
    assert (shown.status, shown.steps[0].status) == ("interrupted", "interrupted")
    going_on = run("running", 60_000)
    assert newer(going_on, run("interrupted", 999)) is going_on
    assert newer(replace(going_on, status="completed"), run("interrupted", 999)).status == "completed"
