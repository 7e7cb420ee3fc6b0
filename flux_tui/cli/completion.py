"""What the shell completes: runs, workflows and steps from the store, workflow variables from source.

A key press waits for it, so no user module is imported and the store is read by a few short queries.
Whatever goes wrong there completes to nothing.
"""

import ast
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import typer

from flux_tui.cli import known_runs
from flux_tui.runner.discovery import MARK

_LARGEST: Final = 512 * 1024


def complete_run(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the newest runs whose id begins like this, each with its status and workflow."""
    rows = _rows(context, known_runs.runs, incomplete)
    return [(str(run_id), f"{status} {workflow}") for run_id, status, workflow in rows]


def complete_workflow(context: typer.Context, incomplete: str) -> list[str]:
    """Return the workflows that have runs."""
    return [name for (name,) in _rows(context, known_runs.workflows) if name.startswith(incomplete)]


def complete_step(context: typer.Context, incomplete: str) -> list[str]:
    """Return the steps of the run that stands before."""
    run = context.params.get("run")
    rows = _rows(context, known_runs.steps, str(run)) if run else []
    return [name for (name,) in rows if isinstance(name, str) and name.startswith(incomplete)]


def complete_target(incomplete: str) -> list[str]:
    """Return folders, modules, and behind the colon the workflows that a module binds to names."""
    file, colon, beginning = incomplete.rpartition(":")
    if colon:
        return [f"{file}:{name}" for name in _bound(Path(file)) if name.startswith(beginning)]
    folder, _, name = incomplete.rpartition("/")
    with suppress(OSError):
        return sorted(_entries(Path(folder or "."), f"{folder}/" if folder else "", name))
    return []


def _entries(folder: Path, prefix: str, beginning: str) -> Iterator[str]:
    for path in folder.iterdir():
        if not path.name.startswith(beginning) or path.name.startswith("."):
            continue
        if path.is_dir() and not path.name.startswith("__"):
            yield f"{prefix}{path.name}/"
        elif path.suffix == ".py" and MARK in _source(path):
            names = _bound(path)
            yield f"{prefix}{path.name}"
            yield from (f"{prefix}{path.name}:{name}" for name in names if len(names) > 1)


def _source(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(_LARGEST)
    return b""


def _bound(path: Path) -> list[str]:
    """Return the names that a module binds to what ``create_workflow`` made."""
    try:
        module = ast.parse(_source(path))
    except (SyntaxError, ValueError):
        return []
    return [
        target.id
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _makes(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]


def _makes(value: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) or getattr(node.func, "attr", None)) == "create_workflow"
        for node in ast.walk(value)
    )


def _rows(context: typer.Context, ask: Callable[..., known_runs.Rows], *arguments: str) -> known_runs.Rows:
    from flux_tui.settings import load_settings  # noqa: PLC0415 - only where the store is asked

    try:
        return ask(load_settings(Path.cwd(), {"db": context.params.get("db")}).db, *arguments)
    except Exception:  # noqa: BLE001 - a key press at a prompt is no place for an error
        return []
