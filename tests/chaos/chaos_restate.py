"""A campaign on Restate: services behind one address, their cables, the server, and a monkey among them."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

from chaos_driver import Driver
from chaos_monkey import Monkey
from chaos_network import Network
from chaos_verdict import Absence, Verdict, judge, read_lines
from chaos_workers import Worker
from restate_server import free_port, start_restate

from flux_engine.integrations.restate import RestateClient, RestateError

PROGRAM = Path(__file__).with_name("chaos_service.py")
WORKERS = 4
_PATIENCE = 90.0


class Campaign:
    """Four processes behind two cables, which pass each connection on to the next of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._absences: list[Absence] = []
        self._workers: list[Worker] = []
        self.monkey = Monkey(
            seed,
            {
                "kill a service": (4, self._kill),
                "stop a service": (3, self._stop),
                "kill the server": (1, self._kill_server),
                "stop the server": (1, self._stop_server),
                "cut a cable": (2, self._cut),
                "hold up a cable": (2, self._hold_up),
                "lose answers": (2, self._lose_answers),
            },
            pause=(0.2, 1.2),
        )

    def run(self, seconds: float) -> Verdict:
        """Rage for so long, let all runs end, and return what was found."""
        with self._stack:
            self._server = self._stack.enter_context(start_restate())
            self._network = Network()
            self._stack.callback(self._network.close)
            try:
                self._prepare()
                self.monkey.rage(seconds, self._watch)
                self._let_end()
                return self._judge()
            finally:
                for worker in self._workers:
                    worker.kill()

    def _prepare(self) -> None:
        self._ports = [(free_port(), free_port()) for _ in range(WORKERS)]
        for number, ports in enumerate(self._ports):
            worker = Worker(
                f"s{number}",
                [str(each) for each in (PROGRAM, self.folder, *ports)],
                self.folder / f"log-{number}",
            )
            worker.ports = ports
            worker.start()
            self._workers.append(worker)
        self._cables = [self._network.cable(*ports) for ports in zip(*self._ports, strict=True)]
        asyncio.run(self._register())
        self._driver = Driver(RestateClient(self._server.admin_url, self._server.ingress_url))

    async def _register(self) -> None:
        client = RestateClient(self._server.admin_url, self._server.ingress_url)
        for cable in self._cables:
            for patience in range(100, -1, -1):
                try:
                    await client.register(f"http://127.0.0.1:{cable.port}")
                    break
                except RestateError:
                    if not patience:
                        raise
                    await asyncio.sleep(0.1)

    def _watch(self) -> None:
        for worker in self._workers:
            assert not worker.died(), f"{worker.name} ended by itself"
        if self._driver.error is not None:
            raise self._driver.error

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
        seconds, replaced = random.choice((0.3, 1.0, 3.0)), random.random() < 0.7
        absence = Absence(worker.pids[-1], time.time())
        self._absences.append(absence)
        worker.stop()
        if replaced:
            for cable, port in zip(self._cables, worker.ports, strict=True):
                self._network.do(cable.avoid, port)

        def go_on() -> None:
            absence.until = time.time()
            worker.go_on()
            for cable, port in zip(self._cables, worker.ports, strict=True):
                self._network.do(cable.avoid, port, avoided=False)

        self.monkey.later(seconds, go_on)
        return f"{worker.name} for {seconds} s{', replaced by others' if replaced else ''}"

    def _kill_server(self, random) -> str:
        self._server.kill()
        time.sleep(random.choice((0.0, 0.5)))
        self._server.start()
        return "at once"

    def _stop_server(self, random) -> str:
        self._server.stop()
        time.sleep(random.choice((0.0, 0.5)))
        self._server.start()
        return "in order"

    def _cut(self, random) -> str:
        self._network.do(random.choice(self._cables).cut)
        return "at once"

    def _hold_up(self, random) -> str:
        cable = random.choice(self._cables)
        seconds, cut = random.choice((0.3, 1.0, 3.0)), random.random() < 0.5
        absences = [Absence(worker.pids[-1], time.time()) for worker in self._workers]
        self._absences += absences
        self._network.do(cable.hold_up)

        def heal() -> None:
            for absence in absences:
                absence.until = time.time()
            if cut:
                self._network.do(cable.cut)
            self._network.do(cable.heal)

        self.monkey.later(seconds, heal)
        return f"for {seconds} s, then {'cut' if cut else 'late'}"

    def _lose_answers(self, random) -> str:
        self._network.do(random.choice(self._cables).lose_answers, 1)
        return "1"

    # The end

    def _let_end(self) -> None:
        for worker in self._workers:
            worker.start()
        self._driver.finish(_PATIENCE)

    def _judge(self) -> Verdict:
        found = self._driver.read()
        runs = [run for run, _ in found]
        verdict = judge(
            runs, read_lines(self.folder / "diary"), [self.folder / "trace.ndjson"], self._absences,
            attempts_are_stored_first=False,
        )  # fmt: skip
        for run, invocation in found:
            verdict.check(
                invocation is not None and invocation.ended,
                f"run {run.id} is {run.status}, its invocation {invocation}",
            )
        return verdict
