"""What happens when a workflow is executed."""

import asyncio
import copy
import functools
import inspect
import threading
from contextvars import ContextVar

import pytest

from flux_engine import (
    FatalError,
    FluxConsoleLogger,
    FluxEngine,
    FluxError,
    FluxSilentLogger,
    Hooks,
    RunExistsError,
    RunNotFoundError,
    RunStatus,
    SerializationError,
    StepStatus,
    StepTimeoutError,
    WorkflowFailedError,
    create_workflow,
    exponential,
    fixed,
)
from flux_engine.testing import ManualClock


def setting(key, value):
    """Return an async handler that sets one key."""

    async def handler(ctx):
        ctx.data[key] = value

    return handler


async def fail(ctx):
    ctx.data.half = "done"
    raise ValueError("unpaid order")


async def test_a_run_passes_data_from_step_to_step(engine):
    """Async handlers, plain functions and lambdas are all steps."""

    def double(ctx):
        ctx.data.total = ctx.data.price * 2

    flow = create_workflow("w").step("price", setting("price", 21)).step("double", double)
    result = await engine.execute(flow)
    assert result.status == "completed"
    assert result.ok
    assert result.data == {"price": 21, "total": 42}
    assert result.data.total == 42
    assert result.duration >= 0
    assert result.error is None
    result.raise_for_status()


async def test_a_failed_step_makes_a_failed_result_and_nothing_is_raised(engine):
    """The error says type, message, step and the user's line; later steps have names but did not start."""
    flow = create_workflow("w").step("a", setting("x", 1)).step("b", fail).step("c", setting("y", 2))
    result = await engine.execute(flow)
    assert (result.status, result.error.type, result.error.step) == (RunStatus.FAILED, "ValueError", "b")
    assert str(result.error) == "ValueError: unpaid order"
    assert "unpaid" in result.error
    assert result.error.frames[-1].function == "fail"
    assert result.error.frames[-1].user
    assert all("flux_engine" not in frame.file for frame in result.error.frames)
    assert [(h.name, h.status) for h in result.history] == [
        ("a", "completed"),
        ("b", "failed"),
        ("c", "pending"),
    ]
    assert result.data == {"x": 1}, "what a failed attempt changed goes no further"
    with pytest.raises(WorkflowFailedError) as caught:
        result.raise_for_status()
    assert isinstance(caught.value.__cause__, ValueError)
    assert flow.name in str(caught.value)


async def test_what_a_failed_attempt_changed_is_kept_with_the_attempt(engine):
    """It can be looked at, and the next attempt starts without it."""
    found = []

    async def flaky(ctx):
        found.append(copy.deepcopy(dict(ctx.data)))
        ctx.data.tries = ctx.data.get("tries", 0) + 1
        ctx.data.items_ = ctx.data.start["list"]
        ctx.data.items_.append(1)
        if ctx.attempt < 3:
            raise ValueError(ctx.attempt)

    flow = create_workflow("w").step("s", setting("start", {"list": []})).step("flaky", flaky, retries=5)
    result = await engine.execute(flow)
    assert found == [{"start": {"list": []}}] * 3
    assert result.data == {"start": {"list": [1]}, "tries": 1, "items_": [1]}
    entry = result.history[1]
    assert (entry.status, entry.attempts) == (StepStatus.COMPLETED, 3)
    assert [attempt.status for attempt in entry.attempt_log] == ["failed", "failed", "completed"]
    assert entry.attempt_log[0].changes.set["tries"] == 1
    assert entry.attempt_log[0].error.message == "1"


async def test_retries_wait_out_the_back_off(make_engine):
    """By default 1, 2, 4, 8 and then 10 seconds; the clock is asked, never the wall."""
    clock = ManualClock()
    engine = make_engine(clock=clock)
    flow = create_workflow("w").step("s", fail, retries=6)
    run = asyncio.ensure_future(engine.execute(flow))
    waited = []
    for _ in range(6):
        waited.append(await clock.sleeper())
        clock.advance(waited[-1])
        await asyncio.sleep(0)
    result = await run
    assert waited == [1, 2, 4, 8, 10, 10]
    assert result.history[0].attempts == 7


