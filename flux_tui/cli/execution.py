"""Carrying out a verb of the engine in the foreground: progress, result, exit code."""

import asyncio
import itertools
import json
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from flux_engine import FluxConsoleLogger, FluxEngine, FluxResult
from flux_engine.waiting import VERDICTS
from flux_tui.address import StoreAddress
from flux_tui.cli.breaks import PauseBefore
from flux_tui.cli.errors import INTERRUPTED, RUN_FAILED
from flux_tui.cli.plain_json import to_plain, to_text
from flux_tui.cli.progress import Progress
from flux_tui.cli.terminal import Look, look_of, user_code_prints_to_stderr
from flux_tui.cli.texts import error_lines
from flux_tui.model.json_text import write_json
from flux_tui.model.masked import masked_error
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import duration_text, printable
from flux_tui.settings import Settings
from flux_tui.workspace import open_engine

_DONE, _AGAIN = (json.dumps(verdict) for verdict in VERDICTS)

Verb = Callable[[FluxEngine], Awaitable[FluxResult[Any]]]


class Foreground:
    """A command that runs user code: it shows progress, asks, and writes the data that comes of it."""

    def __init__(self, settings: Settings, look: Look, progress: Progress, data: TextIO) -> None:
        self._settings = settings
        self._look = look
        self._progress = progress
        self._data = data
        self._secrets = Secrets(settings.redact)
        self.ask = progress.ask

    def carry_out(
        self,
        verb: Verb,
        *,
        as_json: bool,
        where: tuple[str, ...],
        pause_before: PauseBefore | None = None,
    ) -> int:
        """Run a verb that gives a result; show its progress, then its result.

        ``where`` are the arguments that find the workflow again, for the commands that are suggested.
        ``pause_before`` says before which steps the run stops. Returns the exit code. Ctrl-C interrupts the
        run, which can be resumed.
        """
        try:
            with self._progress.moving():
                result = asyncio.run(self._in_engine(verb, pause_before))
        except KeyboardInterrupt:
            self._tell(self._interruption(where))
            return INTERRUPTED
        self._tell(_outcome(result, self._look, where, self._secrets))
        _write_result(result, self._data, self._secrets, as_json=as_json)
        return RUN_FAILED if result.status == "failed" else 0

    async def _in_engine(self, verb: Verb, pause_before: PauseBefore | None) -> FluxResult[Any]:
        logger = FluxConsoleLogger()
        with self._answering_ctrl_c():
            async with open_engine(
                self._settings, trace=self._progress, logger=logger, pause_before=pause_before
            ) as engine:
                return await verb(engine)

    @contextmanager
    def _answering_ctrl_c(self) -> Iterator[None]:
        """Say at once that Ctrl-C was heard: a handler that blocks may keep it from having an effect.

        A command in the background of a shell ignores it, and goes on doing so.
        """
        interrupt = signal.getsignal(signal.SIGINT)  # asyncio's: cancels the task, the second time raises
        if not callable(interrupt):
            yield
            return
        heard = itertools.count()

        def answer(number: int, frame: FrameType | None) -> None:
            if next(heard) == 0:
                self._tell(["interrupting; Ctrl-C again to stop at once"])
            interrupt(number, frame)

        signal.signal(signal.SIGINT, answer)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, interrupt)

    def _tell(self, lines: Iterable[str]) -> None:
        self._progress.write("".join(f"{line}\n" for line in lines))

    def _interruption(self, where: tuple[str, ...]) -> list[str]:
        run_id = self._progress.run_id
        if run_id is None:
            return ["interrupted before the run began"]
        if self._progress.ended:
            return [f"the run had ended before it could be interrupted: flux runs show {run_id}"]
        step = next(iter(self._progress.running), None)
        return [
            f"{self._look.glyph('interrupted')} interrupted{f' at {printable(step)}' if step else ''}",
            f"what is done is kept; go on with it: {_command('resume', run_id, where)}",
        ]


