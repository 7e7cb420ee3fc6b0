"""``after=``: steps that run at the same time, and the data they share."""

import asyncio

import pytest

from flux_engine import DefinitionError, create_workflow


def nothing(ctx):
    return None


def meeting(count):
    """Return a function that makes handlers which only end when ``count`` of them are running."""
    barrier = asyncio.Barrier(count)

    def handler(key, value=True):
        async def meet(ctx):
            ctx.data[key] = value
            await barrier.wait()

        return meet

    return handler


async def test_steps_whose_predecessors_are_done_run_at_the_same_time(engine):
    """They wait for each other, so one after the other they would never end."""
    meet = meeting(3)
    flow = create_workflow("w").step("start", nothing)
    for name in "xyz":
        flow.step(name, meet(name), after="start", timeout=20)
    flow.step("join", lambda ctx: {"seen": sorted(ctx.data)}, after=("x", "y", "z"))
    result = await engine.execute(flow)
    assert result.status == "completed", result.error
    assert result.history[4].output == {"seen": ["x", "y", "z"]}
    assert result.data == {"x": True, "y": True, "z": True}


async def test_concurrent_steps_see_the_data_as_it_was_when_they_started(engine):
    """What one changes meanwhile the other does not see."""
    first_done = asyncio.Event()

    async def quick(ctx):
        ctx.data.shared["by"] = "quick"

    async def slow(ctx):
        await first_done.wait()
        ctx.data.slow_saw = dict(ctx.data.shared)

    async def behind(ctx):
        first_done.set()

    flow = (
        create_workflow("w")
        .step("start", lambda ctx: ctx.data.update(shared={"by": "start"}))
        .step("slow", slow, after="start", timeout=20)
        .step("quick", quick, after="start")
        .step("behind", behind, after="quick")
    )
    result = await engine.execute(flow)
    assert result.data == {"shared": {"by": "quick"}, "slow_saw": {"by": "start"}}


async def test_two_that_change_the_same_key_fail_the_later_one(engine):
    """The error names key and steps; the earlier result stays."""
    meet = meeting(2)
    last = asyncio.Event()

    async def later(ctx):
        await meet("same", 2)(ctx)
        await last.wait()

    async def release(ctx):
        last.set()

    flow = (
        create_workflow("w")
        .step("a", meet("same", 1), after=(), timeout=20)
        .step("b", later, after=(), timeout=20)
        .step("release", release, after="a")
    )
    result = await engine.execute(flow)
    assert (result.status, result.error.type, result.error.step) == ("failed", "DataConflictError", "b")
    assert "'a' and 'b'" in result.error
    assert "'same'" in result.error
    assert result.data == {"same": 1}
    assert result.history[1].attempts == 1, "trying again would not help"


async def test_when_one_branch_fails_the_others_come_to_their_end(engine):
    """Their results are kept; nothing behind the failure begins; a retry does the rest."""
    calls, broken = [], {"bad"}

    def step(name):
        async def handler(ctx):
            calls.append(name)
            await asyncio.sleep(0)
            if name in broken:
                raise ValueError(name)
            ctx.data[name] = True

        return handler

    flow = (
        create_workflow("w")
        .step("start", step("start"))
        .step("bad", step("bad"), after="start")
        .step("good", step("good"), after="start")
        .step("join", step("join"), after=("bad", "good"))
    )
    failed = await engine.execute(flow)
    assert [h.status for h in failed.history] == ["completed", "failed", "completed", "pending"]
    assert failed.data == {"start": True, "good": True}
    broken.clear()
    plan = await engine.preview_retry(flow, failed.id, "bad")
    assert (plan.runs_again, plan.kept) == (("bad", "join"), ("start", "good"))
    result = await engine.retry_step(flow, failed.id, "bad")
    assert (result.status, calls) == ("completed", ["start", "bad", "good", "bad", "join"])


async def test_a_retry_follows_the_graph(engine):
    """Only what depends on the step runs again, with the data the step had."""
    calls = []

    def step(name):
        async def handler(ctx):
            calls.append((name, sorted(ctx.data)))
            ctx.data[name] = len(calls)

        return handler

    flow = (
        create_workflow("w")
        .step("a", step("a"))
        .step("left", step("left"), after="a")
        .step("right", step("right"), after="a")
        .step("left2", step("left2"), after="left")
        .step("join", step("join"), after=("left2", "right"))
    )
    result = await engine.execute(flow)
    calls.clear()
    again = await engine.retry_step(flow, result.id, "left")
    assert [name for name, _ in calls] == ["left", "left2", "join"]
    assert "join" not in calls[0][1]
    assert "left" not in calls[0][1]
    assert calls[2][1] == ["a", "left", "left2", "right"]
    assert again.ok


async def test_skipped_steps_count_as_done_at_joins(engine):
    """A join waits for what runs and for nothing else."""
    flow = (
        create_workflow("w")
        .step("a", lambda ctx: ctx.data.update(a=1), after=())
        .step("b", lambda ctx: ctx.data.update(b=1), after=(), when=lambda ctx: False)
        .step("join", lambda ctx: ctx.data.update(joined=True), after=("a", "b"))
    )
    result = await engine.execute(flow)
    assert [h.status for h in result.history] == ["completed", "skipped", "completed"]
    assert result.data == {"a": 1, "joined": True}


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda f: f.step("a", nothing, after="b").step("b", nothing, after="a"), "a → b → a|b → a → b"),
        (lambda f: f.step("a", nothing, after="a"), "a → a"),
        (lambda f: f.step("a", nothing).step("b", nothing, after="nowhere"), "'nowhere', which is no step"),
        (lambda f: f.step("a", nothing, after=3), "after takes names"),
        (lambda f: f.step("a", nothing, compensate="x"), "compensate takes a function"),
        (lambda f: f.step("a", nothing, on_crash="hold"), "is for commits"),
        (lambda f: f.commit("a", nothing, on_crash="panic"), "'retry' or 'hold'"),
    ],
)
def test_a_graph_that_cannot_run_is_refused_when_built(mistake, message):
    """Cycles, unknown names, wrong kinds."""
    with pytest.raises(DefinitionError, match=message):
        mistake(create_workflow("w")).build()


def test_a_step_may_follow_one_declared_later():
    """The order of declaration is only the default."""
    built = create_workflow("w").step("b", nothing, after="a").step("a", nothing, after=()).build()
    assert built.describe()["edges"] == [["a", "b"]]
