"""Loading workflow modules: every workflow is found, and every failure becomes a problem with its place."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_tui.runner.discovery import find_modules
from flux_tui.runner.loader import LoadedModules, load_modules
from flux_tui.runner.messages import ModuleInfo
from flux_tui.runner.target import TargetError, load_target

FLOW = """
from flux_engine import create_workflow
{name} = create_workflow("{title}").step("only", lambda ctx: None)
"""


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    """Forget the imports of a test, so that each loads into a process as if it were new."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = path


def write(folder: Path, name: str, text: str) -> Path:
    """Write a file of the project."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def flow(name: str = "flow", title: str | None = None) -> str:
    """Return the source of a workflow bound to ``name``."""
    return FLOW.format(name=name, title=title or name)


def load(*paths: Path, root: Path) -> LoadedModules:
    """Load what is below the paths."""
    return load_modules(paths, root=root)


def only(loaded: LoadedModules) -> ModuleInfo:
    """Return the single module."""
    assert len(loaded.modules) == 1
    return loaded.modules[0]


def test_workflows_of_a_folder_are_found_with_their_variables(tmp_path: Path) -> None:
    """Files that mention the engine are modules, in folders below too; caches and environments are not."""
    write(tmp_path, "orders.py", flow("order_flow", "orders") + "twin = order_flow\n")
    write(tmp_path, "deep/down/reports.py", flow("reports"))
    write(tmp_path, "plain.py", "raise SystemExit('never imported')")
    write(tmp_path, ".hidden/a.py", flow("a"))
    write(tmp_path, "env2/pyvenv.cfg", "")
    write(tmp_path, "env2/b.py", flow("b"))
    write(tmp_path, "node_modules/c.py", flow("c"))
    write(tmp_path, "test_orders.py", flow("d"))
    loaded = load(tmp_path, root=tmp_path)
    found = {Path(m.path).name: [(w.name, w.variable) for w in m.workflows] for m in loaded.modules}
    assert found == {"orders.py": [("orders", "order_flow")], "reports.py": [("reports", "reports")]}
    assert loaded.modules[0].workflows[0].description["steps"][0]["name"] == "only"
    assert set(loaded.workflows) == {"orders", "reports"}


def test_a_file_is_loaded_where_it_is_and_not_where_links_to_it_are(tmp_path: Path) -> None:
    """Its neighbours are there. A link that leads out of the folder is a module; one to itself is told."""
    real = write(tmp_path, "shop/orders.py", "import prices\n" + flow("orders"))
    write(tmp_path, "shop/prices.py", "")
    (tmp_path / "a_link.py").symlink_to(real)
    (tmp_path / "project").mkdir()
    outward = tmp_path / "project" / "link.py"
    outward.symlink_to(write(tmp_path, "elsewhere/reports.py", flow("reports")))
    loop = tmp_path / "loop.py"
    loop.symlink_to(loop)
    found = list(find_modules([tmp_path / "shop", tmp_path / "a_link.py", outward.parent]))
    assert found == [real, outward]
    problem = only(load(loop, root=tmp_path)).problem
    assert problem is not None
    assert "symbolic links" in problem.message


def test_a_neighbour_of_another_folder_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    """Of two modules of one name that no package tells apart Python has one: the second folder is told."""
    for folder in ("one", "two"):
        write(tmp_path, f"{folder}/prices.py", f"PRICE = '{folder}'")
        write(tmp_path, f"{folder}/flow_{folder}.py", flow(folder) + "from prices import PRICE\n")
        write(tmp_path, f"{folder}/alone_{folder}.py", flow(f"alone_{folder}"))
    loaded = load(tmp_path, root=tmp_path)
    assert set(loaded.workflows) == {"one", "alone_one", "alone_two"}
    [problem] = [module.problem for module in loaded.modules if module.problem]
    assert problem.file == str(tmp_path / "two/flow_two.py")
    assert str(tmp_path / "one/prices.py") in problem.message
    assert "from . import prices" in problem.message


def test_a_module_without_workflows_is_no_problem(tmp_path: Path) -> None:
    """A file that only mentions the engine is listed, empty."""
    module = only(load(write(tmp_path, "a.py", "import flux_engine"), root=tmp_path))
    assert (module.workflows, module.problem) == ([], None)


@pytest.mark.parametrize(
    ("text", "kind", "line", "column", "code"),
    [
        ("import flux_engine\ndef broken(:\n    pass\n", "SyntaxError", 2, 12, "def broken(:"),
        ("import flux_engine\nimport nowhere_to_be_found\n", "ModuleNotFoundError", 2, 1, "import nowhere"),
        ("from flux_engine import nothing_such\n", "ImportError", 1, 1, "from flux_engine"),
        ("import flux_engine\nx = [1]\ny = 1 + x[7]\n", "IndexError", 3, 9, "y = 1 + x[7]"),
        ("import flux_engine\nä = 'ü'; 1 / 0\n", "ZeroDivisionError", 2, 10, "ä = 'ü'; 1 / 0"),
        ("import flux_engine, sys\nsys.exit(3)\n", "SystemExit", 2, 1, "sys.exit(3)"),
        ("import flux_engine\nraise KeyboardInterrupt\n", "KeyboardInterrupt", 2, 1, "raise Keyb"),
        ("import flux_engine\ndef f():\n    f()\nf()\n", "RecursionError", 3, 5, "    f()"),
    ],
)
def test_what_a_module_raises_becomes_a_problem_with_its_place(
    tmp_path: Path, *, text: str, kind: str, line: int, column: int, code: str
) -> None:
    """Kind, file, line, column and the line itself are there, and other modules are loaded all the same."""
    path = write(tmp_path, "bad.py", text)
    write(tmp_path, "good.py", flow())
    bad, good = load(tmp_path, root=tmp_path).modules
    assert bad.problem is not None
    assert (bad.problem.kind, bad.problem.file) == (kind, str(path))
    assert (bad.problem.line, bad.problem.column) == (line, column)
    assert bad.problem.code.startswith(code)
    assert kind in bad.problem.traceback
    assert len(bad.problem.traceback) < 40_000
    assert [w.name for w in good.workflows] == ["flow"]


def test_the_place_of_a_failure_in_an_imported_file_is_that_file(tmp_path: Path) -> None:
    """The innermost line of the user's code is shown, and the file counts as imported, to be watched."""
    helper = write(tmp_path, "helper.py", "def check():\n    return {}['missing']\n")
    write(tmp_path, "a.py", "import flux_engine, helper\nhelper.check()\n")
    loaded = load(tmp_path, root=tmp_path)
    problem = only(loaded).problem
    assert problem is not None
    assert (problem.file, problem.line) == (str(helper), 2)
    assert "a.py" in problem.traceback
    assert "importlib" not in problem.traceback
    assert str(helper) in loaded.files


