"""Commands in this very process, for those that import no user code: exit code, output, errors."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flux_engine import FluxEngine, FluxSilentLogger, JsonFileTraceSink, SQLiteStorage
from flux_engine.testing import ManualClock
from flux_tui.cli.commands import run_flux


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote to standard output."""
        return json.loads(self.out)


Here = Callable[..., Done]


def commands_here(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Return what runs ``flux`` in a folder."""
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["flux", *arguments])
        capfd.readouterr()
        try:
            run_flux()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return run


def made_runs(folder: Path, make: Callable[[FluxEngine, ManualClock], Any]) -> None:
    """Have runs made in the store and the trace of a project, on a clock of their own."""
    clock = ManualClock(auto=True)

    async def made() -> None:
        engine = FluxEngine(
            storage=SQLiteStorage(folder / ".flux" / "flux.db"),
            trace=JsonFileTraceSink(folder / ".flux" / "trace.ndjson"),
            clock=clock,
            logger=FluxSilentLogger(),
            default_retries=0,
        )
        async with engine:
            await make(engine, clock)

    asyncio.run(made())