@pytest.mark.parametrize("backoff", [fixed(3), exponential(3, 1), lambda retry: 3.0])
async def test_a_step_can_have_its_own_back_off(make_engine, backoff):
    """A policy or a plain function."""
    clock = ManualClock(auto=True)
    engine = make_engine(clock=clock)
    await engine.execute(create_workflow("w").step("s", fail, retries=2, backoff=backoff))
    assert clock.monotonic() == 6


@pytest.mark.parametrize(
    ("options", "error", "attempts"),
    [
        ({"retries": 2}, ValueError, 3),
        ({"retries": 2}, FatalError, 1),
        ({"retries": 2, "retry_on": ConnectionError}, ValueError, 1),
        ({"retries": 2, "retry_on": (ConnectionError, OSError)}, FileNotFoundError, 3),
        ({}, ValueError, 1),
    ],
)
async def test_only_errors_worth_it_are_tried_again(engine, options, error, attempts):
    """retry_on names them; FatalError never is one."""

    async def handler(ctx):
        raise error("x")

    result = await engine.execute(create_workflow("w").step("s", handler, **options))
    assert (result.status, result.history[0].attempts) == ("failed", attempts)


async def test_the_engines_defaults_hold_for_steps_that_do_not_say(make_engine):
    """default_retries and default_timeout."""
    engine = make_engine(default_retries=2, default_timeout=0.02)
    result = await engine.execute(create_workflow("w").step("s", lambda ctx: asyncio.sleep(60)))
    assert result.history[0].attempts == 3
    assert result.error.type == "StepTimeoutError"


async def test_a_coroutine_that_a_plain_function_returns_too_late_is_closed(engine):
    """Nobody is going to await it, and Python would complain of that at any later moment."""
    late, made = threading.Event(), []

    def hand_over(ctx):
        late.wait(30)
        made.append(asyncio.sleep(60))
        return made[0]

    result = await engine.execute(create_workflow("w").step("s", hand_over, timeout=0.01))
    assert result.error.type == "StepTimeoutError"
    late.set()
    async with asyncio.timeout(30):
        while not made or inspect.getcoroutinestate(made[0]) != inspect.CORO_CLOSED:
            await asyncio.sleep(0.01)


async def test_a_time_out_cancels_an_async_handler(engine):
    """The handler sees the cancellation, and the error is Flux's own and a TimeoutError."""
    cancelled = asyncio.Event()

    async def slow(ctx):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    result = await engine.execute(create_workflow("w").step("s", slow, timeout=0.01))
    assert cancelled.is_set()
    assert "time-out of 0.01 s" in result.error
    with pytest.raises(WorkflowFailedError) as caught:
        result.raise_for_status()
    assert isinstance(caught.value.__cause__, StepTimeoutError)
    assert isinstance(caught.value.__cause__, TimeoutError)


async def test_a_handler_that_swallows_its_cancellation_has_still_timed_out(engine):
    """What it does after its time is discarded."""

    async def stubborn(ctx):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ctx.data.late = True

    result = await engine.execute(create_workflow("w").step("s", stubborn, timeout=0.01))
    assert (result.error.type, result.data) == ("StepTimeoutError", {})


async def test_a_time_out_of_the_handlers_own_is_an_ordinary_error(engine):
    """A TimeoutError raised by what the handler calls is not the step's time-out."""

    async def handler(ctx):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)

    result = await engine.execute(create_workflow("w").step("s", handler, timeout=30))
    assert result.error.type == "TimeoutError"


async def test_a_plain_function_that_timed_out_changes_nothing_afterwards(engine):
    """Its thread cannot be killed; what it does late is discarded."""
    go_on, ended = threading.Event(), threading.Event()

    def slow(ctx):
        go_on.wait(30)
        ctx.data.late = True
        ctx.data.kept["changed"] = True
        ended.set()

    async def after(ctx):
        go_on.set()
        await asyncio.to_thread(ended.wait, 30)
        ctx.data.seen = dict(ctx.data.kept)

    flow = create_workflow("w").step("s", setting("kept", {"a": 1})).step("slow", slow, timeout=0.01)
    failed = await engine.execute(flow)
    assert failed.error.type == "StepTimeoutError"
    follow_up = create_workflow("w").step("s", setting("kept", {"a": 1})).step("slow", after)
    result = await engine.retry_step(follow_up, failed.id, "slow")
    assert result.data == {"kept": {"a": 1}, "seen": {"a": 1}}


