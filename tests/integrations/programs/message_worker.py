"""A worker in a process of its own, to be killed: ``message_worker.py kafka|rabbitmq ADDRESS NAME FOLDER``.

Its workflow notes each step in FOLDER/log. The second step waits until there is a file FOLDER/go.
"""

import asyncio
import os
import sys
from pathlib import Path

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.retry import fixed


def workflow(folder):
    """Return the workflow; its handlers write to the log by themselves, so that nothing is lost in a kill."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(word):
        os.write(log, f"{word}\n".encode())

    async def second(_ctx):
        note("second begun")
        while not (folder / "go").exists():
            await asyncio.sleep(0.01)
        note("second done")

    return (
        create_workflow("order")
        .step("first", lambda ctx: note("first"))
        .step("second", second)
        .step("third", lambda ctx: note("third"))
    )


def make_worker(kind, engine, address, name, flow):
    """Return a worker for one topic or queue."""
    if kind == "kafka":
        from flux_engine.integrations.kafka import KafkaWorker  # noqa: PLC0415 - one of the two

        return KafkaWorker(
            engine,
            {name: flow},
            group=name,
            bootstrap_servers=address,
            backoff=fixed(0.05),
            consumer={"session_timeout_ms": 1000, "heartbeat_interval_ms": 100},
        )
    from flux_engine.integrations.rabbitmq import RabbitWorker  # noqa: PLC0415 - one of the two

    return RabbitWorker(engine, {name: flow}, address, queue=name, backoff=fixed(0.05))


async def main(kind, address, name, folder):
    """Work until a signal."""
    async with FluxEngine(storage=SQLiteStorage(folder / "flux.db")) as engine:
        worker = make_worker(kind, engine, address, name, workflow(folder))
        await worker.run()
        sys.stdout.write(f"{worker.stats}\n")


asyncio.run(main(*sys.argv[1:4], Path(sys.argv[4])))
