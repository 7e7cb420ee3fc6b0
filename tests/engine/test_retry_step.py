"""Going back to a step: what is restored, what runs again, what stays."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel, Field

from flux_engine import (
    InvalidInputError,
    RunBusyError,
    RunNotFoundError,
    SerializationError,
    StepNotFoundError,
    WorkflowMismatchError,
    create_workflow,
)


def counting(calls, broken=()):
    """Return a workflow of three steps that count in the data; those in ``broken`` fail."""

    def step(name):
        async def handler(ctx):
            calls.append(name)
            ctx.data.count = ctx.data.get("count", 0) + 1
            ctx.data[name] = ctx.data.count
            if name in broken:
                raise ConnectionError("gateway returned 502")

        return handler

    flow = create_workflow("counting").step("a", step("a")).step("b", step("b"))
    return flow.commit("c", step("c"))


async def test_a_retry_starts_from_the_data_before_the_step(engine):
    """A counter in the first step reads 1 again after any number of retries from it."""
    calls = []
    flow = counting(calls)
    result = await engine.execute(flow)
    for _ in range(3):
        again = await engine.retry_step(flow, result.id, "a")
        assert again.data == {"count": 3, "a": 1, "b": 2, "c": 3}
    assert calls == ["a", "b", "c"] * 4


async def test_a_failed_step_goes_on_with_the_data_it_had(engine):
    """What came before is not run again."""
    calls, broken = [], {"b"}
    flow = counting(calls, broken)
    failed = await engine.execute(flow)
    assert failed.data == {"count": 1, "a": 1}
    broken.clear()
    result = await engine.retry_step(flow, failed.id, "b")
    assert (result.status, result.data) == ("completed", {"count": 3, "a": 1, "b": 2, "c": 3})
    assert calls == ["a", "b", "b", "c"]
    assert result.error is None
    assert (await engine.get(result.id)).error is None


async def test_earlier_attempts_stay_in_the_history(engine):
    """With their errors; the count goes on over retries."""
    calls, broken = [], {"b"}
    flow = counting(calls, broken)
    failed = await engine.execute(flow)
    await engine.retry_step(flow, failed.id, "b")
    broken.clear()
    await engine.retry_step(flow, failed.id, "b")
    entry = (await engine.get(failed.id)).step("b")
    assert (entry.status, entry.attempts) == ("completed", 3)
    assert [(attempt.number, attempt.status) for attempt in entry.attempt_log] == [
        (1, "failed"),
        (2, "failed"),
        (3, "completed"),
    ]
    assert entry.attempt_log[0].error.message == "gateway returned 502"


async def test_only_runs_that_step_alone(engine):
    """Later results stay, and the changes are merged in the order of the steps."""
    calls = []
    flow = counting(calls)
    result = await engine.execute(flow)
    again = await engine.retry_step(flow, result.id, "b", scope="only", data={"count": 10})
    assert calls == ["a", "b", "c", "b"]
    assert (again.status, again.data) == ("completed", {"count": 3, "a": 1, "b": 11, "c": 3})


async def test_only_on_a_failed_step_pauses_the_run_before_the_rest(engine):
    """The rest is still to do: resume goes on with it."""
    calls, broken = [], {"b"}
    flow = counting(calls, broken)
    failed = await engine.execute(flow)
    broken.clear()
    paused = await engine.retry_step(flow, failed.id, "b", scope="only")
    assert (paused.status, calls) == ("paused", ["a", "b", "b"])
    result = await engine.resume(flow, failed.id)
    assert (result.status, calls) == ("completed", ["a", "b", "b", "c"])


async def test_only_on_an_earlier_step_leaves_a_failed_run_failed(engine):
    """The later failure is still there, with its error."""
    calls, broken = [], {"b"}
    flow = counting(calls, broken)
    failed = await engine.execute(flow)
    again = await engine.retry_step(flow, failed.id, "a", scope="only")
    assert (again.status, again.error.step, calls) == ("failed", "b", ["a", "b", "a"])


async def test_an_edit_is_merged_over_the_restored_data_and_recorded(engine):
    """It stays with the step until a retry from further up makes it moot."""
    calls, broken = [], {"b"}
    flow = counting(calls, broken)
    failed = await engine.execute(flow)
    await engine.retry_step(flow, failed.id, "b", data={"count": 100, "note": "by hand"})
    broken.clear()
    result = await engine.retry_step(flow, failed.id, "b")
    assert result.data == {"count": 102, "a": 1, "note": "by hand", "b": 101, "c": 102}
    state = await engine.get(failed.id)
    assert state.step("b").edit.set == {"count": 100, "note": "by hand"}
    assert state.data_before("b") == {"count": 100, "a": 1, "note": "by hand"}
    fresh = await engine.retry_step(flow, failed.id, "a")
    assert fresh.data == {"count": 3, "a": 1, "b": 2, "c": 3}


async def test_an_edit_that_cannot_be_stored_changes_nothing(engine):
    """The run is as it was, and can be retried."""
    flow = counting([])
    result = await engine.execute(flow)
    before = await engine.get(result.id)
    with pytest.raises(SerializationError, match="bad"):
        await engine.retry_step(flow, result.id, "b", data={"bad": object()})
    assert await engine.get(result.id) == before


async def test_a_preview_says_what_a_retry_would_do_and_does_nothing(engine):
    """Steps that run again, steps kept, commits repeated with their keys."""
    calls = []
    flow = counting(calls)
    result = await engine.execute(flow)
    before = await engine.get(result.id)
    plan = await engine.preview_retry(flow, result.id, "b")
    assert (plan.runs_again, plan.kept) == (("b", "c"), ("a",))
    assert [(commit.step, commit.idempotency_key) for commit in plan.repeated_commits] == [
        ("c", f"{result.id}:c")
    ]
    assert plan.changed_code == ()
    only = await engine.preview_retry(flow, result.id, "b", scope="only")
    assert (only.runs_again, only.kept, only.repeated_commits) == (("b",), ("a", "c"), ())
    assert await engine.get(result.id) == before
    assert calls == ["a", "b", "c"]


async def test_a_preview_names_steps_whose_code_has_changed(engine):
    """Compared by source, not by name or line."""

    async def before(ctx):
        ctx.data.x = 1

    async def after(ctx):
        ctx.data.x = 2

    def same_a(ctx): ctx.data.y = 1  # fmt: skip

    def same_b(ctx): ctx.data.y = 1  # fmt: skip  # another name and line, the same code

    result = await engine.execute(create_workflow("w").step("s", before).step("t", same_a))
    changed = create_workflow("w").step("s", after).step("t", same_b)
    plan = await engine.preview_retry(changed, result.id, "s")
    assert plan.changed_code == ("s",)


async def test_a_changed_condition_counts_as_changed_code(engine):
    """It decides whether the step runs, so it is part of it; a retry asks the new one."""
    steps = create_workflow("w").step("s", lambda ctx: ctx.data.update(x=1), when=lambda ctx: ctx.input > 1)
    result = await engine.execute(steps, 1)
    assert result.history[0].status == "skipped"
    edited = create_workflow("w").step("s", lambda ctx: ctx.data.update(x=1), when=lambda ctx: ctx.input > 0)
    assert (await engine.preview_retry(edited, result.id, "s")).changed_code == ("s",)
    assert (await engine.retry_step(edited, result.id, "s")).data == {"x": 1}


async def test_completed_commits_can_be_kept(engine):
    """Their recorded changes count; a commit retried by name does run."""
    calls = []
    flow = counting(calls)
    result = await engine.execute(flow)
    again = await engine.retry_step(flow, result.id, "a", keep_commits=True)
    assert (again.status, calls) == ("completed", ["a", "b", "c", "a", "b"])
    assert again.data == {"count": 3, "a": 1, "b": 2, "c": 3}
    await engine.retry_step(flow, result.id, "c", keep_commits=True)
    assert calls[-1] == "c"


async def test_what_follows_a_kept_commit_waits_for_what_runs_again_before_it(engine):
    """The kept result stands between them; the order stays."""
    calls = []

    def step(name):
        async def handler(ctx):
            await asyncio.sleep(0)
            calls.append((name, sorted(ctx.data)))
            ctx.data[name] = True

        return handler

    flow = create_workflow("w").step("a", step("a")).commit("b", step("b")).step("c", step("c"))
    result = await engine.execute(flow)
    calls.clear()
    await engine.retry_step(flow, result.id, "a", keep_commits=True)
    assert calls == [("a", []), ("c", ["a", "b"])]


async def test_a_condition_can_be_ignored(engine):
    """For the retried step only, and for this time only."""
    flow = create_workflow("w").step("s", lambda ctx: ctx.data.update(ran=True), when=lambda ctx: False)
    result = await engine.execute(flow)
    assert result.history[0].status == "skipped"
    forced = await engine.retry_step(flow, result.id, "s", ignore_when=True)
    assert (forced.history[0].status, forced.data) == ("completed", {"ran": True})
    usual = await engine.retry_step(flow, result.id, "s")
    assert (usual.history[0].status, usual.data) == ("skipped", {})


async def test_mistakes_are_told_apart(engine):
    """Unknown run, unknown step, another workflow, an unknown scope."""
    flow = counting([])
    result = await engine.execute(flow)
    other = create_workflow("other").step("a", lambda ctx: None)
    with pytest.raises(RunNotFoundError, match="nowhere"):
        await engine.retry_step(flow, "nowhere", "a")
    with pytest.raises(StepNotFoundError, match="'z'.*a, b, c"):
        await engine.retry_step(flow, result.id, "z")
    with pytest.raises(WorkflowMismatchError, match="'counting'.*'other'"):
        await engine.retry_step(other, result.id, "a")
    with pytest.raises(ValueError, match="downstream, only"):
        await engine.retry_step(flow, result.id, "a", scope="everything")


async def test_a_run_in_hand_is_not_taken_twice(make_engine):
    """Neither by the same engine nor by another one."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def wait(ctx):
        started.set()
        await go_on.wait()

    flow = create_workflow("w").step("s", wait)
    first, second = make_engine(), make_engine()
    running = asyncio.ensure_future(first.execute(flow, run_id="r"))
    await started.wait()
    for engine in (first, second):
        for verb in (engine.retry_step(flow, "r", "s"), engine.resume(flow, "r"), engine.delete("r")):
            with pytest.raises(RunBusyError, match="r is in the hands"):
                await verb
    go_on.set()
    assert (await running).ok


