"""Carrying out a verb of the engine in the foreground: progress, result, exit code."""

import asyncio
import json
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from flux_engine import FluxConsoleLogger, FluxEngine, FluxResult
from flux_tui.cli.errors import INTERRUPTED, RUN_FAILED
from flux_tui.cli.plain_json import to_plain, to_text
from flux_tui.cli.progress import Progress
from flux_tui.cli.terminal import Look, look_of
from flux_tui.cli.texts import error_lines
from flux_tui.model.text import duration_text
from flux_tui.settings import Settings
from flux_tui.workspace import open_engine

Verb = Callable[[FluxEngine], Awaitable[FluxResult[Any]]]


def carry_out(verb: Verb, settings: Settings, *, data: TextIO, as_json: bool, where: tuple[str, ...]) -> int:
    """Run a verb that gives a result; show its progress on standard error and its result on ``data``.

    ``where`` are the arguments that find the workflow again, for the commands that are suggested.
    Returns the exit code. Ctrl-C interrupts the run, which can be resumed.
    """
    look = look_of(sys.stderr, ascii_only=settings.ascii)
    narration = sys.stderr
    progress = Progress(narration, look, live=narration.isatty())
    try:
        with progress.shown():
            result = asyncio.run(_in_engine(verb, settings, progress))
    except KeyboardInterrupt:
        return _interrupted(progress, look, narration, where)
    lines = _outcome(result, look, where)
    narration.write("\n".join(lines) + "\n")
    _write_result(result, data, as_json=as_json)
    return RUN_FAILED if result.status == "failed" else 0


async def _in_engine(verb: Verb, settings: Settings, progress: Progress) -> FluxResult[Any]:
    async with open_engine(settings, trace=progress, logger=FluxConsoleLogger()) as engine:
        return await verb(engine)


def _outcome(result: FluxResult[Any], look: Look, where: tuple[str, ...]) -> list[str]:
    took = f" in {duration_text(result.duration * 1000)}"
    error = result.error
    at = f" at {error.step}" if error is not None and error.step else ""
    lines = [f"{look.glyph(result.status)} {result.status}{at}{took}"]
    if error is None:
        return lines
    lines += ["", *error_lines(error, look), ""]
    return [*lines, f"retry it: {_command('retry', result.id, where)}"]


def _command(verb: str, run_id: str, where: tuple[str, ...]) -> str:
    return shlex.join(["flux", "runs", verb, run_id, *where])


def _write_result(result: FluxResult[Any], data: TextIO, *, as_json: bool) -> None:
    if as_json:
        data.write(json.dumps(result_json(result), indent=2, ensure_ascii=False) + "\n")
    elif result.status != "failed":
        data.write(to_text(result.data) + "\n")
    data.flush()


def result_json(result: FluxResult[Any]) -> dict[str, Any]:
    """Return the whole result as JSON values. ``duration`` is seconds."""
    return {
        "id": result.id,
        "status": str(result.status),
        "duration": result.duration,
        "data": to_plain(result.data),
        "error": to_plain(result.error),
        "history": to_plain(result.history),
    }


def finding_again(
    target: str | None, workflows: Sequence[Path] | None, db: Path | None, trace: Path | None
) -> tuple[str, ...]:
    """Return the options that lead another command to the same workflow, store and trace."""
    options = [("--target", target), *(("--workflows", path) for path in workflows or ())]
    options += [("--db", db), ("--trace", trace)]
    return tuple(str(part) for name, value in options if value is not None for part in (name, value))


def _interrupted(progress: Progress, look: Look, narration: TextIO, where: tuple[str, ...]) -> int:
    step = next(iter(progress.running), None)
    narration.write(f"{look.glyph('interrupted')} interrupted{f' at {step}' if step else ''}\n")
    if progress.run_id is not None:
        command = _command("resume", progress.run_id, where)
        narration.write(f"nothing that is done is lost; go on with it: {command}\n")
    narration.flush()
    return INTERRUPTED
