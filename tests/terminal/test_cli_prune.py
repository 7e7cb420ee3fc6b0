"""``flux prune``: what it deletes, what it leaves alone, and that it asks."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from commands_here import Here, commands_here, made_runs

from flux_engine import create_workflow, wait
from flux_engine.running.ownership import this_owner


def fail(ctx):
    raise ValueError("no")


GOOD = create_workflow("good").step("work", lambda ctx: None)
BAD = create_workflow("bad").step("work", fail)
WAITING = create_workflow("waiting").step("approval", lambda ctx: wait("approval"))


@pytest.fixture
def flux(tmp_path, monkeypatch, capfd) -> Here:
    """A project with old runs in several states; the clock of its engine stands long ago."""

    async def make(engine, clock):
        for name, flow in (("g1", GOOD), ("g2", GOOD), ("b1", BAD), ("w1", WAITING)):
            await engine.execute(flow, run_id=name)

    made_runs(tmp_path, make)
    return commands_here(tmp_path, monkeypatch, capfd)


def ids(flux: Here) -> set[str]:
    """Return the runs that there are."""
    return {run["id"] for run in flux("runs", "list", "--json").json}


def test_a_dry_run_only_tells(flux):
    """How many of which workflow, in which state; nothing is deleted."""
    told = flux("prune", "--older-than", "1d", "--dry-run", "--json")
    assert told.code == 0
    assert told.json["by_workflow"] == {"bad": {"failed": 1}, "good": {"completed": 2}}
    assert (told.json["found"], told.json["deleted"]) == (3, [])
    assert "3 runs would be deleted" in told.err
    assert ids(flux) == {"g1", "g2", "b1", "w1"}


def test_runs_that_have_ended_are_deleted_and_others_stay(flux, tmp_path):
    """One that waits is deleted only when its status is named; the trace is told."""
    done = flux("prune", "--older-than", "1d", "--yes", "--json")
    assert (done.code, sorted(done.json["deleted"])) == (0, ["b1", "g1", "g2"])
    assert ids(flux) == {"w1"}
    assert (tmp_path / ".flux" / "trace.ndjson").read_text().count('"workflow:delete"') == 3
    assert flux("runs", "prune", "--older-than", "1d", "--status", "suspended", "--yes").code == 0
    assert ids(flux) == set()


def test_what_is_chosen_is_chosen_by_age_workflow_and_status(flux, tmp_path):
    """A run is as old as the last that happened to it."""
    with closing(sqlite3.connect(tmp_path / ".flux" / "flux.db")) as store:
        store.execute("UPDATE runs SET updated_at = ? WHERE id = 'g1'", [datetime.now(UTC).isoformat()])
        store.commit()
    chosen = flux("prune", "--older-than", "1d", "--workflow", "good", "--dry-run", "--json").json
    assert chosen["by_workflow"] == {"good": {"completed": 1}}
    chosen = flux("prune", "--older-than", "1d", "--status", "failed", "--dry-run", "--json").json
    assert chosen["by_workflow"] == {"bad": {"failed": 1}}
    wrong = flux("prune", "--older-than", "soon")
    assert (wrong.code, "30d" in wrong.err) == (2, True)


def test_nothing_is_deleted_without_asking(flux):
    """Where nobody can be asked, ``--yes`` is needed."""
    refused = flux("prune", "--older-than", "1d")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert len(ids(flux)) == 4


def test_a_run_in_hand_is_kept(flux, tmp_path):
    """Also when its status is asked for: its owner is alive."""
    with closing(sqlite3.connect(tmp_path / ".flux" / "flux.db")) as store:
        store.execute(
            "UPDATE runs SET status = 'running', owner = ? WHERE id = 'w1'", [this_owner().encode()]
        )
        store.commit()
    done = flux("prune", "--older-than", "1d", "--status", "running", "--yes", "--json")
    assert (done.code, done.json["deleted"], list(done.json["kept"])) == (0, [], ["w1"])


def test_the_room_is_given_back(flux, tmp_path):
    """``--vacuum`` makes the file smaller, and says by how much."""
    with closing(sqlite3.connect(tmp_path / ".flux" / "flux.db")) as store:
        store.execute("UPDATE definitions SET input = ? WHERE run_id = 'g1'", [f'"{"x" * 500_000}"'])
        store.commit()
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    done = flux("prune", "--older-than", "1d", "--yes", "--vacuum", "--json")
    assert done.json["bytes_freed"] > 400_000
    assert (tmp_path / ".flux" / "flux.db").stat().st_size < 200_000


def test_without_a_store_there_is_nothing_to_prune(tmp_path, monkeypatch, capfd):
    """Nor is one made."""
    flux = commands_here(tmp_path, monkeypatch, capfd)
    assert flux("prune", "--older-than", "1d", "--yes", "--vacuum").code == 0
    assert not (tmp_path / ".flux").exists()
