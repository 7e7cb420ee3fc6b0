"""``flux import``: the runs of the ancestor, and what is none."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from commands_here import Here, commands_here, made_runs

from flux_engine import create_workflow, wait
from flux_engine.running.ownership import this_owner
from flux_engine.secrets import MASK

OLD = Path(__file__).parents[1] / "fixtures" / "gravito" / "gravito.db"
FLOW = create_workflow("one").step("work", lambda ctx: None)
WAITS = (
    create_workflow("waits")
    .step("note", lambda ctx: ctx.data.update({"token": "t0k3n"}))
    .step("ask", lambda ctx: wait("go"))
    .step("end", lambda ctx: None)
)


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
    elsewhere = flux("import", "old.db", "--db", "other.db").err
    assert "5 imported" in elsewhere
    assert elsewhere.strip().endswith("See them with: flux runs list --db other.db")


def test_what_cannot_become_a_run_is_refused_with_what_to_do(flux, tmp_path):
    """A trace, the store here itself, an exported run that is cut off, and files of other kinds."""
    made_runs(tmp_path, lambda engine, _: engine.execute(FLOW, run_id="abc"))
    refused = flux("import", ".flux/trace.ndjson")
    assert (refused.code, "flux-tui .flux/trace.ndjson" in refused.err) == (2, True)
    flux("export", "abc", "--out", "abc.flux")
    (tmp_path / "cut.flux").write_bytes((tmp_path / "abc.flux").read_bytes()[:-20])
    cut = flux("import", "cut.flux", "--db", "other.db")
    assert (cut.code, "damaged in line" in cut.err) == (2, True)
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


def test_an_exported_run_becomes_a_run_again(flux, tmp_path, monkeypatch):
    """With its history, and in the trace with what it told; once, unless it is to be replaced."""
    made_runs(tmp_path, lambda engine, _: engine.execute(WAITS, run_id="abc"))
    flux("export", "abc", "--out", "abc.flux", "--reveal")
    here = flux("runs", "show", "abc", "--json", "--reveal").json
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(there)
    done = flux("import", "../abc.flux", "--json")
    assert (done.code, done.json["imported"], done.json["problems"]) == (0, ["abc"], [])
    shown = flux("runs", "show", "abc", "--json", "--reveal").json
    assert (shown["status"], shown["data"]) == ("suspended", {"token": "t0k3n"})
    times = [(step["name"], step["status"], step["duration"]) for step in shown["history"]]
    assert times == [(step["name"], step["status"], step["duration"]) for step in here["history"]]
    told = (there / ".flux/trace.ndjson").read_bytes()
    assert flux("import", "../abc.flux", "--json").json["skipped"] == ["abc"]
    assert (there / ".flux/trace.ndjson").read_bytes() == told
    assert flux("import", "../abc.flux", "--overwrite", "--json").json["imported"] == ["abc"]
    stats = flux("trace", "stats", "--json").json
    assert stats["runs"] == 1
    again = flux("export", "abc", "--reveal", "--out", "-").out.splitlines()[1:]
    assert again == (tmp_path / "abc.flux").read_text().splitlines()[1:]


def test_a_masked_run_is_imported_to_be_looked_at(flux, tmp_path):
    """It says so at once, when it is to go on, and when it is exported again."""
    made_runs(tmp_path, lambda engine, _: engine.execute(WAITS, run_id="abc"))
    (tmp_path / "waits.py").write_text(
        "from flux_engine import create_workflow, wait\n"
        "flow = create_workflow('waits').step('note', print).step('ask', lambda ctx: wait('go'))\n"
        "flow.step('end', print)\n"
    )
    exported = flux("export", "abc", "--out", "abc.flux", "--json")
    assert (exported.json["exact"], "only to look at" in exported.err) == (False, True)
    done = flux("import", "abc.flux", "--db", "other.db", "--trace", "other.ndjson")
    assert (done.code, "can be looked at and does not go on" in done.err) == (0, True)
    assert flux("runs", "show", "abc", "--db", "other.db", "--json", "--reveal").json["data"] == {
        "token": MASK
    }
    assert "can be looked at" in flux("runs", "show", "abc", "--db", "other.db").out
    for act in (("signal", "abc", "go"), ("retry", "abc", "note"), ("fork", "abc", "ask")):
        refused = flux("runs", *act, "--db", "other.db", "--target", "waits.py")
        assert (refused.code, "flux export abc --reveal" in refused.err) == (2, True)
    for trace in ("other.ndjson", "none.ndjson"):
        flux("export", "abc", "--out", f"{trace}.flux", "--reveal", "--db", "other.db", "--trace", trace)
        assert "does not go on" in flux("import", f"{trace}.flux", "--db", f"{trace}.db", "--trace", "t").err


def test_a_run_that_only_a_store_knows_becomes_a_run_again(flux, tmp_path):
    """A fork too, of which no trace tells what it has from another run."""

    async def forked(engine, _):
        await engine.execute(WAITS, run_id="abc")
        await engine.signal(WAITS, "abc", "go", {"n": 1})
        await engine.fork(WAITS, "abc", "end", data={"more": 1})

    made_runs(tmp_path, forked)
    for run in flux("runs", "list", "--json").json:
        show = ("runs", "show", run["id"], "--json", "--reveal")
        own = flux(*show).json
        for name, trace in (("traced", ".flux/trace.ndjson"), ("stored", "none.ndjson")):
            flux("export", run["id"], "--out", f"{name}.flux", "--reveal", "--trace", trace, "--force")
            assert flux("import", f"{name}.flux", "--db", f"{name}.db", "--trace", "t").code == 0
            copy = flux(*show, "--db", f"{name}.db").json
            for key in ("status", "input", "data", "name"):
                assert copy[key] == own[key]
            for step, other in zip(copy["history"], own["history"], strict=True):
                for key in ("name", "status", "output", "changes", "edit", "attempts", "ordinal", "seen"):
                    assert (key, step[key]) == (key, other[key])


def test_an_export_has_what_the_store_knows_and_the_trace_does_not(flux, tmp_path):
    """A run that went on where this trace was not written."""
    made_runs(tmp_path, lambda engine, _: engine.execute(WAITS, run_id="abc"))

    async def gone_on(engine, clock):
        clock.advance(60)
        await engine.signal(WAITS, "abc", "go", 1)

    (tmp_path / ".flux/trace.ndjson").rename(tmp_path / "early.ndjson")
    made_runs(tmp_path, gone_on)
    (tmp_path / ".flux/trace.ndjson").unlink()
    flux("export", "abc", "--out", "abc.flux", "--reveal", "--trace", "early.ndjson")
    flux("import", "abc.flux", "--db", "other.db", "--trace", "t")
    assert flux("runs", "show", "abc", "--db", "other.db", "--json").json["status"] == "completed"


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
