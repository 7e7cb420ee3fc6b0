"""What users get wrong, or their own code does, must be told plainly and leave no run half alive."""

import asyncio

import pytest

from flux_engine import (
    DefinitionError,
    FluxEngine,
    Hooks,
    InvalidInputError,
    LoggingTraceSink,
    MultiTraceSink,
    RunExistsError,
    SerializationError,
    SQLiteStorage,
    WorkflowMismatchError,
    create_workflow,
)

SURROGATE = "\ud800"


def one_step(handler, **options):
    """Return a workflow of one step, ``only``."""
    return create_workflow("flow").step("only", handler, **options)


async def test_one_of_two_runs_started_at_once_with_one_id_goes_on(engine):
    """The first has the id; the second is refused and does not disturb it."""
    go_on = asyncio.Event()

    async def waiting(ctx):
        ctx.data.done = True
        await go_on.wait()

    first, *others = [asyncio.ensure_future(engine.execute(one_step(waiting), run_id="r")) for _ in range(3)]
    refusals = await asyncio.gather(*others, return_exceptions=True)
    go_on.set()
    result = await first
    assert result.status == "completed"
    assert result.data == {"done": True}
    assert [type(refusal) for refusal in refusals] == [RunExistsError, RunExistsError]


@pytest.mark.parametrize("place", ["handler", "condition"])
async def test_a_message_with_surrogates_fails_the_step_like_any_other(engine, place):
    """Such texts come from file names; the store and the trace get them escaped."""

    def broken(_ctx):
        raise ValueError(f"no file caf{SURROGATE}")

    flow = one_step(broken) if place == "handler" else one_step(lambda ctx: ctx, when=broken)
    result = await engine.execute(flow)
    assert result.status == "failed"
    assert r"no file caf\ud800" in str(result.error)
    assert (await engine.get(result.id)).error == result.error


async def test_a_key_with_surrogates_fails_the_step(engine):
    """The error says which key."""
    result = await engine.execute(one_step(lambda ctx: ctx.data.update({SURROGATE: 1})))
    assert result.status == "failed"
    assert r"\ud800" in str(result.error)


async def test_a_value_that_cannot_be_stored_names_step_key_and_type(engine):
    """All three, in one message."""
    result = await engine.execute(one_step(lambda ctx: ctx.data.update(socket=object())))
    for part in ("'only'", "'socket'", "object"):
        assert part in str(result.error)


async def test_data_that_was_replaced_is_told(engine):
    """``ctx.data = {}`` says what to do instead."""

    def replacing(ctx):
        ctx.data = {"a": 1}

    result = await engine.execute(one_step(replacing))
    assert result.status == "failed"
    assert "ctx.data.update" in str(result.error)


async def test_a_backoff_that_raises_fails_the_step(engine):
    """The run ends, with the handler's own error as the cause in the traceback."""

    def broken(_ctx):
        raise ValueError("the handler's")

    def backoff(_retry):
        raise ZeroDivisionError("the back-off's")

    result = await engine.execute(one_step(broken, retries=1, backoff=backoff))
    assert result.status == "failed"
    assert result.history[0].attempts == 1
    assert "the back-off's" in str(result.error)
    assert "the handler's" in result.error.text


async def test_a_logger_that_raises_does_not_break_the_run_of_a_failing_hook(make_engine):
    """The failure is counted though nobody could be told."""

    class BrokenLogger:
        def error(self, message):
            raise OSError(message)

        debug = info = warning = error

    def hook(_event):
        raise ValueError("hook")

    engine = make_engine(logger=BrokenLogger(), on=Hooks(step_start=hook))
    result = await engine.execute(one_step(lambda ctx: ctx.attempt))
    assert result.status == "completed"
    assert engine.problems == {"hook step_start": 1}


def test_an_async_validate_is_refused():
    """Its coroutine would never be awaited, and every input accepted."""

    async def check(_value):
        return False

    with pytest.raises(DefinitionError, match="plain function"):
        create_workflow("flow").validate(check)


@pytest.mark.parametrize("name", [SURROGATE, 5, lambda ctx: ctx])
def test_a_step_name_is_checked_at_once(name):
    """Also when ``step`` is used as a decorator, or without its parentheses."""
    with pytest.raises(DefinitionError, match="name"):
        create_workflow("flow").step(name)


@pytest.mark.parametrize("run_id", ["", " ", 5, SURROGATE])
async def test_a_run_id_is_text(engine, run_id):
    """Anything else is refused before a run exists."""
    with pytest.raises(InvalidInputError, match="run_id"):
        await engine.execute(one_step(lambda ctx: ctx.id), run_id=run_id)
    assert await engine.list() == []


@pytest.mark.parametrize(
    ("part", "value"), [("storage", "flux.db"), ("storage", SQLiteStorage), ("trace", "t.ndjson"), ("on", {})]
)
def test_parts_of_another_kind_are_refused(part, value):
    """The message says which one, and what it takes."""
    with pytest.raises(TypeError, match=f"{part}= takes"):
        FluxEngine(**{part: value})


def test_a_list_of_sinks_is_refused():
    """Sinks are given one by one; every event would be lost otherwise."""
    with pytest.raises(TypeError, match=r"MultiTraceSink\(a, b\)"):
        MultiTraceSink([LoggingTraceSink()])


async def test_an_edit_of_another_kind_is_refused_and_the_run_stays(engine):
    """Neither a value that is no mapping nor keys that are no strings reach the store."""
    flow = one_step(lambda ctx: ctx.attempt)
    result = await engine.execute(flow)
    with pytest.raises(TypeError, match="data= takes"):
        await engine.retry_step(flow, result.id, "only", data=5)
    with pytest.raises(SerializationError, match="strings"):
        await engine.retry_step(flow, result.id, "only", data={5: 1})
    assert (await engine.get(result.id)).status == "completed"


async def test_a_mismatch_says_which_workflow_to_pass(engine):
    """Expected, found, and what to do."""
    result = await engine.execute(one_step(lambda ctx: ctx.id))
    with pytest.raises(WorkflowMismatchError, match="Pass workflow 'flow'"):
        await engine.resume(create_workflow("other").step("only", print), result.id)
