"""What an editor infers from the public API. Never run: mypy checks it, strictly.

An ``assert_type`` says what is inferred; a ``type: ignore`` with its code says that a wrong use is found,
and is an error itself if it is not.
"""

from typing import Any, assert_type

from pydantic import BaseModel

from flux_engine import (
    Context,
    Data,
    ErrorInfo,
    FatalError,
    FluxEngine,
    FluxResult,
    HookEvent,
    Hooks,
    JsonFileTraceSink,
    MemoryStorage,
    RetryPlan,
    RunStatus,
    RunSummary,
    SQLiteStorage,
    StepHistory,
    TraceEvent,
    WorkflowBuilder,
    WorkflowDefinition,
    WorkflowState,
    create_workflow,
)


class OrderInput(BaseModel):
    """An input."""

    order_id: str


class OrderData(BaseModel):
    """The data of a workflow."""

    total: int = 0


class OtherInput(BaseModel):
    """An input of another workflow."""


# A workflow that states neither type: anything comes in, the data is a dict with attribute access.
plain = create_workflow("plain")
assert_type(plain, WorkflowBuilder[Any, Data])

# The types that are stated reach the builder, the handlers and the result.
with_input = create_workflow("orders").input(OrderInput)
assert_type(with_input, WorkflowBuilder[OrderInput, Data])
typed = with_input.data(OrderData)
assert_type(typed, WorkflowBuilder[OrderInput, OrderData])
assert_type(typed.build(), WorkflowDefinition[OrderInput, OrderData])
assert_type(typed.name, str)
assert_type(typed.step_count, int)
assert_type(typed.describe(), dict[str, Any])


async def fetch(ctx: Context[OrderInput, OrderData]) -> int:
    """Use a typed context in a coroutine."""
    assert_type(ctx.input, OrderInput)
    assert_type(ctx.data, OrderData)
    assert_type(ctx.data.total, int)
    assert_type(ctx.attempt, int)
    assert_type(ctx.idempotency_key, str)
    assert_type(ctx.status, RunStatus)
    assert_type(ctx.history, tuple[StepHistory, ...])
    ctx.input.order_id = 1  # type: ignore[assignment]
    ctx.input.order = 1  # type: ignore[attr-defined]
    ctx.data.total = "many"  # type: ignore[assignment]
    return ctx.data.total


def check(ctx: Context[OrderInput, OrderData]) -> None:
    """Use a typed context in a plain function."""
    if not ctx.input.order_id:
        raise FatalError("no order")


def other(ctx: Context[OtherInput, OrderData]) -> None:
    """Take the context of another workflow."""


def loose(ctx: Context[OrderInput, Data]) -> None:
    """Use the dict with attribute access."""
    ctx.data.anything = ctx.input.order_id
    ctx.data["anything"] = 1


# Chained: the builder keeps its types.
chained = typed.step("fetch", fetch, retries=3, timeout=30.0).commit(
    "check", check, when=lambda ctx: ctx.data.total > 0, retry_on=(ConnectionError, TimeoutError)
)
assert_type(chained, WorkflowBuilder[OrderInput, OrderData])
with_input.step("loose", loose)
typed.step("lambda", lambda ctx: ctx.data.total)
typed.validate(lambda order: assert_type(order, OrderInput).order_id != "")

# Wrong uses are found.
typed.step("other", other)  # type: ignore[arg-type]
typed.step("fetch", fetch, retries="3")  # type: ignore[call-overload]
typed.step("fetch", fetch, retry=3)  # type: ignore[call-overload]
typed.step("fetch", fetch, when=True)  # type: ignore[call-overload]
typed.step(fetch)  # type: ignore[call-overload]
create_workflow()  # type: ignore[call-arg]


# Decorators leave the function as it is.
@typed.step("notify", retries=1)
async def notify(ctx: Context[OrderInput, OrderData]) -> str:
    """Be a step."""
    return ctx.input.order_id


@typed.commit("record")
def record(ctx: Context[OrderInput, OrderData]) -> None:
    """Be a commit."""


async def decorated(ctx: Context[OrderInput, OrderData]) -> None:
    """Call decorated functions: they have kept their types."""
    assert_type(await notify(ctx), str)
    record("not a context")  # type: ignore[arg-type]


async def engine() -> None:
    """Use the engine: results know the type of the data."""
    flux = FluxEngine(
        storage=SQLiteStorage(".flux/flux.db"),
        trace=JsonFileTraceSink(".flux/trace.ndjson"),
        default_retries=3,
        default_timeout=30.0,
        on=Hooks(step_start=lambda event: assert_type(event, HookEvent)),
    )
    async with flux as entered:
        assert_type(entered, FluxEngine)
        result = await flux.execute(chained, {"order_id": "123"}, run_id="r1")
        assert_type(result, FluxResult[OrderData])
        assert_type(result.data.total, int)
        assert_type(result.status, RunStatus)
        assert_type(result.error, ErrorInfo | None)
        assert_type(result.history, tuple[StepHistory, ...])
        assert_type(await flux.execute(chained.build(), OrderInput(order_id="1")), FluxResult[OrderData])
        assert_type(await flux.execute(plain, {}), FluxResult[Data])
        assert_type(await flux.resume(chained, "r1"), FluxResult[OrderData])
        assert_type(await flux.retry_step(chained, "r1", "fetch", scope="only"), FluxResult[OrderData])
        assert_type(await flux.preview_retry(chained, "r1", "fetch"), RetryPlan)
        assert_type(await flux.get("r1"), WorkflowState)
        assert_type(await flux.list(status=["failed", RunStatus.RUNNING]), list[RunSummary])
        await flux.retry_step(chained, "r1", "fetch", scope="upstream")  # type: ignore[arg-type]
        await flux.execute("orders", {})  # type: ignore[arg-type]
        flux.execute(chained)  # type: ignore[unused-coroutine]


def without_a_loop() -> None:
    """Use the engine in a program without an event loop, with a sink of its own."""

    class Sink:
        async def emit(self, event: TraceEvent) -> None:
            assert_type(event.workflow_id, str)

    flux = FluxEngine(storage=MemoryStorage(), trace=Sink())
    assert_type(flux.execute_sync(chained, {"order_id": "1"}), FluxResult[OrderData])
    FluxEngine(storage="flux.db")  # type: ignore[arg-type]
    FluxEngine(trace=object())  # type: ignore[arg-type]
