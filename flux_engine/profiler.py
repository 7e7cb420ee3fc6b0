"""What the steps of a workflow cost, what bounds them, and how many runs at once make sense.

The rules, for a step and for a workflow as a whole:

- *memory* bound: it grew by ``MEMORY_BOUND`` bytes or more at its peak;
- *cpu* bound: its own thread was computing for at least ``CPU_BOUND`` of the time that it took;
- *io* bound: otherwise, because it mostly waited.

Suggested concurrency: I/O bound, as many runs as fill one core (wall ÷ CPU, at most ``MOST_RUNS``); CPU
bound, one a core, each in a process of its own; memory bound, as either, but no more than together need half
of the machine's memory.
"""

import asyncio
import inspect
import os
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

from msgspec import Struct, structs

from flux_engine.arguments import Workflow, as_definition
from flux_engine.definition import Handler, StepDefinition
from flux_engine.engine import FluxEngine
from flux_engine.errors import FluxError
from flux_engine.retry import none
from flux_engine.running.attempt import is_async
from flux_engine.storage.memory import MemoryStorage
from flux_engine.waiting import Sleep

Kind = Literal["io", "cpu", "memory"]

MEMORY_BOUND = 64 * 2**20
CPU_BOUND = 0.5
MOST_RUNS = 100


class StepProfile(Struct, frozen=True, kw_only=True):
    """What one step costs.

    ``calls`` of its handler were made in all runs together. ``wall`` and ``cpu`` are the mean seconds of a
    call, ``cpu`` of the thread that the handler ran in. ``memory`` is the greatest growth during a call,
    in bytes; of steps that run at the same time it includes that of the others. ``kind`` is ``None`` for a
    step that was not called.
    """

    name: str
    calls: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    kind: Kind | None = None


class Profile(Struct, frozen=True, kw_only=True):
    """What a workflow costs. ``wall`` and ``cpu`` are the mean seconds of a run.

    ``status`` and ``error`` are those of the last run; no further one is made after one that did not
    complete.
    """

    workflow: str
    runs: int
    status: str
    error: str | None
    wall: float
    cpu: float
    memory: int
    kind: Kind
    concurrency: int
    steps: tuple[StepProfile, ...]

    def __str__(self) -> str:
        rows = [("step", "calls", "wall", "cpu", "memory", "bound by")]
        rows += [
            (s.name, str(s.calls), _time(s.wall), _time(s.cpu), _size(s.memory), s.kind or "-")
            for s in self.steps
        ]
        rows.append(
            ("a run", str(self.runs), _time(self.wall), _time(self.cpu), _size(self.memory), self.kind)
        )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:-1], widths[1:-1]), row[-1]])
            for row in rows
        ]
        ending = f" with {self.error}" if self.error else ""
        head = f"{self.workflow}: {self.status}{ending}; suggested concurrency {self.concurrency}"
        return "\n".join([head, *lines])


async def profile(
    workflow: Workflow[Any, Any],
    input: Any = None,  # noqa: A002 - the field's word
    *,
    runs: int = 1,
    engine: FluxEngine | None = None,
) -> Profile:
    """Execute a workflow and measure its steps.

    Handlers are called for real, those of commits too; back-offs and durable sleeps pass at once. Measuring
    memory slows handlers down: with several runs the first one measures memory and the others time.

    Args:
        workflow: the workflow.
        input: given to every run.
        runs: how many runs are made, one after the other.
        engine: the engine that makes them; by default one with a store in memory and no retries.

    Raises:
        ValueError: ``runs`` is not a positive number.
        InvalidInputError: the input does not fit.
    """
    number: object = runs
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"profile(runs=…) takes a number from 1, not {runs!r}")
    if engine is None:
        async with FluxEngine(storage=MemoryStorage(), default_retries=0) as private:
            return await profile(workflow, input, runs=runs, engine=private)
    definition = as_definition(workflow)
    meter = _Meter()
    measured = definition.with_steps(tuple(_measured(step, meter) for step in definition.steps))
    walls: list[float] = []
    for made in range(runs):
        with meter.run(memory=made == 0, timed=runs == 1 or made > 0):
            began = time.perf_counter()
            result = await engine.execute(measured, input)
            walls.append(time.perf_counter() - began)
        if not result.ok:
            break
    timed = walls[1:] or walls
    steps = tuple(_step_profile(step.name, meter.calls) for step in definition.steps)
    counted = meter.calls if len(walls) == 1 else [call for call in meter.calls if call.timed]
    wall = sum(timed) / len(timed)
    cpu = sum(call.cpu for call in counted) / len(timed)
    peak = max((step.memory for step in steps), default=0)
    return Profile(
        workflow=definition.name,
        runs=len(walls),
        status=str(result.status),
        error=None if result.error is None else str(result.error),
        wall=wall,
        cpu=cpu,
        memory=peak,
        kind=bound_by(wall, cpu, peak),
        concurrency=suggest_concurrency(
            wall, cpu, peak, cores=os.cpu_count() or 1, physical=_physical_memory()
        ),
        steps=steps,
    )


