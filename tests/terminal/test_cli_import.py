"""``flux import``: the runs of the ancestor, and what is none."""

import shutil
from pathlib import Path

import pytest
from commands_here import Here, commands_here, made_runs

from flux_engine import create_workflow

OLD = Path(__file__).parents[1] / "fixtures" / "gravito" / "gravito.db"
FLOW = create_workflow("one").step("work", lambda ctx: None)


@pytest.fixture
def flux(tmp_path, monkeypatch, capfd) -> Here:
    """A project with the ancestor's store beside it."""
    shutil.copy(OLD, tmp_path / "old.db")
    return commands_here(tmp_path, monkeypatch, capfd)


def test_the_runs_of_the_ancestor_are_taken_over(flux):
    """Once: what is there already is skipped, or replaced when that is said."""
    first = flux("import", "old.db", "--json")
    assert (first.code, len(first.json["imported"]), first.json["problems"]) == (0, 5, [])
    assert {run["id"] for run in flux("runs", "list", "--json").json} == set(first.json["imported"])
    again = flux("import", "old.db", "--json").json
    assert (len(again["imported"]), len(again["skipped"])) == (0, 5)
    replaced = flux("import", "old.db", "--overwrite", "--json").json
    assert (len(replaced["imported"]), len(replaced["skipped"])) == (5, 0)
    assert "5 imported" in flux("import", "old.db", "--db", "other.db").err


def test_what_cannot_become_a_run_is_refused_with_what_to_do(flux, tmp_path):
    """A trace or an exported run, a store of Flux itself, and files of other kinds."""
    made_runs(tmp_path, lambda engine, _: engine.execute(FLOW, run_id="abc"))
    assert flux("export", "abc", "--out", "abc.flux", "--json").json["run"] == "abc"
    for trace in ("abc.flux", ".flux/trace.ndjson"):
        refused = flux("import", trace)
        assert (refused.code, f"flux-tui {trace}" in refused.err) == (2, True)
    own = flux("import", ".flux/flux.db", "--db", "other.db")
    assert (own.code, "--db .flux/flux.db" in own.err) == (2, True)
    (tmp_path / "notes.txt").write_text("nothing\n")
    assert "expected a store of @gravito/flux" in flux("import", "notes.txt").err
    assert flux("import", "nowhere.db").code == 2
    assert not (tmp_path / "other.db").exists()
