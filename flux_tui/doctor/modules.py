"""Whether the workflow modules load. They are imported in a process of their own: they may do anything."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from flux_tui.doctor.check import Check, bad, good, warning
from flux_tui.runner.messages import ModuleInfo, Problem
from flux_tui.settings import Settings

AREA: Final = "modules"
PATIENCE: Final = 30.0
"""Seconds that all imports together may take."""


class _Line(Struct, frozen=True, kw_only=True):
    loading: str = ""
    secrets: list[str] = []
    modules: list[ModuleInfo] | None = None


class LoadedApart(Struct, frozen=True, kw_only=True):
    """What came of loading modules in a process of their own.

    ``modules`` is ``None`` when that process did not come to its end; then ``last`` is the module that it
    imported last, if any, and ``ended`` says what became of it. ``secrets`` are those that were registered.
    """

    modules: tuple[ModuleInfo, ...] | None
    last: str = ""
    ended: str = ""
    secrets: tuple[str, ...] = ()


def check_modules(settings: Settings, paths: Sequence[Path]) -> Iterator[Check]:
    """Import the modules below the paths."""
    loaded = load_apart(settings, paths)
    if loaded.modules is None:
        what = _shown(loaded.last, settings) if loaded.last else "the workflow modules"
        yield bad(AREA, f"importing {what} {loaded.ended}", "a workflow module must only define things")
        return
    if not loaded.modules:
        yield warning(AREA, "there are none here", "name their folder: workflows = […] in flux.toml")
    for module in loaded.modules:
        yield _told(module, settings)


def load_apart(settings: Settings, paths: Sequence[Path]) -> LoadedApart:
    """Import the modules below the paths in a process of their own, which writes nothing. Blocks."""
    command = [sys.executable, "-P", "-m", "flux_tui.doctor.loading", str(settings.project), *map(str, paths)]
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
        output, ended = done.stdout, f"ends its process (exit code {done.returncode})"
    except subprocess.TimeoutExpired as late:
        output, ended = late.stdout or b"", f"takes longer than {PATIENCE:.0f} s"
    lines = [msgspec.json.decode(line, type=_Line) for line in output.splitlines() if line]
    modules = next((line.modules for line in lines if line.modules is not None), None)
    return LoadedApart(
        modules=None if modules is None else tuple(modules),
        last=next((line.loading for line in reversed(lines) if line.loading), ""),
        ended=ended,
        secrets=tuple(secret for line in lines for secret in line.secrets),
    )


def _told(module: ModuleInfo, settings: Settings) -> Check:
    path = _shown(module.path, settings)
    if module.problem is not None:
        return bad(
            AREA, f"{path} does not load: {problem_text(module.problem)}", "correct it, then look again"
        )
    names = ", ".join(flow.name for flow in module.workflows)
    if not names:
        return warning(AREA, f"{path} has no workflow", "bind one to a name at the top level of the module")
    return good(AREA, f"{path}: {names}")


def problem_text(problem: Problem) -> str:
    """Return the first line of what is wrong with a module, and the line where."""
    line = f" (line {problem.line})" if problem.line else ""
    return f"{problem.kind}: {next(iter(problem.message.splitlines()), '')}{line}"


def _shown(path: str, settings: Settings) -> str:
    return (
        str(Path(path).relative_to(settings.project)) if Path(path).is_relative_to(settings.project) else path
    )