def test_a_workflow_that_cannot_be_built_is_a_problem_at_its_variable(tmp_path: Path) -> None:
    """The module's other workflows are there."""
    text = flow() + '\nempty = create_workflow("empty")\n'
    module = only(load(write(tmp_path, "a.py", text), root=tmp_path))
    assert [w.name for w in module.workflows] == ["flow"]
    assert module.problem is not None
    assert (module.problem.kind, module.problem.line) == ("DefinitionError", 5)
    assert module.problem.code == 'empty = create_workflow("empty")'


def test_a_name_defined_twice_is_the_later_modules_problem(tmp_path: Path) -> None:
    """Its message names both places."""
    first = write(tmp_path, "a.py", flow("one", "same"))
    second = write(tmp_path, "b.py", flow("two", "same") + flow("other"))
    a, b = load(tmp_path, root=tmp_path).modules
    assert a.problem is None
    assert [w.name for w in b.workflows] == ["other"]
    assert b.problem is not None
    assert f"one in {first}:3" in b.problem.message
    assert f"two in {second}:3" in b.problem.message


def test_an_imported_workflow_belongs_to_the_module_that_binds_it(tmp_path: Path) -> None:
    """Whichever of the two is loaded first; and a builder beside what it built is one workflow."""
    write(tmp_path, "a.py", "import flux_engine\nfrom z import flow\n")
    write(tmp_path, "z.py", flow() + "built = flow.build()\n")
    a, z = load(tmp_path, root=tmp_path).modules
    assert (a.workflows, a.problem) == ([], None)
    assert ([w.variable for w in z.workflows], z.problem) == (["flow"], None)