async def test_plain_functions_run_outside_the_event_loop_with_the_callers_context(engine):
    """They may block without stopping other runs, and see context variables."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    variable.set("set by the caller")
    loop_thread = threading.get_ident()

    def handler(ctx):
        return {"own_thread": threading.get_ident() != loop_thread, "variable": variable.get()}

    result = await engine.execute(create_workflow("w").step("s", handler))
    assert result.history[0].output == {"own_thread": True, "variable": "set by the caller"}


async def test_many_blocked_plain_functions_do_not_hold_up_a_further_one(engine):
    """There is no fixed pool of threads to exhaust."""
    release = threading.Event()
    blocked = create_workflow("blocked").step("s", lambda ctx: release.wait(30) and None)
    quick = create_workflow("quick").step("s", lambda ctx: 1)
    waiting = [asyncio.ensure_future(engine.execute(blocked)) for _ in range(50)]
    try:
        assert (await asyncio.wait_for(engine.execute(quick), 20)).ok
    finally:
        release.set()
    assert all(result.ok for result in await asyncio.gather(*waiting))


class CallableHandler:
    async def __call__(self, ctx):
        ctx.data.called = "object"


async def _partial(word, ctx):
    ctx.data.called = word


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (CallableHandler(), "object"),
        (functools.partial(_partial, "partial"), "partial"),
        (lambda ctx: _partial("lambda", ctx), "lambda"),
    ],
)
async def test_every_kind_of_callable_can_be_a_handler(engine, handler, expected):
    """Callable objects, partials, and plain functions that return a coroutine."""
    result = await engine.execute(create_workflow("w").step("s", handler))
    assert result.data.called == expected


@pytest.mark.parametrize("how", ["exit", "stop", "recursion", "base", "cancel"])
async def test_whatever_a_handler_raises_fails_the_step_and_not_the_program(engine, how):
    """sys.exit, StopIteration, endless recursion, odd exceptions."""

    class Odd(BaseException):
        def __str__(self):
            raise RuntimeError("no message for you")

    def recurse():
        recurse()

    def plain(ctx):
        if how == "exit":
            raise SystemExit(3)
        if how == "stop":
            raise StopIteration
        if how == "recursion":
            recurse()
        if how == "cancel":
            raise asyncio.CancelledError
        raise Odd

    async def on_loop(ctx):
        plain(ctx)

    for handler in (plain, on_loop):
        result = await engine.execute(create_workflow("w").step("s", handler))
        assert result.status == "failed"
        assert result.error.step == "s"


async def test_a_condition_that_is_false_skips_the_step(engine):
    """A skipped step counts as done; sync and async conditions, and what they change is dropped."""

    async def no(ctx):
        ctx.data.sneaky = True
        return False

    flow = (
        create_workflow("w")
        .step("a", setting("x", 1))
        .step("b", fail, when=lambda ctx: ctx.data.x > 1)
        .step("c", fail, when=no)
        .step("d", setting("y", 2), when=lambda ctx: ctx.data.x == 1)
    )
    result = await engine.execute(flow)
    assert [h.status for h in result.history] == ["completed", "skipped", "skipped", "completed"]
    assert result.history[1].attempts == 0
    assert result.history[1].reason == "when false"
    assert result.data == {"x": 1, "y": 2}


async def test_a_condition_that_raises_fails_the_step(engine, trace):
    """The run is closed in the trace like any failed run."""
    flow = create_workflow("w").step("a", setting("x", 1), when=lambda ctx: ctx.data.missing)
    result = await engine.execute(flow)
    assert (result.status, result.history[0].status) == ("failed", "failed")
    assert "missing" in result.error
    assert trace.types()[-2:] == ["step:error", "workflow:error"]


async def test_outputs_are_what_handlers_returned(engine):
    """By step name, as fresh copies; a step that has not completed has none."""

    async def use(ctx):
        first = ctx.outputs["first"]
        first["n"].append(2)
        ctx.data.again = ctx.outputs["first"]
        ctx.data.names = list(ctx.outputs)
        with pytest.raises(KeyError, match="later"):
            ctx.outputs["later"]

    flow = create_workflow("w").step("first", lambda ctx: {"n": [1]}).step("use", use).step("later", fail)
    result = await engine.execute(flow)
    assert result.data == {"again": {"n": [1]}, "names": ["first"]}
    assert [h.output for h in result.history] == [{"n": [1]}, None, None]


async def test_a_value_that_cannot_be_stored_fails_the_step_at_once(engine):
    """The error names the key, the type and the step; there is no retry, for it would be the same."""

    async def bad_data(ctx):
        ctx.data.fine = 1
        ctx.data.handle = {"deep": [threading.Lock()]}

    async def bad_output(ctx):
        return object()

    for handler in (bad_data, bad_output):
        result = await engine.execute(create_workflow("w").step("s", handler, retries=3))
        assert (result.error.type, result.history[0].attempts) == (SerializationError.__name__, 1)
    assert "'s'" in result.error
    result = await engine.execute(create_workflow("w").step("s", bad_data))
    assert "handle" in result.error
    assert "lock" in result.error


async def test_the_context_tells_a_handler_where_it_is(engine):
    """Ids, names, status, history, attempt and a key that stays."""
    seen = []

    async def look(ctx):
        seen.append((ctx.id, ctx.name, ctx.status, ctx.current_step, ctx.attempt, ctx.idempotency_key))
        assert [h.name for h in ctx.history] == ["first", "look"]
        assert [h.status for h in ctx.history] == ["completed", "running"]
        if ctx.attempt == 1:
            raise ValueError

    flow = create_workflow("w").step("first", setting("x", 1)).step("look", look, retries=1)
    result = await engine.execute(flow, run_id="run-1")
    await engine.retry_step(flow, "run-1", "look")
    assert result.id == "run-1"
    assert [entry[:5] for entry in seen] == [("run-1", "w", "running", "look", n) for n in (1, 2, 3)]
    assert len({entry[5] for entry in seen}) == 1


async def test_a_taken_run_id_is_refused(engine):
    """And the run that has it stays as it is."""
    flow = create_workflow("w").step("s", setting("x", 1))
    await engine.execute(flow, run_id="same")
    with pytest.raises(RunExistsError, match="same"):
        await engine.execute(flow, run_id="same")
    assert (await engine.get("same")).data == {"x": 1}


async def test_the_stored_run_is_the_one_returned(engine):
    """get() shows what the result showed, from the store."""
    flow = create_workflow("w").step("a", setting("x", 1)).step("b", fail).commit("c", fail)
    result = await engine.execute(flow, {"some": "input"})
    state = await engine.get(result.id)
    assert (state.status, state.input, state.data) == (result.status, {"some": "input"}, result.data)
    assert state.history == result.history
    assert state.error == result.error
    assert state.current_step is None
    assert state.completed_at is not None
    assert not state.interrupted
    assert state.step("c").commit
    assert state.data_before("b") == {"x": 1}
    assert state.data_after("a") == {"x": 1}


async def test_runs_are_listed_newest_first_and_filtered(make_engine):
    """By workflow, status, text and time; in pages."""
    clock = ManualClock()
    engine = make_engine(clock=clock)
    good, bad = create_workflow("good").step("s", setting("x", 1)), create_workflow("bad").step("s", fail)
    for number in range(4):
        await engine.execute(good if number % 2 else bad, run_id=f"run-{number}")
        clock.advance(10)
    everything = await engine.list()
    assert [row.id for row in everything] == ["run-3", "run-2", "run-1", "run-0"]
    assert everything[1].error == "ValueError: unpaid order"
    assert [row.id for row in await engine.list(workflow="bad")] == ["run-2", "run-0"]
    assert [row.id for row in await engine.list(status="completed")] == ["run-3", "run-1"]
    assert len(await engine.list(status=["completed", RunStatus.FAILED])) == 4
    assert [row.id for row in await engine.list(text="UNPAID")] == ["run-2", "run-0"]
    assert [row.id for row in await engine.list(limit=1, before=everything[1])] == ["run-1"]
    assert [row.id for row in await engine.list(since=everything[1].created_at)] == ["run-3", "run-2"]
    with pytest.raises(ValueError, match="done"):
        await engine.list(status="done")


async def test_the_trace_is_told_of_a_deleted_run_once(engine, trace):
    """So whoever reads it forgets the run; a run that cannot be deleted is no news."""
    flow = create_workflow("order").step("a", lambda ctx: None)
    result = await engine.execute(flow)
    await engine.delete(result.id)
    with pytest.raises(RunNotFoundError):
        await engine.delete(result.id)
    last = trace.events[-1]
    assert (last.type, last.workflow_id, last.workflow_name) == ("workflow:delete", result.id, "order")
    assert trace.types().count("workflow:delete") == 1


async def test_a_deleted_run_is_gone(engine):
    """Deleting what is not there is a mistake of the caller."""
    result = await engine.execute(create_workflow("w").step("s", setting("x", 1)))
    await engine.delete(result.id)
    assert await engine.list() == []
    for verb in (engine.delete, engine.get):
        with pytest.raises(RunNotFoundError, match=result.id):
            await verb(result.id)


async def test_hooks_are_told_after_the_event_is_stored(make_engine):
    """Sync and async hooks get one value each."""
    told = []
    engines = []

    async def on_step(event):
        stored = (await engines[0].get(event.run_id)).step(event.step).status
        told.append((event.event, event.step, event.status, stored))

    engines.append(
        make_engine(
            on=Hooks(
                step_start=on_step,
                step_complete=on_step,
                step_error=on_step,
                workflow_complete=lambda event: told.append((event.event, event.status, dict(event.data))),
                workflow_error=lambda event: told.append((event.event, str(event.error), event.exception)),
            )
        )
    )
    await engines[0].execute(create_workflow("w").step("s", setting("x", 1)))
    assert told == [
        ("step_start", "s", "running", "running"),
        ("step_complete", "s", "completed", "completed"),
        ("workflow_complete", "completed", {"x": 1}),
    ]
    told.clear()
    await engines[0].execute(create_workflow("w").step("s", fail))
    assert [entry[0] for entry in told] == ["step_start", "step_error", "workflow_error"]
    assert isinstance(told[-1][2], ValueError)


async def test_failing_hooks_and_sinks_never_break_a_run(make_engine):
    """They are logged once for each kind, and counted."""
    logged = []

    class Logger(FluxSilentLogger):
        def error(self, message, /):
            logged.append(message)

    class BrokenSink:
        async def emit(self, event):
            raise OSError("disk full")

    def broken(event):
        raise RuntimeError("hook")

    engine = make_engine(
        logger=Logger(), trace=BrokenSink(), on=Hooks(step_start=broken, step_complete=broken)
    )
    flow = create_workflow("w").step("a", setting("x", 1)).step("b", setting("y", 2))
    assert (await engine.execute(flow)).ok
    assert engine.problems == {"trace sink": 6, "hook step_start": 2, "hook step_complete": 2}
    assert len(logged) == 3


async def test_the_loggers(capsys):
    """The console logger writes from its level up, the silent one nothing; ctx.logger names the step."""
    flow = create_workflow("w").step(
        "s", lambda ctx: (ctx.logger.debug("d"), ctx.logger.warning("hot"))[:0] and None
    )
    await FluxEngine(logger=FluxConsoleLogger("info")).execute(flow)
    await FluxEngine(logger=FluxSilentLogger()).execute(flow)
    captured = capsys.readouterr()
    assert captured.err == "[flux] warning: w/s: hot\n"
    assert captured.out == ""
    with pytest.raises(ValueError, match="debug, info"):
        FluxConsoleLogger("loud")


def test_execute_sync_runs_without_an_event_loop():
    """And again, on the same engine."""
    engine = FluxEngine()
    flow = create_workflow("w").step("s", setting("x", 1))
    first, second = engine.execute_sync(flow), engine.execute_sync(flow)
    assert first.data == second.data == {"x": 1}


async def test_execute_sync_inside_an_event_loop_says_what_to_do(engine):
    """It would block the loop it needs."""
    with pytest.raises(FluxError, match="await engine.execute"):
        engine.execute_sync(create_workflow("w").step("s", fail))


async def test_runs_at_once_do_not_mix(engine):
    """Each has its own data and order."""

    async def count(ctx):
        for _ in range(3):
            ctx.data.n = ctx.data.get("n", 0) + ctx.input
            await asyncio.sleep(0)

    flow = create_workflow("w").step("a", count).step("b", count)
    results = await asyncio.gather(*(engine.execute(flow, number) for number in range(30)))
    assert [result.data.n for result in results] == [number * 6 for number in range(30)]


async def test_something_that_is_no_workflow_is_refused(engine):
    """With what was found."""
    with pytest.raises(TypeError, match="create_workflow"):
        await engine.execute("order-process")
