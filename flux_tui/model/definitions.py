"""The workflows of the project as their modules define them: the last good ones of a module that broke."""

from msgspec import Struct
from msgspec.structs import replace

from flux_tui.model.run import DefinitionView, graph_spec
from flux_tui.runner.messages import ModuleInfo, Problem, WorkflowInfo


class ModuleView(Struct, frozen=True, kw_only=True):
    """A module: what it defines, and why it does not load if it does not."""

    path: str
    workflows: tuple[DefinitionView, ...] = ()
    problem: Problem | None = None
    output: str = ""
    milliseconds: float = 0.0


class TreeRow(Struct, frozen=True, kw_only=True):
    """A row of the workflows tree: a module, or a workflow below it.

    ``key`` stays the same from load to load. ``note`` is what stands beside the label: where the
    problem is, or that the definition is stale.
    """

    key: str
    label: str
    module: ModuleView
    workflow: DefinitionView | None = None
    note: str = ""


class Definitions(Struct, frozen=True, kw_only=True):
    """All modules, in the order in which they were loaded."""

    modules: tuple[ModuleView, ...] = ()

    def loaded(self, modules: list[ModuleInfo]) -> "Definitions":
        """Return the definitions after a load of all modules.

        A module with a problem keeps the workflows that it no longer gives, marked stale, unless another
        module defines them now. Modules that are not among ``modules`` are gone.
        """
        before = {module.path: module for module in self.modules}
        fresh = {workflow.name for module in modules for workflow in module.workflows}
        return Definitions(modules=tuple(_loaded(before.get(each.path), each, fresh) for each in modules))

    @property
    def workflows(self) -> tuple[DefinitionView, ...]:
        """All workflows, stale ones included."""
        return tuple(workflow for module in self.modules for workflow in module.workflows)

    @property
    def problems(self) -> dict[str, Problem]:
        """What is wrong with each module that has a problem, by path."""
        return {module.path: module.problem for module in self.modules if module.problem is not None}

    def find(self, name: str) -> DefinitionView | None:
        """Return a workflow by name, or ``None``."""
        return next((workflow for workflow in self.workflows if workflow.name == name), None)

    def module(self, path: str) -> ModuleView | None:
        """Return a module by path, or ``None``."""
        return next((module for module in self.modules if module.path == path), None)

    def rows(self) -> tuple[TreeRow, ...]:
        """Return the rows of the tree: each module, with its workflows below it."""
        return tuple(row for module in self.modules for row in _rows(module))


def _loaded(before: ModuleView | None, info: ModuleInfo, fresh: set[str]) -> ModuleView:
    workflows = [_definition(info.path, workflow) for workflow in info.workflows]
    if info.problem is not None and before is not None:
        workflows += [replace(old, stale=True) for old in before.workflows if old.name not in fresh]
    return ModuleView(
        path=info.path,
        workflows=tuple(workflows),
        problem=info.problem,
        output=info.output,
        milliseconds=info.milliseconds,
    )


def _definition(path: str, workflow: WorkflowInfo) -> DefinitionView:
    said = workflow.description
    input_schema, data_schema = said.get("input_schema"), said.get("data_schema")
    return DefinitionView(
        name=workflow.name,
        path=path,
        variable=workflow.variable,
        graph=graph_spec(said),
        input_schema=input_schema if isinstance(input_schema, dict) else None,
        data_schema=data_schema if isinstance(data_schema, dict) else None,
        description=str(said.get("description") or ""),
        raw=said,
    )


def _rows(module: ModuleView) -> list[TreeRow]:
    name = module.path.replace("\\", "/").rsplit("/", 1)[-1]
    head = TreeRow(key=module.path, label=name, module=module, note=_where(module.problem))
    return [
        head,
        *(
            TreeRow(
                key=f"{module.path}::{workflow.name}",
                label=workflow.name,
                module=module,
                workflow=workflow,
                note="stale" if workflow.stale else "",
            )
            for workflow in module.workflows
        ),
    ]


def _where(problem: Problem | None) -> str:
    if problem is None:
        return ""
    return problem.kind if problem.line is None else f"line {problem.line}"
