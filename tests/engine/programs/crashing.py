"""A program that dies where it is told to: it forks a child for each order that it reads.

An order is a line of JSON: the ``folder`` to work in, what to ``do`` (``recover``, ``start``) and where to
``die``. The next line says whether to ``wait`` for the child or to ``kill`` it; its exit status is printed.
Children are forked from a process that has imported everything, so that each costs milliseconds.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from pathlib import Path

from flux_engine import (
    FatalError,
    FluxEngine,
    FluxSilentLogger,
    JsonFileTraceSink,
    SQLiteStorage,
    create_workflow,
    sleep,
    wait,
)
from flux_engine.trace import file_sink


class Doom:
    """Kills this process when what happens is what was ordered, for the time that was ordered."""

    def __init__(self, place, nth):
        self.place = place
        self.left = nth

    def here(self, place):
        """Say whether the process is to die here."""
        if place != self.place:
            return False
        self.left -= 1
        return self.left < 0

    def strike(self, place):
        """Die here if it was ordered."""
        if self.here(place):
            os.kill(os.getpid(), signal.SIGKILL)


class DyingStorage(SQLiteStorage):
    """Tells doom of each write, before and after, and of each statement before it is executed."""

    def __init__(self, path, doom):
        super().__init__(path)
        self.doom = doom
        self.inside = ""

    def _new_writer(self, *arguments, **options):
        connection = super()._new_writer(*arguments, **options)
        connection.set_trace_callback(self._statement)
        return connection

    def _statement(self, sql):
        self.doom.strike("statement")
        self.doom.strike(f"statement {self.inside}")

    async def create(self, record, entries=(), blobs=()):
        await self._around(entries, super().create(record, entries, blobs))

    async def save(self, write):
        return await self._around(write.entries, super().save(write))

    async def _around(self, entries, making):
        words = [f"{entry.step} {entry.status}" for entry in entries]
        for word in words:
            self.doom.strike(f"before {word}")
        self.inside = words[0] if words else ""
        made = await making
        self.inside = ""
        for word in words:
            self.doom.strike(f"after {word}")
        return made


class DyingSink(JsonFileTraceSink):
    """Tells doom of each event, before and after, and leaves half of a line when it is told to."""

    def __init__(self, path, doom):
        super().__init__(path)
        self.doom = doom

    def emit(self, event):
        word = f"{event.type} {event.step_name or ''}".strip()
        self.doom.strike(f"untold {word}")
        if self.doom.here("half a line") or self.doom.here(f"half {word}"):
            self.tear()
        super().emit(event)
        self.doom.strike(f"told {word}")

    def tear(self):
        """Let the next write to the file be the last, and short."""
        write = os.write

        class Torn:
            def __getattr__(self, name):
                return getattr(os, name)

            def write(self, descriptor, line):
                write(descriptor, line[: len(line) // 2])
                os.kill(os.getpid(), signal.SIGKILL)

        file_sink.os = Torn()


def workflows(folder, doom):
    """Return the workflows; what their handlers do is in the log, begun and ended."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(ctx, word):
        os.write(log, f"{ctx.id} {ctx.current_step} {ctx.attempt} {word} {ctx.idempotency_key}\n".encode())

    def step(changes=None, returned=None, fail=None, pause=True):
        async def handler(ctx):
            note(ctx, "begin")
            doom.strike(f"in {ctx.current_step}")
            if pause:
                await asyncio.sleep(0)
            if changes is not None:
                ctx.data.update(changes(ctx))
            if fail is not None:
                fail(ctx)
            note(ctx, "end")
            return returned

        return handler

    def undo(ctx):
        note(ctx, "undo")
        doom.strike(f"undoing {ctx.current_step}")

    def first_time(ctx):
        if ctx.attempt == 1:
            raise ConnectionError("not yet")

    def no_way(ctx):
        raise FatalError("cannot be shipped")

    def count(ctx):
        return {"count": ctx.data.get("count", 0) + 1}

    chain = (
        create_workflow("chain")
        .step("first", step(lambda ctx: count(ctx) | {"big": "x" * 70_000, "tags": {"a", "b"}}))
        .step("second", step(count, fail=first_time), retries=5, backoff=lambda retry: 0.001)
        .step("never", step(count), when=lambda ctx: False)
        .commit("charge", step(count, returned={"receipt": 1}))
        .step("last", step(count))
    )
    diamond = (
        create_workflow("diamond")
        .step("root", step(count), after=())
        .step("left", step(lambda ctx: {"left": ctx.data["count"]}), after="root")
        .commit("right", step(lambda ctx: {"right": ctx.data["count"]}), after="root")
        .step(
            "join",
            step(lambda ctx: count(ctx) | {"sum": ctx.data.left + ctx.data.right}),
            after=("left", "right"),
        )
    )
    waits = (
        create_workflow("waits")
        .step("ask", step(count, returned=wait("go")))
        .step("nap", step(count, returned=sleep(0.002)))
        .commit("pay", step(lambda ctx: count(ctx) | {"by": ctx.signals["go"]}))
    )
    undone = (
        create_workflow("undone")
        .commit("reserve", step(count), compensate=undo)
        .commit("pack", step(count), compensate=undo)
        .step("ship", step(fail=no_way))
    )
    return [chain, diamond, waits, undone]


async def finish(engine, flows):
    """Recover what was left in the middle, and see every run to its end."""
    by_name = {flow.name: flow for flow in flows}
    await engine.recover(flows)
    while open_runs := await engine.list(status=["running", "pending", "suspended"], limit=500):
        for run in open_runs:
            if run.status == "suspended":
                await engine.signal(by_name[run.name], run.id, "go", "ada")
        await asyncio.sleep(0.002)


async def start(engine, flows, order):
    """Run as many of each workflow as ordered, all at once."""

    async def run(flow, run_id):
        result = await engine.execute(flow, {"of": run_id}, run_id=run_id)
        if result.status == "suspended":
            await engine.signal(flow, run_id, "go", "ada")

    names = order.get("workflows", [flow.name for flow in flows])
    chosen = [flow for flow in flows if flow.name in names]
    numbers = range(order.get("runs", 1))
    await asyncio.gather(*(run(flow, f"{order['name']}-{flow.name}-{n}") for flow in chosen for n in numbers))


async def work(order):
    """Do what was ordered."""
    folder = Path(order["folder"])
    doom = Doom(order.get("die", ""), order.get("nth", 0))
    flows = workflows(folder, doom)
    engine = FluxEngine(
        storage=DyingStorage(folder / "flux.db", doom),
        trace=DyingSink(folder / "trace.ndjson", doom),
        default_retries=0,
        logger=FluxSilentLogger(),
    )
    async with engine:
        if "recover" in order["do"]:
            await finish(engine, flows)
        if "start" in order["do"]:
            await start(engine, flows, order)


def main():
    while line := sys.stdin.readline():
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(work(order))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if sys.stdin.readline() == "kill\n":
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