@contextmanager
def foreground(settings: Settings) -> Iterator[Foreground]:
    """Prepare for user code: from here on, what it prints goes to standard error, above the progress."""
    look = look_of(sys.stderr, ascii_only=settings.ascii)
    progress = Progress(sys.stderr, look, Secrets(settings.redact), live=sys.stderr.isatty())
    with user_code_prints_to_stderr() as data, progress.shown():
        yield Foreground(settings, look, progress, data)


def _outcome(result: FluxResult[Any], look: Look, where: tuple[str, ...], secrets: Secrets) -> list[str]:
    took = f" in {duration_text(result.duration * 1000)}"
    error = result.error
    at = f" at {printable(error.step)}" if error is not None and error.step else ""
    lines = [f"{look.glyph(result.status)} {result.status}{at}{took}"]
    if result.status == "suspended":
        return [*lines, *_waits(result, where)]
    if result.status == "paused":
        step = next((entry.name for entry in result.history if not entry.status.done), None)
        before = f" before {printable(step)}" if step else ""
        lines = [f"{look.glyph(result.status)} paused{before}{took}"]
        return [*lines, f"go on with it: {_command('resume', result.id, where)}"]
    if error is None:
        return lines
    lines += ["", *error_lines(masked_error(error, secrets), look), ""]
    return [*lines, f"retry it: {_command('retry', result.id, where)}"]


def _waits(result: FluxResult[Any], where: tuple[str, ...]) -> list[str]:
    """Return what a suspended run waits for, with the command that sends each of the signals."""
    lines = []
    for step in result.history:
        wait = step.waits_for
        if wait is None or wait.signal is None:
            continue
        name = printable(step.name)
        send = ["flux", "runs", "signal", result.id, wait.signal]
        if wait.in_doubt:
            lines.append(f"{name} is in doubt. If it was done: {shlex.join([*send, '-p', _DONE, *where])}")
            lines.append(f"  to run it again: {shlex.join([*send, '-p', _AGAIN, *where])}")
        else:
            until = "" if wait.until is None else wait.until.astimezone().strftime(" until %Y-%m-%d %H:%M")
            lines.append(f"{name} waits for {printable(wait.signal)}{until}")
            lines.append(f"send it, with its --payload JSON if it has one: {shlex.join([*send, *where])}")
    return lines


def _command(verb: str, run_id: str, where: tuple[str, ...]) -> str:
    return shlex.join(["flux", "runs", verb, run_id, *where])


def _write_result(result: FluxResult[Any], data: TextIO, secrets: Secrets, *, as_json: bool) -> None:
    if as_json:
        data.write(write_json(result_json(result, secrets)) + "\n")
    elif result.status != "failed":
        data.write(to_text(result.data) + "\n")
    data.flush()


def result_json(result: FluxResult[Any], secrets: Secrets) -> dict[str, Any]:
    """Return the whole result as JSON values, its errors masked. ``duration`` is seconds."""
    history = [_without(step, secrets) for step in to_plain(result.history)]
    return {
        "id": result.id,
        "status": str(result.status),
        "duration": result.duration,
        "data": to_plain(result.data),
        "error": secrets.told(to_plain(result.error)),
        "history": history,
    }


def _without(step: dict[str, Any], secrets: Secrets) -> dict[str, Any]:
    """Return a step, or an attempt of one, with its errors masked."""
    errors = {key: secrets.told(step[key]) for key in ("error", "compensation_error") if key in step}
    tried = (
        {"attempt_log": [_without(each, secrets) for each in step["attempt_log"]]}
        if "attempt_log" in step
        else {}
    )
    return step | errors | tried


def finding_again(
    target: str | None, workflows: Sequence[Path] | None, db: str | None, trace: Path | None
) -> tuple[str, ...]:
    """Return the options that lead another command to the same workflow, store and trace."""
    options = [("--target", target), *(("--workflows", path) for path in workflows or ())]
    options += [("--db", None if db is None else str(StoreAddress.of(db))), ("--trace", trace)]
    return tuple(str(part) for name, value in options if value is not None for part in (name, value))
