"""Who imports whom: what a program or a command that draws nothing must not have to pay for."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import flux_engine

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent
EXAMPLE = ROOT / "examples/event_routing.py"
TERMINAL_ONLY = {"textual", "typer", "rich", "watchfiles"}


def packages_imported_by(command, cwd) -> set[str]:
    """Run a command and return the top-level packages that its process has imported."""
    environ = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert done.returncode == 0, "\n".join(set(done.stderr.splitlines()) - set(lines))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_the_engine_loads_nothing_of_the_terminal(tmp_path):
    """``import flux_engine`` is for programs without a terminal."""
    imported = packages_imported_by([sys.executable, "-c", "import flux_engine"], tmp_path)
    assert "flux_engine" in imported
    assert imported & (TERMINAL_ONLY | {"flux_tui"}) == set()


def test_the_version_loads_next_to_nothing(tmp_path):
    """``flux --version`` answers before anything heavy is imported."""
    imported = packages_imported_by([SCRIPTS / "flux", "--version"], tmp_path)
    assert imported & (TERMINAL_ONLY | {"flux_engine", "pydantic", "msgspec", "aiosqlite"}) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", str(EXAMPLE)],
        ["runs", "list"],
        ["runs", "list", "--help"],
        ["graph", str(EXAMPLE)],
        ["doctor"],
        ["--help"],  # loads the module of every command
    ],
    ids=" ".join,
)
def test_commands_that_draw_nothing_load_no_textual(arguments, tmp_path):
    """Only the dashboard pays for Textual."""
    imported = packages_imported_by([SCRIPTS / "flux", *arguments], tmp_path)
    assert "flux_engine" in imported
    assert imported & {"textual", "watchfiles"} == set()


def test_the_dashboard_loads_nothing_that_its_first_frame_does_not_need(tmp_path):
    """Validation, the parser of the commands and the watching of files come when they are needed."""
    start = "import flux_tui.cli.plain_start, flux_tui.cli.opening, flux_tui.app"
    imported = packages_imported_by([sys.executable, "-c", start], tmp_path)
    assert "textual" in imported
    assert imported & {"pydantic", "typer", "watchfiles"} == set()


def test_the_runner_loads_no_textual(tmp_path):
    """The process that runs user code draws nothing."""
    imported = packages_imported_by([sys.executable, "-c", "import flux_tui.runner.child"], tmp_path)
    assert imported & {"textual", "watchfiles", "typer"} == set()


def test_the_import_contracts_hold():
    """The contracts in pyproject.toml are kept by every module."""
    command = [SCRIPTS / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_engine_exports_what_it_says():
    """``__all__`` names exactly the public names of ``flux_engine``, in order."""
    public = {
        name for name, value in vars(flux_engine).items() if name[0] != "_" and not inspect.ismodule(value)
    }
    assert public - set(flux_engine.__all__) == set()
    assert [name for name in flux_engine.__all__ if not hasattr(flux_engine, name)] == []
    assert len(set(flux_engine.__all__)) == len(flux_engine.__all__)


def test_the_lock_file_is_not_kept():
    """Everybody resolves the dependencies for their own Python; no lock file is tracked."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "uv.lock"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
