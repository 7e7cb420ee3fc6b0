"""Which workflows the loaded modules define."""

import ast
import contextlib
import linecache
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Struct

from flux_engine.builder import WorkflowBuilder
from flux_engine.definition import WorkflowDefinition
from flux_tui.model.declared import declared, declared_in
from flux_tui.runner.messages import Problem, WorkflowInfo
from flux_tui.runner.problems import problem_of, read_source

Workflow = WorkflowBuilder[Any, Any] | WorkflowDefinition[Any, Any]


class Definition(Struct, frozen=True, kw_only=True):
    """A workflow, the variable it is bound to, and its module's file."""

    workflow: Workflow
    variable: str
    path: Path


class Collected(Struct, frozen=True, kw_only=True):
    """What one module defines. ``problem`` is that of the first workflow which is left out."""

    definitions: tuple[tuple[WorkflowInfo, Workflow], ...] = ()
    problem: Problem | None = None


def workflows_of(module: ModuleType, path: Path) -> list[Definition]:
    """Return the module-level workflows in the order they are bound, each object once."""
    found: dict[int, Definition] = {}
    for variable, value in list(vars(module).items()):
        if isinstance(value, WorkflowBuilder | WorkflowDefinition):
            found.setdefault(id(value), Definition(workflow=value, variable=variable, path=path))
    return list(found.values())


def without_imported(modules: Mapping[Path, list[Definition]]) -> dict[Path, list[Definition]]:
    """Leave out, of each module, the workflows that it has imported from another of the modules."""
    homes: dict[int, list[Definition]] = defaultdict(list)
    for definitions in modules.values():
        for definition in definitions:
            homes[id(definition.workflow)].append(definition)
    home = {key: _home(group) for key, group in homes.items()}
    return {
        path: [entry for entry in definitions if home[id(entry.workflow)] is entry]
        for path, definitions in modules.items()
    }


def keepers_of(
    owners: Mapping[str, Path], modules: Mapping[Path, list[Definition]], broken: Collection[Path]
) -> dict[str, Path]:
    """Return the modules that keep a workflow's name, of those that defined it before: the ``owners``.

    It is kept by one that still defines it, and by a ``broken`` one, which may do so again once it is mended.
    """
    return {
        name: path
        for name, path in owners.items()
        if path in broken or any(entry.workflow.name == name for entry in modules.get(path, ()))
    }


def collect(modules: Mapping[Path, list[Definition]], keepers: Mapping[str, Path]) -> dict[Path, Collected]:
    """Describe the workflows of all modules.

    A name that several modules define belongs to its keeper, else to the first of them, and is a problem
    of the others.
    """
    taken: dict[str, tuple[Definition, dict[str, Any]]] = {}
    result = {}
    for path, definitions in modules.items():
        good: list[tuple[WorkflowInfo, Workflow]] = []
        problems: list[Problem] = []
        for definition in definitions:
            try:
                description = _description(definition)
            except Exception as error:  # noqa: BLE001 - describing runs user code, as in schemas
                problems.append(_located(problem_of(error, path), definition))
                continue
            name = definition.workflow.name
            keeper = keepers.get(name, path)
            if keeper != path:
                problems.append(_defined_twice(name, _place_in(keeper, name, modules), definition))
                continue
            if name in taken:
                first, first_description = taken[name]
                if first.path != path or first_description != description:  # a builder beside what it built
                    problems.append(_defined_twice(name, _where(first), definition))
                continue
            taken[name] = (definition, description)
            info = WorkflowInfo(name=name, variable=definition.variable, description=description)
            good.append((info, definition.workflow))
        result[path] = Collected(definitions=tuple(good), problem=problems[0] if problems else None)
    return result


def variable_line(path: Path, variable: str) -> int | None:
    """Return the line in which the module binds the variable, counted from 1."""
    return next((node.lineno for node in _bindings(path) if variable in _bound_names(node)), None)


def _home(group: list[Definition]) -> Definition:
    if len(group) > 1:
        for definition in group:
            if variable_line(definition.path, definition.variable) is not None:
                return definition
    return group[0]


def _description(definition: Definition) -> dict[str, Any]:
    description = definition.workflow.describe()
    msgspec.json.encode(description)  # raises for what cannot be sent
    declared.add(declared_in(description))
    return description


def _located(problem: Problem, definition: Definition) -> Problem:
    if problem.line is not None:
        return problem
    line = variable_line(definition.path, definition.variable)
    return msgspec.structs.replace(
        problem,
        file=str(definition.path),
        line=line,
        code=linecache.getline(str(definition.path), line or 0).rstrip("\r\n"),
    )


def _defined_twice(name: str, first: str, second: Definition) -> Problem:
    return _located(
        Problem(
            kind="DefinitionError",
            message=f"There are two workflows named {name!r}: {first} and {_where(second)}. "
            "Runs are told apart by this name: give one of them another.",
        ),
        second,
    )


def _place_in(keeper: Path, name: str, modules: Mapping[Path, list[Definition]]) -> str:
    found = next((entry for entry in modules.get(keeper, ()) if entry.workflow.name == name), None)
    return f"the last good one of {keeper}" if found is None else _where(found)


def _where(definition: Definition) -> str:
    line = variable_line(definition.path, definition.variable)
    place = f"{definition.path}:{line}" if line else str(definition.path)
    return f"{definition.variable} in {place}"


def _bindings(path: Path) -> Iterable[ast.Assign | ast.AnnAssign | ast.NamedExpr]:
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        for node in ast.walk(ast.parse(read_source(path))):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
                yield node


def _bound_names(node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
