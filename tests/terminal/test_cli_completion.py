"""What the shell completes, and what it costs."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands_here import made_runs

from flux_engine import create_workflow
from flux_tui.cli.completion import complete_run, complete_step, complete_target, complete_workflow

FLUX = Path(sys.executable).parent / "flux"
FLOWS = [create_workflow(name).step("work", lambda ctx: None).step("rest", print) for name in ("one", "two")]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with runs, and with a module that must not be imported."""

    async def make(engine, _):
        for run, flow in (("a1", FLOWS[0]), ("a2", FLOWS[1]), ("b1", FLOWS[1])):
            await engine.execute(flow, run_id=run)

    made_runs(tmp_path, make)
    (tmp_path / "shop.py").write_text(
        "from flux_engine import create_workflow\n"
        "raise SystemExit('imported')\n"
        "order = create_workflow('order').step('a', print)\n"
        "other: object = create_workflow('other').step('a', print)\n"
        "limit = 3\n"
    )
    (tmp_path / "plain.py").write_text("x = 1\n")
    (tmp_path / "flows").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def context(**params: Any) -> Any:
    """Return what a completion is told of the command so far."""
    return SimpleNamespace(params=params)


@pytest.mark.usefixtures("project")
def test_runs_workflows_and_steps_come_from_the_store():
    """The newest runs first, each with its status and workflow."""
    assert complete_run(context(), "a") == [("a2", "completed two"), ("a1", "completed one")]
    assert [name for name, _ in complete_run(context(), "")] == ["b1", "a2", "a1"]
    assert complete_workflow(context(), "") == ["one", "two"]
    assert complete_workflow(context(), "tw") == ["two"]
    assert complete_step(context(run="b"), "r") == ["rest"]
    assert complete_step(context(), "r") == []


@pytest.mark.usefixtures("project")
def test_targets_come_from_the_source_of_modules():
    """Folders, modules that speak of Flux, and the names that they bind to workflows."""
    assert complete_target("") == ["flows/", "shop.py", "shop.py:order", "shop.py:other"]
    assert complete_target("shop.py:o") == ["shop.py:order", "shop.py:other"]
    assert complete_target("nowhere/x") == []


def test_what_goes_wrong_completes_to_nothing(tmp_path, monkeypatch):
    """A key press is no place for an error: no store, a broken one, broken settings."""
    monkeypatch.chdir(tmp_path)
    assert complete_run(context(), "a") == []
    (tmp_path / "none.db").write_text("nothing")
    assert complete_run(context(db=tmp_path / "none.db"), "a") == []
    (tmp_path / "flux.toml").write_text("themme = 1\n")
    assert complete_workflow(context(), "") == []


def test_the_shell_gets_its_answers(project):
    """As bash and zsh ask: only the command that is typed is loaded, and no user code."""
    asked = {
        "flux runs show a": "a2\na1",
        "flux gr": "graph",
        "flux run shop.py:or": "shop.py:order",
    }
    for line, answer in asked.items():
        environ = os.environ | {
            "_FLUX_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - 1),
        }
        done = subprocess.run([FLUX], cwd=project, env=environ, capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == (answer, "")
