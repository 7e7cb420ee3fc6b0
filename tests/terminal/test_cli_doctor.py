"""``flux doctor``: it finds what is wrong, says what to do, and changes nothing."""

import os
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from commands_here import Here, commands_here, made_runs

from flux_engine import create_workflow
from flux_tui.address import StoreAddress
from flux_tui.doctor import State
from flux_tui.doctor.configuration import check_configuration, check_keymap
from flux_tui.doctor.owners import check_owners
from flux_tui.doctor.store import check_store
from flux_tui.doctor.terminal import check_terminal
from flux_tui.doctor.trace import check_trace
from flux_tui.settings import load_settings

FLOW = create_workflow("one").step("work", lambda ctx: None)


@pytest.fixture
def db(tmp_path) -> Path:
    """The store of a project with one run; beside it is its trace."""
    made_runs(tmp_path, lambda engine, _: engine.execute(FLOW, run_id="abc"))
    return tmp_path / ".flux" / "flux.db"


def found(checks, state: State) -> str:
    """Return what was found in a state, with the advice."""
    return "\n".join(f"{check.text} → {check.advice}" for check in checks if check.state is state)


def test_a_healthy_project_is_told_to_be_well(tmp_path, db, monkeypatch, capfd):
    """Every part is looked at, and nothing is changed by that."""
    (tmp_path / "shop.py").write_text(
        "from flux_engine import create_workflow\nshop = create_workflow('shop').step('a', print)\n"
    )
    monkeypatch.setenv("EDITOR", "true")
    flux: Here = commands_here(tmp_path, monkeypatch, capfd)
    before = {path: path.read_bytes() for path in (db, db.with_name("trace.ndjson"))}
    done = flux("doctor", "--json")
    checks = done.json["checks"]
    assert (done.code, done.json["ok"]) == (0, True)
    assert [check for check in checks if check["state"] != "good"] == []
    areas = ("versions", "settings", "store", "runs", "trace", "modules", "terminal")
    assert tuple(dict.fromkeys(check["area"] for check in checks)) == areas
    assert {path: path.read_bytes() for path in before} == before
    assert "shop.py: shop" in flux("doctor").out


def test_modules_and_settings_that_are_wrong_make_the_exit_code_1(tmp_path, monkeypatch, capfd):
    """A module that ends its process is named; the rest is looked at although the settings are broken."""
    (tmp_path / "dies.py").write_text("import flux_engine, os\nos._exit(4)\n")
    (tmp_path / "flux.toml").write_text("themme = 1\n")
    flux: Here = commands_here(tmp_path, monkeypatch, capfd)
    done = flux("doctor")
    assert done.code == 1
    for text in (
        "Did you mean 'theme'?",
        "importing dies.py ends its process (exit code 4)",
        "is not there yet",
    ):
        assert text in done.out
    assert "2 that must be put right" in done.err
    assert not (tmp_path / ".flux").exists()


def test_a_store_that_is_damaged_or_of_another_kind_is_told(tmp_path, db):
    """Each with what to do: others' eyes, an unknown schema, another program's file, no database."""
    db.chmod(0o644)
    assert f"chmod 600 {db}" in found(check_store(db), State.WARNING)
    with closing(sqlite3.connect(db)) as store:
        store.execute("PRAGMA user_version = 99")
    assert "schema version 99" in found(check_store(db), State.BAD)
    with closing(sqlite3.connect(tmp_path / "other.db")) as store:
        store.execute("CREATE TABLE t (a)")
    assert "another program" in found(check_store(tmp_path / "other.db"), State.BAD)
    (tmp_path / "none.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    assert "cannot be read" in found(check_store(tmp_path / "none.db"), State.BAD)


def test_damage_inside_of_a_store_is_found(db):
    """By the check of SQLite itself."""
    with closing(sqlite3.connect(db)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = store.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs_of_status'").fetchone()
        (size,) = store.execute("PRAGMA page_size").fetchone()
    with db.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert "damaged" in found(check_store(db), State.BAD)


def test_runs_that_were_left_behind_are_counted(db):
    """They can be gone on with; those in hand are named with their process."""
    assert "none is under way" in found(check_owners(StoreAddress(file=db)), State.GOOD)
    with closing(sqlite3.connect(db)) as store:
        store.execute("UPDATE runs SET status = 'running', owner = NULL")
        store.commit()
    assert "1 interrupted" in found(check_owners(StoreAddress(file=db)), State.WARNING)
    assert "flux runs recover" in found(check_owners(StoreAddress(file=db)), State.WARNING)


def test_a_trace_with_bad_lines_at_its_end_is_told(tmp_path, db):
    """How many they are, and a last line that is not finished."""
    trace = db.with_name("trace.ndjson")
    assert "last 4 lines are all events" in found(check_trace(trace), State.GOOD)
    with trace.open("a") as file:
        file.write("garbage\n{")
    told = found(check_trace(trace), State.WARNING)
    assert "1 of its last 5 lines are no events" in told
    assert "'garbage'" in told
    assert "not finished" in told
    assert "cannot be read" in found(check_trace(tmp_path), State.BAD)


def test_clashes_of_the_keymap_are_told(tmp_path):
    """With the place where the keymap stands."""
    (tmp_path / "flux.toml").write_text('[keymap]\nrun = "t"\n')
    settings = load_settings(tmp_path, {}, {})
    assert "flux.toml [keymap]" in found(check_keymap(settings, {}), State.WARNING)
    assert "flux.toml: keymap" in found(check_configuration(tmp_path, {}), State.GOOD)
    assert found(check_configuration(tmp_path, {"FLUX_ASCII": "maybe"}), State.BAD).startswith("FLUX_ASCII")


class Screen(StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_what_the_terminal_lacks_is_told():
    """Colours, an editor that is not there, an encoding that cannot show Unicode."""
    environ = {"TERM": "xterm", "PATH": os.defpath}
    told = found(check_terminal(Screen(), environ, editor_setting="no-such-editor -w"), State.WARNING)
    assert "16 colours" in told
    assert "'no-such-editor' is not found" in told
    assert "256 colours" in found(
        check_terminal(Screen(), {"TERM": "xterm-256color"}, editor_setting=None), State.GOOD
    )
