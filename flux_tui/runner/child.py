"""The runner's process: ``python -m flux_tui.runner.child CONFIG``.

It imports all of Flux that it needs, then waits for ``Load``: a warm spare has only the user's modules
left to import. Standard input and output are the dashboard's; before any user code runs they are moved
to other descriptors and replaced.
"""

import asyncio
import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from flux_engine import FluxEngine, JsonFileTraceSink
from flux_engine.secrets import registered
from flux_tui.address import StoreAddress
from flux_tui.model.secrets import in_environment
from flux_tui.runner.capture import Capture
from flux_tui.runner.collect import Workflow
from flux_tui.runner.config import RunnerConfig, decode_config
from flux_tui.runner.loader import load_modules
from flux_tui.runner.mailbox import Commands, Reports, exit_after
from flux_tui.runner.messages import PROTOCOL, Command, Hello, Load, Loaded, Loading, Output, Secrets, Stop
from flux_tui.runner.service import RunnerService
from flux_tui.runner.sources import install_finder
from flux_tui.runner.stops import Stops
from flux_tui.runner.streams import capture_descriptors, capture_logging, capture_streams, follow_threads
from flux_tui.runner.trace import RunnerLogger, RunnerTrace
from flux_tui.runner.warming import warm_up
from flux_tui.runner.watchdog import Watchdog
from flux_tui.stores import open_store


def main() -> None:
    """Run the process to its end."""
    config = decode_config(sys.argv[1])
    del sys.argv[1:]
    reports = Reports(os.dup(1))
    commands = Commands(_take_over_input(), config.grace)
    crashes = os.fdopen(os.dup(2), "w")  # the dashboard keeps its end for the obituary
    faulthandler.enable(crashes)
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which handlers' subprocesses would inherit
    _be_first_out_of_memory()
    reports.send(Hello(protocol=PROTOCOL, pid=os.getpid(), python=sys.version.split()[0]))

    warm_up()
    load = commands.next()
    while not isinstance(load, Load | Stop):
        load = commands.next()
    code = 0
    if isinstance(load, Load):
        try:
            _Runner(config, reports, commands).run(load)
        except BaseException as error:  # noqa: BLE001 - as when a task that a handler started calls sys.exit
            traceback.print_exception(error, file=crashes)
            crashes.flush()
            code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
    _leave(code, reports, config.grace)


def _leave(code: int, reports: Reports, grace: float) -> NoReturn:
    """End the process without an interpreter's usual end.

    That would wait for threads that user code has left running, and stop others while they hold locks.
    """
    exit_after(grace)
    atexit._run_exitfuncs()  # noqa: SLF001 - what modules have registered is still done
    reports.flush()
    os._exit(code)


class _Runner:
    """Wires the parts together, in the order in which they depend on each other."""

    def __init__(self, config: RunnerConfig, reports: Reports, commands: Commands) -> None:
        self._config = config
        self._reports = reports
        self._commands = commands
        writer = JsonFileTraceSink(config.trace) if config.trace else None
        self._trace = RunnerTrace(writer, self._read_pipes)
        registered.listen(lambda values: reports.send(Secrets(values=sorted(values))))
        self._register_environment()
        self._capture = Capture(self._trace.write, self._output)
        self._trace.follow(self._capture)
        os.register_at_fork(after_in_child=self._trace.fresh_lock)
        self._pump = capture_descriptors(self._capture)
        capture_streams(self._capture)
        follow_threads()

    def run(self, load: Load) -> None:
        """Load the modules, then serve."""
        store = StoreAddress.of(load.db or self._config.db)
        registered.add(store.secrets)
        workflows = self._load(load)
        capture_logging(self._capture)
        with asyncio.Runner() as runner:
            try:
                runner.run(self._serve(workflows, store))
            finally:
                exit_after(self._config.grace)  # tasks and threads of the user's code may outlive the work

    def _register_environment(self) -> None:
        registered.add(in_environment(self._config.redact_env, os.environ))

    def _load(self, load: Load) -> dict[str, Workflow]:
        install_finder()
        found = load_modules(
            map(Path, load.paths),
            root=Path(self._config.root),
            skip=map(Path, load.skip),
            owners={name: Path(path) for name, path in load.owners.items()},
            recording=self._capture.recording,
            announce=self._announce,
        )
        self._register_environment()  # modules may set variables, from a file of them say
        milliseconds = sum(module.milliseconds for module in found.modules)
        self._reports.send(
            Loaded(modules=list(found.modules), files=list(found.files), milliseconds=milliseconds)
        )
        return found.workflows

    async def _serve(self, workflows: dict[str, Workflow], store: StoreAddress) -> None:
        loop = asyncio.get_running_loop()
        watchdog = Watchdog(loop, self._reports.send, self._capture.running)
        stops = Stops()
        engine = FluxEngine(
            storage=open_store(store),
            trace=self._trace,
            default_retries=self._config.default_retries,
            default_timeout=self._config.default_timeout,
            logger=RunnerLogger(self._capture),
            stop_grace=self._config.grace * 0.75,
            pause_before=stops.before,
        )
        service = RunnerService(
            engine,
            workflows,
            self._reports.send,
            lambda working: watchdog.watch(working=working),
            stops,
            trace=self._trace.write,
        )
        self._trace.listen(service.moved)
        self._commands.deliver_to(lambda command: _call(loop, service, command))
        await service.serve()

    def _announce(self, path: Path) -> None:
        """Have it said before the import, which may be the end of the process."""
        self._reports.send(Loading(path=str(path)))
        self._reports.flush()

    def _read_pipes(self) -> None:
        self._pump()

    def _output(self, stream: str, text: str) -> None:
        self._reports.send(Output(stream=stream, text=text))


def _call(loop: asyncio.AbstractEventLoop, service: RunnerService, command: Command) -> None:
    loop.call_soon_threadsafe(service.take, command)


def _take_over_input() -> int:
    descriptor = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return descriptor


def _be_first_out_of_memory() -> None:
    """Let the kernel end this process, not the dashboard, when a handler uses up the memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


if __name__ == "__main__":
    main()