def profile_sync(
    workflow: Workflow[Any, Any],
    input: Any = None,  # noqa: A002 - the field's word
    *,
    runs: int = 1,
    engine: FluxEngine | None = None,
) -> Profile:
    """``profile`` for programs without an event loop. An engine that is given is closed afterwards."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise FluxError("profile_sync was called inside an event loop: use 'await profile(…)' there")

    async def measure() -> Profile:
        if engine is None:
            return await profile(workflow, input, runs=runs)
        async with engine:
            return await profile(workflow, input, runs=runs, engine=engine)

    return asyncio.run(measure())


def bound_by(wall: float, cpu: float, memory: int) -> Kind:
    """Return what bounds something that took so many seconds and grew by so many bytes."""
    if memory >= MEMORY_BOUND:
        return "memory"
    return "cpu" if cpu >= CPU_BOUND * wall else "io"


def suggest_concurrency(wall: float, cpu: float, memory: int, *, cores: int, physical: int | None) -> int:
    """Return how many runs at once make sense on a machine with these cores and bytes of memory."""
    filling_a_core = round(wall / max(cpu, wall / MOST_RUNS)) if wall > 0 else MOST_RUNS
    runs = cores if cpu >= CPU_BOUND * wall else filling_a_core
    if memory >= MEMORY_BOUND and physical is not None:
        runs = min(runs, physical // 2 // memory)
    return max(1, runs)


# Measuring


class _Call:
    """What one call of a handler costs so far. ``peak`` and ``start`` are bytes."""

    __slots__ = ("cpu", "peak", "start", "step", "timed", "wall")

    def __init__(self, step: str, *, timed: bool, start: int) -> None:
        self.step = step
        self.timed = timed
        self.start = self.peak = start
        self.cpu = 0.0
        self.wall = 0.0


class _Meter:
    """Measures calls, from the event loop and from worker threads."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self._open: set[_Call] = set()
        self._lock = threading.Lock()
        self._memory = False
        self._timed = False

    @contextmanager
    def run(self, *, memory: bool, timed: bool) -> Iterator[None]:
        """Measure the calls of one run."""
        self._memory, self._timed = memory, timed
        started = memory and not tracemalloc.is_tracing()
        if started:
            tracemalloc.start()
        try:
            yield
        finally:
            self._memory = False
            if started:
                tracemalloc.stop()

    @contextmanager
    def call(self, step: str, begun: _Call | None = None) -> Iterator[_Call]:
        """Measure the time and the memory of a call, or of the rest of one that has begun.

        Its CPU time is added by whoever computes.
        """
        with self._lock:
            used = self._note_peak()
            call = begun or _Call(step, timed=self._timed, start=used)
            if begun is None:
                self.calls.append(call)
            self._open.add(call)
        began = time.perf_counter()
        try:
            yield call
        finally:
            call.wall += time.perf_counter() - began
            with self._lock:
                self._note_peak()
                self._open.discard(call)

    def _note_peak(self) -> int:
        """Give the peak since the last look to all calls under way; return the memory in use."""
        if not self._memory or not tracemalloc.is_tracing():
            return 0
        used, peak = tracemalloc.get_traced_memory()
        for call in self._open:
            call.peak = max(call.peak, peak)
        tracemalloc.reset_peak()
        return used


class _Driven:
    """An awaitable that counts the CPU time of its own steps, not of what runs while it waits."""

    def __init__(self, awaitable: Awaitable[Any], call: _Call) -> None:
        self._awaitable = awaitable
        self._call = call

    def __await__(self) -> Generator[Any, Any, Any]:
        inner: Any = self._awaitable.__await__()
        advance: Callable[[], Any] = partial(next, inner)
        while True:
            began = time.thread_time()
            try:
                yielded = advance()
            except StopIteration as end:
                return end.value
            finally:
                self._call.cpu += time.thread_time() - began
            try:
                advance = partial(inner.send, (yield yielded))
            except BaseException as error:  # noqa: BLE001 - handed on to the handler
                advance = partial(inner.throw, error)


def _measured(step: StepDefinition, meter: _Meter) -> StepDefinition:
    return structs.replace(step, handler=_measured_handler(step, meter), backoff=none())


def _measured_handler(step: StepDefinition, meter: _Meter) -> Handler:
    handler = step.handler
    if is_async(handler):

        async def on_the_loop(ctx: Any) -> Any:
            with meter.call(step.name) as call:
                return _without_sleep(await _Driven(handler(ctx), call))

        return on_the_loop

    def in_a_thread(ctx: Any) -> Any:
        with meter.call(step.name) as call:
            began = time.thread_time()
            try:
                returned = handler(ctx)
            finally:
                call.cpu += time.thread_time() - began
        return rest(returned, call) if inspect.isawaitable(returned) else _without_sleep(returned)

    async def rest(returned: Awaitable[Any], begun: _Call) -> Any:
        with meter.call(step.name, begun) as call:
            return _without_sleep(await _Driven(returned, call))

    return in_a_thread


def _without_sleep(returned: Any) -> Any:
    return Sleep(seconds=0.0) if isinstance(returned, Sleep) else returned


def _step_profile(name: str, calls: Sequence[_Call]) -> StepProfile:
    own = [call for call in calls if call.step == name]
    if not own:
        return StepProfile(name=name)
    timed = [call for call in own if call.timed] or own
    wall = sum(call.wall for call in timed) / len(timed)
    cpu = sum(call.cpu for call in timed) / len(timed)
    memory = max(call.peak - call.start for call in own)
    return StepProfile(
        name=name, calls=len(own), wall=wall, cpu=cpu, memory=memory, kind=bound_by(wall, cpu, memory)
    )


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
