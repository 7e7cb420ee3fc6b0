"""A campaign on PostgreSQL: workers, their cables, the server, and a monkey among them."""

import asyncio
import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psycopg
from chaos_flows import STATUSES
from chaos_monkey import Monkey
from chaos_network import Network
from chaos_verdict import Absence, Verdict, judge, read_lines
from chaos_workers import Worker
from postgres_server import dsn_of, start_postgres

from flux_engine import PostgresStorage, WorkflowState
from flux_engine.journal import workflow_state
from flux_engine.storage.base import RunQuery

PROGRAM = Path(__file__).with_name("chaos_worker.py")
LEASE = 1.5
WORKERS = 4
_PATIENCE = 60.0


class Campaign:
    """Four workers on two hosts, each with a cable of its own to one server."""

    def __init__(self, folder: Path, seed: int, *, at_once: int = 3) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._absences: list[Absence] = []
        self._workers: list[Worker] = []
        self._names = [f"w{number}" for number in range(WORKERS)]
        self._settings = {"lease": LEASE, "patience": 4.0, "at_once": at_once, "workers": self._names}
        self.monkey = Monkey(
            seed,
            {
                "kill a worker": (3, self._kill),
                "stop a worker": (3, self._stop),
                "restart the server": (1, self._restart),
                "crash the server": (1, self._crash),
                "end connections": (2, self._end_connections),
                "cut a cable": (2, self._cut),
                "hold up a cable": (2, self._hold_up),
                "lose answers": (3, self._lose_answers),
            },
            pause=(0.2, 1.0),
        )

    def run(self, seconds: float) -> Verdict:
        """Rage for so long, let all runs end, and return what was found."""
        with self._stack:
            self._server = self._stack.enter_context(start_postgres())
            self._network = Network()
            self._stack.callback(self._network.close)
            self._prepare()
            try:
                self.monkey.rage(seconds, self._watch)
                self._let_end()
            finally:
                for worker in self._workers:
                    worker.kill()
            return self._judge()

    def _prepare(self) -> None:
        with psycopg.connect(self._server.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE receipts (run text, step text, attempt int)")
        for number, name in enumerate(self._names):
            cable = self._network.cable(self._server.port)
            arguments = (
                *(PROGRAM, dsn_of(self._server.dsn, port=str(cable.port)), self.folder, name),
                *(f"host-{number % 2}", json.dumps({**self._settings, "patience": 4.0 if number else 0.5})),
            )
            worker = Worker(name, [str(each) for each in arguments], self.folder / f"log-{name}")
            worker.cable = cable
            worker.start()
            self._workers.append(worker)

    def _watch(self) -> None:
        for worker in self._workers:
            if worker.died():
                log = (self.folder / f"log-{worker.name}").read_text()[-3000:]
                raise AssertionError(f"{worker.name} ended by itself:\n{log}")

    # What the monkey can do

    def _any(self, random) -> Worker | None:
        running = [worker for worker in self._workers if worker.runs]
        return random.choice(running) if len(running) > 1 else None

    def _kill(self, random) -> str | None:
        worker = self._any(random)
        if worker is None:
            return None
        worker.kill()
        self.monkey.later(random.uniform(0.1, 2.0), worker.start)
        return worker.name

    def _stop(self, random) -> str | None:
        worker = self._any(random)
        if worker is None:
            return None
        seconds = random.choice((0.3, LEASE + 0.5, LEASE * 2))
        absence = Absence(worker.pids[-1], time.time())
        self._absences.append(absence)
        worker.stop()

        def go_on() -> None:
            absence.until = time.time()
            worker.go_on()

        self.monkey.later(seconds, go_on)
        return f"{worker.name} for {seconds} s"

    def _restart(self, random) -> str:
        self._server.stop()
        time.sleep(random.choice((0.0, 0.5)))
        self._server.start()
        return "in order"

    def _crash(self, random) -> str:
        self._server.kill()
        time.sleep(random.choice((0.0, 0.5)))
        self._server.start()
        return "at once"

    def _end_connections(self, random) -> str:
        query = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name LIKE 'flux-%%' AND random() < %s"
        )
        with psycopg.connect(self._server.dsn, autocommit=True) as connection:
            (ended,) = connection.execute(query, (random.choice((0.2, 1.0)),)).fetchone()
        return str(ended)

    def _cut(self, random) -> str:
        worker = random.choice(self._workers)
        self._network.do(worker.cable.cut)
        return worker.name

    def _hold_up(self, random) -> str:
        worker = random.choice(self._workers)
        seconds = random.choice((0.3, LEASE + 0.5, LEASE * 2))
        absence = Absence(worker.pids[-1], time.time())
        self._absences.append(absence)
        self._network.do(worker.cable.hold_up)
        cut = random.random() < 0.5

        def heal() -> None:
            absence.until = time.time()
            if cut:
                self._network.do(worker.cable.cut)
            self._network.do(worker.cable.heal)

        self.monkey.later(seconds, heal)
        return f"{worker.name} for {seconds} s, then {'cut' if cut else 'late'}"

    def _lose_answers(self, random) -> str:
        worker = random.choice(self._workers)
        count = random.choice((1, 3))
        self._network.do(worker.cable.lose_answers, count)
        return f"{worker.name}, {count}"

    # The end

    def _let_end(self) -> None:
        """Let the workers finish what there is, and end."""
        for worker in self._workers:
            worker.start()
            self._network.do(worker.cable.heal)
        (self.folder / "enough").touch()
        until = time.monotonic() + _PATIENCE
        with psycopg.connect(self._server.dsn, autocommit=True) as connection:
            while left := self._unfinished(connection):
                self._watch()
                assert time.monotonic() < until, f"these do not end: {left}"
                time.sleep(0.1)
        (self.folder / "end").touch()
        codes = {worker.name: worker.wait(20) for worker in self._workers}
        assert set(codes.values()) == {0}, codes

    def _unfinished(self, connection) -> list:
        query = "SELECT id, workflow, status, idempotency_key, owner, lease_until FROM flux.runs"
        rows = connection.execute(query).fetchall()
        known = {row[3] for row in rows}
        wanted = {line["key"] for line in read_lines(self.folder / "diary") if line["what"] == "key"}
        return [row for row in rows if row[2] not in STATUSES.values()] + sorted(wanted - known)

    def _judge(self) -> Verdict:
        lines = read_lines(self.folder / "diary")
        runs, keys = asyncio.run(self._read())
        traces = [self.folder / f"trace-{name}.ndjson" for name in self._names]
        verdict = judge(runs, lines, traces, self._absences, attempts_are_stored_first=True)
        asked = {(line["flow"], line["key"]) for line in lines if line["what"] == "key"}
        verdict.check(Counter(keys) == Counter(asked), f"keys and runs differ: {set(keys) ^ asked}")
        with psycopg.connect(self._server.dsn) as connection:
            receipts = Counter(connection.execute("SELECT run, step, attempt FROM receipts"))
        wanted = Counter(
            (run.id, "pay", attempt.number)
            for run in runs
            for attempt in run.step("pay").attempt_log
            if attempt.status in ("completed", "compensated")
        )
        verdict.counts["receipts"] = receipts.total()
        verdict.check(
            receipts == wanted, f"receipts: {receipts - wanted} too many, {wanted - receipts} missing"
        )
        return verdict

    async def _read(self) -> tuple[list[WorkflowState], list[tuple[str, str]]]:
        storage = PostgresStorage(self._server.dsn)
        await storage.open()
        runs, keys = [], []
        for row in await storage.list(RunQuery(limit=1_000_000)):
            record = await storage.find(row.id)
            runs.append(workflow_state(record, await storage.journal(row.id)))
            keys.append((record.workflow, record.idempotency_key))
        await storage.close()
        return runs, keys
