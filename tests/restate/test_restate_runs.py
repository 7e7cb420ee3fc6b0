"""Runs on a real Restate server: what a workflow means there is what it means on one machine."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import BaseModel

from flux_engine import FatalError, create_workflow, fixed, sleep


class Order(BaseModel):
    order_id: str
    amount: Decimal = Decimal("1.50")


async def test_a_chain_of_steps_completes_with_typed_data(services, name):
    """Input, data and outputs keep value and type from one step to the next."""

    async def fetch(ctx):
        ctx.data.order = ctx.input
        ctx.data.at = datetime(2026, 1, 2, tzinfo=UTC)
        return {"found": ctx.input.order_id}

    def price(ctx):
        assert ctx.data.order == Order(order_id="7")
        assert isinstance(ctx.data.order.amount, Decimal)
        ctx.data.total = ctx.data.order.amount * 2
        ctx.data.key = ctx.idempotency_key

    flow = create_workflow(name).input(Order).step("fetch", fetch).commit("price", price)
    await services.serve(flow)
    run = await services.execute(name, {"order_id": "7"}, run_id=f"{name}-1")
    assert run.status == "completed"
    assert run.data["total"] == Decimal("3.00")
    assert run.data["key"] == f"{name}-1:price"
    assert run.step("fetch").output == {"found": "7"}
    assert services.kinds(run.id) == [
        ("workflow:start", None),
        ("step:start", "fetch"),
        ("step:complete", "fetch"),
        ("step:start", "price"),
        ("step:complete", "price"),
        ("workflow:complete", None),
    ]


async def test_a_failing_step_is_tried_again_as_its_step_says(services, name):
    """Flux's retries and back-off count, not Restate's; each attempt starts from the data before it."""

    def flaky(ctx):
        ctx.data.tries = ctx.data.get("tries", 0) + 1
        if ctx.attempt < 3:
            raise ConnectionError(f"down {ctx.attempt}")

    await services.serve(create_workflow(name).step("flaky", flaky, retries=2, backoff=fixed(0.02)))
    run = await services.execute(name)
    step = run.step("flaky")
    assert (run.status, step.attempts, run.data) == ("completed", 3, {"tries": 1})
    assert [attempt.status for attempt in step.attempt_log] == ["failed", "failed", "completed"]
    assert step.attempt_log[0].error.message == "down 1"
    assert step.attempt_log[0].error.frames[-1].function == "flaky"
    kinds = [kind for kind, _ in services.kinds(run.id)]
    assert kinds[1:-1] == [*["step:start", "step:retry"] * 2, "step:start", "step:complete"]


async def test_errors_that_are_not_to_be_retried_fail_the_run(services, name):
    """FatalError, an exception outside retry_on and a time-out do what they do on one machine."""

    def fatal(ctx):
        raise FatalError("never again")

    async def slow(ctx):
        await asyncio.sleep(30)

    def other(ctx):
        raise KeyError("x")

    await services.serve(
        create_workflow(f"{name}-fatal").step("s", fatal, retries=5),
        create_workflow(f"{name}-slow").step("s", slow, timeout=0.05, retries=1, backoff=fixed(0.01)),
        create_workflow(f"{name}-other").step("s", other, retries=5, retry_on=(OSError,)),
    )
    runs = [await services.execute(f"{name}-{kind}") for kind in ("fatal", "slow", "other")]
    assert [run.status for run in runs] == ["failed"] * 3
    assert [run.step("s").attempts for run in runs] == [1, 2, 1]
    assert [run.error.type for run in runs] == ["FatalError", "StepTimeoutError", "KeyError"]


async def test_conditions_skip_steps(services, name):
    """A step whose condition is false is skipped, and one whose condition raises fails."""
    flow = (
        create_workflow(name)
        .step("a", lambda ctx: ctx.data.update(x=1))
        .step("b", lambda ctx: ctx.data.update(y=1), when=lambda ctx: ctx.data.x == 2)
        .step("c", lambda ctx: ctx.data.update(z=1), when=lambda ctx: ctx.data.x == 1)
    )
    broken = create_workflow(f"{name}-broken").step("s", lambda ctx: None, when=lambda ctx: ctx.data.nothing)
    await services.serve(flow, broken)
    run = await services.execute(name)
    assert [step.status for step in run.history] == ["completed", "skipped", "completed"]
    assert run.data == {"x": 1, "z": 1}
    failed = await services.execute(f"{name}-broken")
    assert (failed.status, failed.error.type) == ("failed", "AttributeError")


async def test_steps_with_the_same_predecessor_run_at_the_same_time(services, name):
    """Each needs the other to go on; what both changed is merged, and a conflict names key and steps."""
    met = {"left": asyncio.Event(), "right": asyncio.Event()}

    def meeting(mine, other):
        async def handler(ctx):
            met[mine].set()
            await asyncio.wait_for(met[other].wait(), 10)
            ctx.data[mine] = True

        return handler

    async def clash(ctx):
        await asyncio.sleep(0.02)
        ctx.data.same = ctx.current_step

    flow = (
        create_workflow(name)
        .step("left", meeting("left", "right"), after=())
        .step("right", meeting("right", "left"), after=())
        .step(
            "join",
            lambda ctx: len(ctx.data),
            after=("left", "right"),
        )
    )
    conflict = create_workflow(f"{name}-c").step("one", clash, after=()).step("two", clash, after=())
    await services.serve(flow, conflict)
    run = await services.execute(name)
    assert (run.data, run.step("join").output) == ({"left": True, "right": True}, 2)
    refused = await services.execute(f"{name}-c")
    assert (refused.status, refused.error.type) == ("failed", "DataConflictError")
    assert "'same'" in refused.error.message


async def test_what_completed_steps_did_is_taken_back_in_reverse_order(services, name):
    """A step that fails for good has the compensations run, each recorded, with its retries."""
    taken_back = []

    def undo(step, failures=0):
        left = [failures]

        def handler(ctx):
            taken_back.append(step)
            if left[0]:
                left[0] -= 1
                raise ConnectionError("later")

        return handler

    def fail(ctx):
        raise ValueError("no")

    flow = (
        create_workflow(name)
        .step("a", lambda ctx: None, compensate=undo("a"))
        .step("b", lambda ctx: None, compensate=undo("b", 1), retries=1, backoff=fixed(0.01))
        .step("c", fail)
    )
    await services.serve(flow)
    run = await services.execute(name)
    assert run.status == "failed"
    assert taken_back == ["b", "b", "a"]
    assert [step.status for step in run.history] == ["compensated", "compensated", "failed"]
    assert [kind for kind, _ in services.kinds(run.id)].count("step:compensate") == 6


async def test_an_input_that_does_not_fit_fails_before_the_run_begins(services, name):
    """Every problem is told; nothing is kept and nothing traced."""
    await services.serve(create_workflow(name).input(Order).step("s", lambda ctx: None))
    run_id = await services.client.start(name, {"amount": "much"})
    for _ in range(1500):
        found = await services.client.run(run_id)
        if found.invocation.ended:
            break
        await asyncio.sleep(0.02)
    assert found.record.status == "failed"
    assert "order_id" in found.record.error_summary
    assert "amount" in found.record.error_summary
    assert services.events(run_id) == []


async def test_a_durable_sleep_ends_its_step_later(services, name):
    """The step is suspended meanwhile, and complete after its time."""
    flow = create_workflow(name).step("nap", lambda ctx: sleep(0.3)).step("on", lambda ctx: None)
    await services.serve(flow)
    run = await services.execute(name)
    assert run.status == "completed"
    assert run.step("nap").duration >= 0.29
    assert ("step:suspend", "nap") in services.kinds(run.id)


async def test_there_is_no_transaction(services, name):
    """ctx.tx in a commit says why there is none, and the attempt is not repeated."""

    async def commit(ctx):
        await ctx.tx.execute("INSERT INTO t VALUES (1)")

    await services.serve(create_workflow(name).commit("c", commit, retries=3))
    run = await services.execute(name)
    assert (run.error.type, run.step("c").attempts) == ("TransactionError", 1)
    assert "idempotency_key" in run.error.message


async def test_log_lines_and_large_values_arrive(services, name):
    """ctx.logger writes to the trace; a value above 64 KiB is kept once and read back whole."""

    def work(ctx):
        ctx.logger.info("half of %s", "it")
        ctx.data.large = "x" * 100_000
        ctx.data.again = ctx.data.large

    await services.serve(create_workflow(name).step("work", work).step("on", lambda ctx: len(ctx.data.large)))
    run = await services.execute(name)
    assert len(run.data["large"]) == len(run.data["again"]) == run.step("on").output == 100_000
    logged = [event["meta"] for event in services.events(run.id) if event["type"] == "step:log"]
    assert logged == [{"stream": "info", "text": "half of it"}]
