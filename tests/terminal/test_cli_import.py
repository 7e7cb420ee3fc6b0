"""``flux import``: the runs of the ancestor, and what is none."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from commands_here import Here, commands_here, made_runs

from flux_engine import create_workflow
from flux_engine.running.ownership import this_owner

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
    """A trace or an exported run, the store here itself, and files of other kinds."""
    made_runs(tmp_path, lambda engine, _: engine.execute(FLOW, run_id="abc"))
    assert flux("export", "abc", "--out", "abc.flux", "--json").json["run"] == "abc"
    for trace in ("abc.flux", ".flux/trace.ndjson"):
        refused = flux("import", trace)
        assert (refused.code, f"flux-tui {trace}" in refused.err) == (2, True)
    own = flux("import", ".flux/flux.db")
    assert (own.code, "is the store here" in own.err) == (2, True)
    (tmp_path / "notes.txt").write_text("nothing\n")
    assert "expected a store of Flux" in flux("import", "notes.txt").err
    assert flux("import", "nowhere.db").code == 2
    assert not (tmp_path / "other.db").exists()


def test_the_runs_of_a_store_are_copied_into_another_one(flux, tmp_path):
    """Whole, with data and journal: a copy is shown, and sent on, as the run it is of."""

    def order(ctx):
        ctx.data.order = {"lines": ["x" * 70_000]}

    flow = create_workflow("one").step("order", order)
    made_runs(tmp_path, lambda engine, _: engine.execute(flow, run_id="abc"))
    copied = flux("import", ".flux/flux.db", "--db", "other.db", "--json")
    assert (copied.code, copied.json["imported"], copied.json["problems"]) == (0, ["abc"], [])
    there = flux("runs", "show", "abc", "--json", "--db", "other.db").json
    assert there == flux("runs", "show", "abc", "--json").json
    assert flux("import", ".flux/flux.db", "--db", "other.db", "--json").json["skipped"] == ["abc"]


def test_a_run_in_somebodys_hands_is_not_copied(flux, tmp_path):
    """Two stores would go on with it."""
    made_runs(tmp_path, lambda engine, _: engine.execute(FLOW, run_id="abc"))
    owner = this_owner().encode()
    with closing(sqlite3.connect(tmp_path / ".flux/flux.db")) as store:
        store.execute("UPDATE runs SET status = 'running', owner = ?", (owner,))
        store.commit()
    left = flux("import", ".flux/flux.db", "--db", "other.db", "--json")
    assert (left.code, left.json["imported"]) == (1, [])
    assert "in the hands of process" in left.json["problems"][0]["reason"]
