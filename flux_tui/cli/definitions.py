"""Finding the workflow that a command is about."""

from collections.abc import Sequence
from pathlib import Path

from flux_tui.cli.errors import UsageError
from flux_tui.runner.collect import Workflow
from flux_tui.runner.loader import load_modules
from flux_tui.runner.messages import ModuleInfo, Problem
from flux_tui.runner.target import Target, TargetError, load_target
from flux_tui.settings import Settings


def target_at(text: str) -> Target:
    """Import ``FILE:VAR``. Raises ``UsageError`` with the line of a module that does not load."""
    try:
        return load_target(text)
    except TargetError as error:
        code = _code_lines(error.problem) if error.problem else ""
        raise UsageError(f"{error}{code}") from error


def workflow_named(
    name: str, *, target: str | None, paths: Sequence[Path] | None, settings: Settings
) -> Workflow:
    """Return the workflow of this name: from ``target``, else searched for in the paths or the project.

    Raises ``UsageError`` saying where was looked, what is there and which modules did not load.
    """
    if target is not None:
        found = target_at(target).workflow
        if found.name != name:
            raise UsageError(f"the run belongs to workflow {name!r}; {target} is {found.name!r}")
        return found
    searched = workflow_paths(paths, settings)
    loaded = load_modules(searched, root=settings.project)
    if name in loaded.workflows:
        return loaded.workflows[name]
    places = ", ".join(map(str, searched))
    there = ", ".join(sorted(loaded.workflows)) or "no workflows"
    broken = "".join(_broken(module) for module in loaded.modules if module.problem)
    raise UsageError(
        f"no workflow {name!r} in {places}; there is: {there}. Pass --target FILE:VAR, "
        f"or --workflows PATH to search elsewhere.{broken}"
    )


def workflow_paths(paths: Sequence[Path] | None, settings: Settings) -> list[Path]:
    """Return where to look for workflows. Raises ``UsageError`` for a path that does not exist."""
    searched = list(paths or settings.workflows or [settings.project])
    missing = [str(path) for path in searched if not path.exists()]
    if missing:
        whence = "" if paths else " (from the setting 'workflows')"
        raise UsageError(f"there is no file or folder {', '.join(missing)}{whence}")
    return searched


def _broken(module: ModuleInfo) -> str:
    problem = module.problem
    if problem is None:
        return ""
    line = f":{problem.line}" if problem.line else ""
    return f"\n  {module.path}{line} does not load: {problem.kind}: {problem.message}"


def _code_lines(problem: Problem) -> str:
    if not problem.code.strip():
        return ""
    code = problem.code.expandtabs(1)
    indent = len(code) - len(code.lstrip())
    caret = f"\n  {' ' * max(problem.column - 1 - indent, 0)}^" if problem.column else ""
    return f"\n  {code.strip()}{caret}"