def test_a_module_that_prints_megabytes_is_loaded_and_the_end_is_kept(tmp_path: Path, capsys) -> None:
    """What it prints goes nowhere else."""
    text = flow() + "for i in range(200_000): print('line', i)\nprint('the end')\n"
    module = only(load(write(tmp_path, "a.py", text), root=tmp_path))
    assert module.problem is None
    assert module.output.endswith("the end\n")
    assert "left out" in module.output.splitlines()[0]
    assert len(module.output) < 70_000
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_utf8_is_a_problem_with_the_line(tmp_path: Path) -> None:
    """And the message says what to do."""
    path = tmp_path / "a.py"
    path.write_bytes(b"import flux_engine\nname = '\xfc'\n")
    problem = only(load(path, root=tmp_path)).problem
    assert problem is not None
    assert (problem.kind, problem.line, problem.column) == ("UnicodeDecodeError", 2, 9)
    assert "UTF-8" in problem.message


def test_a_path_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    """It is named."""
    module = only(load(tmp_path / "gone.py", root=tmp_path))
    assert module.problem is not None
    assert str(tmp_path / "gone.py") in module.problem.message


def test_what_may_not_be_read_is_a_problem_and_the_rest_is_loaded() -> None:
    """A file and a folder without permission."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        write(folder, "a.py", flow("a")).chmod(0)
        write(folder, "b.py", flow("b"))
        write(folder, "closed/c.py", flow("c"))
        (folder / "closed").chmod(0)
        with unprivileged():
            loaded = load(folder, root=folder)
        by_name = {Path(module.path).name: module for module in loaded.modules}
        assert by_name["b.py"].workflows
        for name in ("a.py", "closed"):
            problem = by_name[name].problem
            assert problem is not None
            assert problem.kind == "PermissionError"
            assert str(folder / name) in problem.message
    finally:
        (folder / "closed").chmod(0o755)
        shutil.rmtree(folder)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Be a user whom permissions bind, in this thread: other threads would be disturbed by a change."""
    if os.geteuid() != 0:
        yield
        return
    use = ctypes.CDLL(None).setfsuid
    use(65_534)
    try:
        yield
    finally:
        use(0)


def test_a_module_in_a_package_is_imported_under_its_dotted_name(tmp_path: Path) -> None:
    """So its relative imports work and its classes have the names that the store knows."""
    write(tmp_path, "shop/__init__.py", "")
    write(tmp_path, "shop/names.py", "TITLE = 'relative'\n")
    write(
        tmp_path,
        "shop/flows/orders.py",
        """
        from flux_engine import create_workflow
        from ..names import TITLE
        flow = create_workflow(TITLE).step("only", lambda ctx: None)
        MODULE = __name__
        """,
    )
    write(tmp_path, "shop/flows/__init__.py", "")
    loaded = load(tmp_path, root=tmp_path)
    assert [w.name for w in only(loaded).workflows] == ["relative"]
    assert sys.modules["shop.flows.orders"].MODULE == "shop.flows.orders"
    assert str(tmp_path / "shop" / "names.py") in loaded.files


def test_files_named_alike_or_like_a_module_of_python_are_told_apart(tmp_path: Path) -> None:
    """Both are loaded, and Python keeps its own module."""
    import calendar  # noqa: PLC0415 - so that the name is taken

    write(tmp_path, "a/orders.py", flow("a"))
    write(tmp_path, "b/orders.py", flow("b"))
    write(tmp_path, "calendar.py", flow("c"))
    loaded = load(tmp_path, root=tmp_path)
    assert sorted(loaded.workflows) == ["a", "b", "c"]
    assert sys.modules["calendar"] is calendar