async def test_of_two_engines_that_retry_at_once_one_wins(make_engine):
    """The other is told that the run is busy; the step runs once."""
    calls, broken = [], {"b"}
    flow = counting(calls, broken)
    engines = [make_engine() for _ in range(5)]
    failed = await engines[0].execute(flow)
    broken.clear()
    calls.clear()
    outcomes = await asyncio.gather(
        *(engine.retry_step(flow, failed.id, "b") for engine in engines), return_exceptions=True
    )
    finished = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert all(isinstance(o, RunBusyError) for o in outcomes if isinstance(o, BaseException))
    assert len(finished) >= 1
    assert calls == ["b", "c"] * len(finished)


class Totals(BaseModel):
    count: int = 0
    tags: set[str] = Field(default_factory=set)
    limit: int = Field(default=5, le=10)


@dataclass
class Tally:
    count: int = 0
    tags: set[str] = field(default_factory=set)


@pytest.mark.parametrize("kind", [Totals, Tally])
async def test_typed_data_is_an_instance_everywhere(engine, kind):
    """In every step, in the result, and after a retry; attempts start from the stored fields."""

    async def step(ctx):
        assert type(ctx.data) is kind
        ctx.data.count += 1
        ctx.data.tags.add(ctx.current_step)
        if ctx.current_step == "b" and ctx.attempt == 1:
            raise ValueError

    flow = create_workflow("typed").data(kind).step("a", step).step("b", step)
    failed = await engine.execute(flow)
    assert (failed.status, failed.data) == ("failed", kind(count=1, tags={"a"}))
    result = await engine.retry_step(flow, failed.id, "b")
    assert result.data == kind(count=2, tags={"a", "b"})
    assert (await engine.get(result.id)).step("b").changes.set == {"count": 2, "tags": {"a", "b"}}


async def test_an_edit_of_typed_data_is_validated_as_its_fields(engine):
    """All problems at once; strings that fit are converted."""
    flow = create_workflow("typed").data(Totals).step("a", lambda ctx: {"limit": ctx.data.limit})
    result = await engine.execute(flow)
    again = await engine.retry_step(flow, result.id, "a", data={"limit": "7"})
    assert again.history[0].output == {"limit": 7}
    with pytest.raises(InvalidInputError) as caught:
        await engine.retry_step(flow, result.id, "a", data={"limit": 11, "count": "many", "nope": 1})
    assert {where for where, _ in caught.value.problems} == {"limit", "count", "nope"}
