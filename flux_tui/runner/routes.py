"""Which runner has which workflow."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from flux_tui.runner.client import RunnerProcess
from flux_tui.runner.messages import ModuleInfo, Problem


class Route(NamedTuple):
    """The runner that last loaded the workflow's module well, and the module's path."""

    runner: RunnerProcess
    path: str


class Routes:
    """An immutable table from workflow names to runners. ``current`` is the runner loaded last."""

    def __init__(
        self, table: Mapping[str, Route] | None = None, current: RunnerProcess | None = None
    ) -> None:
        self._table = dict(table or {})
        self.current = current

    @property
    def names(self) -> tuple[str, ...]:
        """The workflows that can be run."""
        return tuple(sorted(self._table))

    @property
    def owners(self) -> dict[str, str]:
        """The path of the module that defines each workflow."""
        return {name: route.path for name, route in self._table.items()}

    def runner_of(self, workflow: str) -> RunnerProcess | None:
        """Return the runner to give a run to."""
        route = self._table.get(workflow)
        return None if route is None else route.runner

    def uses(self, runner: RunnerProcess) -> bool:
        """Say whether any workflow is run by the runner."""
        return any(route.runner is runner for route in self._table.values())

    def stale(self, current: RunnerProcess) -> tuple[str, ...]:
        """Return the workflows that another runner than the current one has."""
        return tuple(sorted(name for name, route in self._table.items() if route.runner is not current))

    def after(self, runner: RunnerProcess, modules: Iterable[ModuleInfo]) -> "Routes":
        """Return the table after a load: a module with a problem keeps what is missing now where it was."""
        modules = list(modules)
        fresh = {flow.name: Route(runner, module.path) for module in modules for flow in module.workflows}
        broken = {module.path for module in modules if module.problem is not None}
        kept = {
            name: route
            for name, route in self._table.items()
            if name not in fresh and not route.runner.has_ended and _is_in(route.path, broken)
        }
        return Routes({**kept, **fresh}, runner)

    def without(self, runner: RunnerProcess) -> "Routes":
        """Return the table without a runner that has ended."""
        table = {name: route for name, route in self._table.items() if route.runner is not runner}
        return Routes(table, None if self.current is runner else self.current)


def crash_module(path: str, words: str) -> ModuleInfo:
    """Return what there is to say of a module whose import ends the process."""
    message = f"Importing this module ends its process ({words}). A workflow module must only define things."
    return ModuleInfo(path=path, problem=Problem(kind="ProcessEnded", message=message, file=path))


def _is_in(path: str, broken: set[str]) -> bool:
    return path in broken or any(str(parent) in broken for parent in Path(path).parents)
