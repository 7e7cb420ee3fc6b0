"""A worker on PostgreSQL: ``chaos_worker.py DSN FOLDER NAME HOST SETTINGS``.

It begins runs, each by a key of its own and some by a key of another worker as well, goes on with those that
others have left, and sends the signals that runs wait for. It takes no further key once ``FOLDER/enough``
is there, and ends when ``FOLDER/end`` is.
"""

import asyncio
import contextlib
import json
import random
import socket
import sys
from pathlib import Path

DSN, FOLDER, NAME, HOST, SETTINGS = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
socket.gethostname = lambda: HOST  # before the engine asks who its host is

from chaos_flows import Diary, chaos_flows, kind_of  # noqa: E402

from flux_engine import FluxEngine, FluxError, FluxSilentLogger, JsonFileTraceSink, PostgresStorage  # noqa: E402

PAUSE = 0.3
settings = json.loads(SETTINGS)
diary = Diary(FOLDER / "diary")
flows = chaos_flows(diary, transactions=True)


class Keys:
    """The keys that this worker begins runs with, and which are taken: noted in files, as a broker would.

    What a process that was killed has left comes first.
    """

    def __init__(self) -> None:
        self._given, self._file = FOLDER / f"given-{NAME}", FOLDER / f"taken-{NAME}"
        given, self._taken = (
            set(file.read_text().split()) if file.exists() else set() for file in (self._given, self._file)
        )
        self._left = sorted(given - self._taken)
        self._number = 0

    def next(self) -> str | None:
        """Return the next key, whose last part is a number; none when there is to be no more."""
        if self._left:
            return self._left.pop()
        while not (FOLDER / "enough").exists():
            self._number += 1
            name = NAME if self._number % 4 else random.choice(settings["workers"])
            key = f"{name}-{self._number}"
            if key not in self._taken:
                with self._given.open("a") as file:
                    file.write(f"{key}\n")
                return key
        return None

    def taken(self, key: str) -> None:
        """Note that there is a run of this key."""
        self._taken.add(key)
        with self._file.open("a") as file:
            file.write(f"{key}\n")


async def begin_runs(engine: FluxEngine, keys: Keys) -> None:
    """Begin one run after the other, and wait for each."""
    while (key := keys.next()) is not None:
        number = int(key.rpartition("-")[2])
        diary.note("key", key=key, flow=kind_of(number))
        flow = flows[kind_of(number)]
        while True:
            try:
                await engine.execute(flow, {"number": number}, idempotency_key=key)
                break
            except FluxError as error:
                diary.note("trouble", verb="execute", error=type(error).__name__, text=str(error))
                await asyncio.sleep(PAUSE)
        keys.taken(key)


async def go_on_with_runs(engine: FluxEngine) -> None:
    """Take over what others have left."""
    while True:
        with noted("recover"):
            taken = await engine.recover(flows.values())
            diary.note("recovered", count=len(taken))
        await asyncio.sleep(PAUSE)


async def send_signals(engine: FluxEngine) -> None:
    """Send each run that is suspended what it waits for."""
    sending = {}
    while True:
        with noted("list"):
            for run in await engine.list(workflow="asks", status="suspended", limit=20):
                if run.id not in sending or sending[run.id].done():
                    sending[run.id] = asyncio.create_task(signal(engine, run.id))
        await asyncio.sleep(PAUSE)


async def signal(engine: FluxEngine, run_id: str) -> None:
    with noted("signal"):
        await engine.signal(flows["asks"], run_id, "go", {"by": NAME})


@contextlib.contextmanager
def noted(verb: str):
    try:
        yield
    except FluxError as error:
        diary.note("trouble", verb=verb, error=type(error).__name__, text=str(error))


async def main() -> None:
    storage = PostgresStorage(DSN, writers=1, patience=settings["patience"], connect_timeout=3)
    trace = JsonFileTraceSink(FOLDER / f"trace-{NAME}.ndjson")
    while True:
        engine = FluxEngine(
            storage=storage, trace=trace, logger=FluxSilentLogger(), lease=settings["lease"],
            default_retries=50, default_timeout=60,
        )  # fmt: skip
        with noted("init"):
            await engine.init()
            break
        await asyncio.sleep(PAUSE)
    keys = Keys()
    beginning = [asyncio.create_task(begin_runs(engine, keys)) for _ in range(settings["at_once"])]
    others = [asyncio.create_task(go_on_with_runs(engine)), asyncio.create_task(send_signals(engine))]
    while not (FOLDER / "end").exists():
        for task in (*beginning, *others):
            if task.done():
                task.result()
        await asyncio.sleep(0.05)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await engine.close()


asyncio.run(main())
