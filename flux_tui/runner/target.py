"""One workflow, named on a command line."""

import difflib
import importlib
from pathlib import Path
from types import ModuleType

from msgspec import Struct

from flux_engine.errors import FluxError
from flux_tui.runner.collect import Definition, Workflow, variable_line, workflows_of
from flux_tui.runner.loader import import_path, importable
from flux_tui.runner.messages import Problem
from flux_tui.runner.problems import problem_of
from flux_tui.runner.sources import pin_sources, project_files


class TargetError(FluxError):
    """A target that names no workflow. ``problem`` is there when its module does not load."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        self.problem = problem
        super().__init__(message)


class Target(Struct, frozen=True, kw_only=True):
    """A workflow, and where it was found."""

    workflow: Workflow
    variable: str
    path: Path


def load_target(target: str, *, root: Path | None = None) -> Target:
    """Import what ``target`` names: ``file.py:variable``, ``file.py`` or ``package.module:variable``.

    Behind the colon may also stand the workflow's name; a module with a single workflow needs neither.
    Raises ``TargetError``, whose message lists what the module has.
    """
    root = (root or Path.cwd()).absolute()
    place, _, variable = target.rpartition(":") if ":" in target else (target, "", "")
    if not place:
        raise TargetError(
            f"{target!r} names no module. Expected FILE.py, FILE.py:VARIABLE or PACKAGE.MODULE:VARIABLE."
        )
    module, path = _imported(place, root)
    pin_sources(project_files())
    return _chosen(workflows_of(module, path), variable, place)


def _imported(place: str, root: Path) -> tuple[ModuleType, Path]:
    path = (root / place).absolute()
    is_file = place.endswith(".py") or path.is_file()
    if is_file and not path.is_file():
        raise TargetError(f"There is no file {place} in {root}.{_similar_files(path)}")
    if path.is_dir():
        raise TargetError(f"{place} is a folder. Name one of its files, or open it with: flux dev {place}")
    importable(root)
    try:
        module = import_path(path, root) if is_file else importlib.import_module(place)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        problem = problem_of(error, path)
        at = f"{problem.file}:{problem.line}: " if problem.line else ""
        raise TargetError(f"{place} does not load: {at}{problem.kind}: {problem.message}", problem) from error
    return module, path if is_file else Path(module.__file__ or place)


def _chosen(found: list[Definition], wanted: str, place: str) -> Target:
    if not found:
        raise TargetError(
            f"{place} has no workflow: no variable of the module is one made by create_workflow()."
        )
    matches = [entry for entry in found if wanted in (entry.variable, entry.workflow.name)]
    if matches:
        return _target(matches[0])
    if len(found) == 1 and not wanted:
        return _target(found[0])
    has = "".join(f"\n  {place}:{entry.variable}{_line(entry)}  {entry.workflow.name}" for entry in found)
    if wanted:
        raise TargetError(f"{place} has no workflow {wanted!r}. It has:{has}")
    raise TargetError(f"{place} has {len(found)} workflows. Name one of them:{has}")


def _target(entry: Definition) -> Target:
    return Target(workflow=entry.workflow, variable=entry.variable, path=entry.path)


def _line(entry: Definition) -> str:
    line = variable_line(entry.path, entry.variable)
    return f" (line {line})" if line else ""


def _similar_files(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix == ".py"]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=3)
    return f" Did you mean {' or '.join(close)}?" if close else ""
