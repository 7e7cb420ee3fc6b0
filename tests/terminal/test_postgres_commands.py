"""Every command on a store that is a schema of a Postgres server."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from commands_here import Here, commands_here
from test_cli_completion import context

from flux_tui.address import StoreAddress
from flux_tui.cli.completion import complete_run, complete_step, complete_workflow
from flux_tui.mcp.workshop import Workshop
from flux_tui.settings import load_settings

ROLE = f"clerk_{os.getpid()}"
WORD = "clerk-pw-4711"
SHOP = """
from flux_engine import create_workflow, wait

def pick(ctx):
    ctx.data.shelf = ctx.input.get("shelf", "A7")

def pack(ctx):
    if ctx.input.get("fails"):
        raise ValueError("no tape")
    ctx.data.packed = True

parcel = create_workflow("parcel").step("pick", pick).step("pack", pack)
letter = create_workflow("letter").step("approval", lambda ctx: wait("approval")).step("pack", pack)
"""


@pytest.fixture
def address(postgres_dsn) -> StoreAddress:
    """The store, in a schema of its own, by a user with a password."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
        connection.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD '{WORD}'")
    server = StoreAddress.of(postgres_dsn)
    host = server.dsn.rpartition("@")[2]
    return StoreAddress.of(f"postgresql://{ROLE}:{WORD}@{host}?schema=shop")


@pytest.fixture
def flux(tmp_path, monkeypatch, capfd, address) -> Iterator[Here]:
    """A project whose store is on the server, as its environment says. Its module is imported here."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "freight.py").write_text(SHOP)
    monkeypatch.setenv("FLUX_DB", str(address))
    monkeypatch.setenv("FLUX_DB_PASSWORD", WORD)
    yield commands_here(tmp_path, monkeypatch, capfd)
    sys.modules.pop("freight", None)


def test_each_command_does_on_a_server_what_it_does_on_a_file(flux, tmp_path, address):
    """From the first run to the last deletion; and nothing that is written has the password."""
    said = []

    def ok(*arguments: str, code: int = 0):
        done = flux(*arguments)
        said.append(done.out + done.err)
        assert done.code == code, f"{arguments}: {done}"
        return done

    assert f"no runs in postgresql://{ROLE}@" in ok("runs", "list").err
    made = ok("run", "freight.py:parcel", "--input", "{}", "--run-id", "good", "--json")
    assert made.json["status"] == "completed"
    ok("run", "freight.py:parcel", "--input", '{"fails": true}', "--run-id", "bad", code=1)
    ok("run", "freight.py:letter", "--input", "{}", "--run-id", "waiting")
    ok("run", "freight.py:parcel", "--input", "{}", "--run-id", "stopped", "--break", "pack")
    statuses = {run["id"]: run["status"] for run in ok("runs", "list", "--json").json}
    assert statuses == {"good": "completed", "bad": "failed", "waiting": "suspended", "stopped": "paused"}
    assert ok("runs", "show", "bad", "--json").json["data"] == {"shelf": "A7"}
    assert "no tape" in ok("runs", "show", "bad").out
    assert ok("runs", "signal", "waiting", "approval", "--json").json["status"] == "completed"
    assert ok("runs", "resume", "stopped", "--json").json["status"] == "completed"
    ok("runs", "retry", "bad", "--yes", code=1)
    assert ok("runs", "fork", "good", "pack", "--json").json["status"] == "completed"
    assert "no tape" in ok("runs", "compare", "good", "bad").out
    ok("runs", "test", "good", "pick")
    assert ok("replay", "good", "--json").json["ok"] is True
    ok("runs", "recover")
    ok("run", "freight.py:letter", "--input", "{}", "--run-id", "unwanted")
    ok("runs", "cancel", "unwanted")
    assert ok("runs", "show", "unwanted", "--json").json["status"] == "cancelled"
    ok("export", "bad", "--out", "bad.flux")
    assert "6 imported" in ok("import", str(address), "--db", "copy.db").err
    assert len(ok("runs", "list", "--db", "copy.db", "--json").json) == 6
    ok("runs", "delete", "unwanted", "--yes")
    assert "1 imported" in ok("import", "copy.db").err
    assert ok("prune", "--older-than", "0s", "--yes", "--vacuum", "--json").json["bytes_freed"] is not None
    assert ok("runs", "list", "--json").json == []
    assert ok("import", "bad.flux", "--json").json["imported"] == ["bad"]
    assert ok("runs", "show", "bad", "--json").json["status"] == "failed"
    ok("runs", "delete", "bad", "--yes")
    found = ok("doctor", "--json").json["checks"]
    told = "\n".join(check["text"] for check in found)
    for part in ("PostgreSQL", "schema shop: 0 runs", "schema version 1", "differ by", "none is under way"):
        assert part in told
    assert ok("config", "show", "db", "--json").json["db"]["value"] == address.masked
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in said if WORD in text]
    assert not [text for text in written if WORD.encode() in text]


def test_the_shell_completes_from_a_server_and_never_waits_for_one(flux, monkeypatch):
    """Runs, workflows and steps; of a server that does not answer, nothing, in a fifth of a second."""
    flux("run", "freight.py:parcel", "--input", "{}", "--run-id", "good")
    within_a_second(lambda: complete_run(context(), "g") == [("good", "completed parcel")])
    within_a_second(lambda: complete_workflow(context(), "pa") == ["parcel"])
    within_a_second(lambda: complete_step(context(run="goo"), "p") == ["pick", "pack"])
    monkeypatch.setenv("FLUX_DB", "postgresql://clerk@192.0.2.1/nowhere")  # RFC 5737: nobody answers there
    started = time.monotonic()
    assert complete_run(context(), "g") == []
    assert time.monotonic() - started < 0.6


def within_a_second(condition) -> None:
    """Ask again while the machine is busy: the time a completion takes is limited."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end


@pytest.mark.usefixtures("flux")
async def test_a_server_for_assistants_reads_and_runs_on_a_server(tmp_path: Path):
    """The workshop of ``flux mcp``: its runner is told the store through its pipe."""
    settings = load_settings(tmp_path, {})
    async with Workshop(settings, [tmp_path]) as workshop:
        loaded = await workshop.modules()
        assert {flow.name for module in loaded.modules for flow in module.workflows} == {"parcel", "letter"}
        run_id = await workshop.pool.run("parcel", {})
        await workshop.ended(run_id, 20)
        state = await workshop.run_of(run_id)
        assert state.status == "completed"


def test_a_server_that_is_not_there_is_told_by_every_command(flux, monkeypatch):
    """With the address, without its password, and with what to do."""
    monkeypatch.setenv("FLUX_DB", "postgresql://clerk@127.0.0.1:1/nowhere")
    for command in (("runs", "list"), ("run", "freight.py:parcel"), ("runs", "show", "x"), ("doctor",)):
        done = flux(*command)
        assert done.code in (1, 2)
        assert "127.0.0.1" in done.out + done.err
        assert WORD not in done.out + done.err
        assert "Traceback" not in done.err
    assert json.loads(flux("doctor", "--json").out)["ok"] is False


def test_a_password_in_a_shared_file_is_warned_of(flux, tmp_path, monkeypatch, address):
    """The file goes where the code goes; the variables do not."""
    monkeypatch.delenv("FLUX_DB")
    monkeypatch.delenv("FLUX_DB_PASSWORD")
    (tmp_path / "pyproject.toml").write_text(f'[tool.flux]\ndb = "{address.to_text()}"\n')
    done = flux("doctor")
    assert "db has a password in it" in done.out
    assert WORD not in done.out + done.err