def test_a_module_is_imported_once_even_when_another_imports_it(tmp_path: Path) -> None:
    """Its top level runs a single time."""
    write(tmp_path, "a.py", "import flux_engine, counted\n")
    write(tmp_path, "counted.py", flow() + "import sys; sys.path.append('/count')\n")
    load(tmp_path, root=tmp_path)
    assert sys.path.count("/count") == 1


def test_libraries_are_not_among_the_projects_files(tmp_path: Path) -> None:
    """Neither the standard library, nor installed packages, nor Flux."""
    write(tmp_path, "a.py", "import json, pydantic\n" + flow())
    files = load(tmp_path, root=tmp_path).files
    assert str(tmp_path / "a.py") in files
    assert not [file for file in files if "site-packages" in file or "/flux_engine/" in file]


def test_a_folder_can_be_kept_from_being_searched(tmp_path: Path) -> None:
    """By a file ``.fluxignore`` in it, unless it is the folder that was asked for."""
    write(tmp_path, "a.py", "import flux_engine")
    write(tmp_path, "cloud/.fluxignore", "")
    write(tmp_path, "cloud/b.py", "import flux_engine")
    assert list(find_modules([tmp_path])) == [tmp_path / "a.py"]
    assert list(find_modules([tmp_path / "cloud"])) == [tmp_path / "cloud" / "b.py"]


def test_the_engines_own_folder_is_not_searched() -> None:
    """Opening the project of Flux itself shows its examples, not its modules."""
    root = Path(__file__).parents[2]
    folders = {found.parent for found in find_modules([root]) if isinstance(found, Path)}
    assert root / "examples" in folders
    assert root / "flux_engine" not in folders


def test_two_saves_within_a_second_are_both_seen(tmp_path: Path) -> None:
    """Compiled code of the same size and second is not mistaken for the new source."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from flux_tui.runner.loader import load_modules
        from flux_tui.runner.sources import install_finder
        install_finder()
        load_modules([Path("a.py")], root=Path.cwd())
        print(sys.modules["helper"].VALUE)
    """)
    write(tmp_path, "a.py", "import flux_engine, helper\n")
    for value in ("1", "2"):
        write(tmp_path, "helper.py", f"VALUE = {value}\n")
        os.utime(tmp_path / "helper.py")
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == value


class TestTarget:
    """What a command line may say."""

    def test_a_file_and_variable_a_single_workflow_and_a_dotted_module(self, tmp_path: Path) -> None:
        """All three forms lead to the workflow."""
        write(tmp_path, "orders.py", flow("a") + flow("b", "the-b"))
        write(tmp_path, "single.py", flow("c"))
        write(tmp_path, "shop/__init__.py", "")
        write(tmp_path, "shop/flows.py", flow("d"))
        for target, name in {
            "orders.py:b": "the-b",
            "orders.py:the-b": "the-b",
            "single.py": "c",
            "shop.flows:d": "d",
            "shop/flows.py:d": "d",
        }.items():
            assert load_target(target, root=tmp_path).workflow.name == name

    @pytest.mark.parametrize(
        ("target", "expected"),
        [
            ("orders.py", ["2 workflows", "orders.py:a (line 3)", "orders.py:b (line 6)"]),
            ("orders.py:c", ["no workflow 'c'", "orders.py:a", "orders.py:b"]),
            ("order.py:a", ["no file order.py", "Did you mean orders.py?"]),
            ("empty.py", ["no workflow"]),
            ("broken.py", ["broken.py:2: SyntaxError"]),
            ("nowhere.at_all:x", ["nowhere.at_all does not load", "No module named 'nowhere'"]),
            (":x", ["names no module"]),
            ("folder", ["is a folder", "flux dev folder"]),
        ],
    )
    def test_a_wrong_target_is_told_what_there_is(
        self, tmp_path: Path, target: str, expected: list[str]
    ) -> None:
        """The message lists the module's workflows, or why it has none."""
        write(tmp_path, "orders.py", flow("a") + flow("b"))
        write(tmp_path, "empty.py", "")
        write(tmp_path, "broken.py", "\nx = (\n")
        (tmp_path / "folder").mkdir()
        with pytest.raises(TargetError) as caught:
            load_target(target, root=tmp_path)
        for part in expected:
            assert part in str(caught.value)
