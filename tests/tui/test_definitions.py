"""The workflows tree keeps what worked last."""

from flux_tui.model.definitions import Definitions
from flux_tui.runner.messages import ModuleInfo, Problem, WorkflowInfo


def workflow(name: str, **description) -> WorkflowInfo:
    """A workflow as a runner reports it."""
    said = {"name": name, "steps": [{"name": "a"}], "edges": [], **description}
    return WorkflowInfo(name=name, variable=f"{name}_flow", description=said)


def module(path: str, *names: str, problem: Problem | None = None) -> ModuleInfo:
    """A module as a runner reports it."""
    return ModuleInfo(path=path, workflows=[workflow(name) for name in names], problem=problem)


SYNTAX = Problem(kind="SyntaxError", message="invalid syntax", file="/p/orders.py", line=12)


def names(definitions: Definitions) -> dict[str, bool]:
    """Which workflows there are, and whether they are stale."""
    return {each.name: each.stale for each in definitions.workflows}


def test_a_workflow_is_known_with_its_graph_and_schema():
    """What describe() says of it is what the dashboard shows."""
    info = ModuleInfo(
        path="/p/orders.py",
        workflows=[workflow("order", input_schema={"type": "object"}, description="Sells.")],
    )
    found = Definitions().loaded([info]).find("order")
    assert found is not None
    assert (found.path, found.variable, found.description) == ("/p/orders.py", "order_flow", "Sells.")
    assert [node.name for node in found.graph.nodes] == ["a"]
    assert found.input_schema == {"type": "object"}
    assert found.data_schema is None


def test_a_module_that_breaks_keeps_its_last_good_workflows_marked_stale():
    """However often it fails to load; when it loads again nothing is stale."""
    good = Definitions().loaded([module("/p/orders.py", "order", "refund"), module("/p/b.py", "b")])
    broken = good.loaded([module("/p/orders.py", problem=SYNTAX), module("/p/b.py", "b")])
    still = broken.loaded([module("/p/orders.py", problem=SYNTAX), module("/p/b.py", "b")])
    assert names(broken) == names(still) == {"order": True, "refund": True, "b": False}
    assert still.problems == {"/p/orders.py": SYNTAX}

    mended = still.loaded([module("/p/orders.py", "order"), module("/p/b.py", "b")])
    assert names(mended) == {"order": False, "b": False}
    assert mended.problems == {}


def test_a_removed_file_disappears():
    """Its workflows with it."""
    known = Definitions().loaded([module("/p/a.py", "a"), module("/p/b.py", "b")])
    assert names(known.loaded([module("/p/b.py", "b")])) == {"b": False}


def test_a_workflow_that_moved_out_of_a_broken_module_is_listed_once():
    """The definition that loads is the one that counts."""
    known = Definitions().loaded([module("/p/a.py", "order")])
    moved = known.loaded([module("/p/a.py", problem=SYNTAX), module("/p/b.py", "order")])
    assert names(moved) == {"order": False}
    found = moved.find("order")
    assert found is not None
    assert found.path == "/p/b.py"


def test_the_tree_has_a_row_for_each_module_and_its_workflows_below():
    """A module with a problem says where, a workflow that it still has says that it is stale."""
    known = Definitions().loaded(
        [module("/p/orders.py", "order"), module("/p/c.py", problem=Problem(kind="SystemExit", message="3"))]
    )
    known = known.loaded(
        [
            module("/p/orders.py", problem=SYNTAX),
            module("/p/c.py", problem=Problem(kind="SystemExit", message="3")),
        ]
    )
    assert [(row.key, row.label, row.note) for row in known.rows()] == [
        ("/p/orders.py", "orders.py", "line 12"),
        ("/p/orders.py::order", "order", "stale"),
        ("/p/c.py", "c.py", "SystemExit"),
    ]
    assert [row.workflow is None for row in known.rows()] == [True, False, True]
