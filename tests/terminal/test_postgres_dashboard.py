"""The dashboard on a store of a Postgres server: live, across its absence, and silent about its password."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer, start_postgres
from pty_terminal import FIXED, PARCEL, Terminal

from flux_engine import FluxEngine, PostgresStorage, create_workflow
from flux_tui.address import StoreAddress
from flux_tui.desk import Desk
from flux_tui.settings import Settings

WORD = "clerk-pw-4711"
DRIVER = """
import asyncio, os, pathlib, sys
import flux_engine.running.ownership as ownership
ownership.this_host = lambda: "host-b"
from flux_engine import FluxEngine, PostgresStorage, create_workflow

async def freed(name):
    while not pathlib.Path(name).exists():
        await asyncio.sleep(0.01)

async def load(ctx):
    ctx.data.pallets = 3
    print("printed on host-b")
    await freed("load")

async def drive(ctx):
    await freed("drive")

async def main():
    haul = create_workflow("haul").step("load", load).step("drive", drive)
    async with FluxEngine(storage=PostgresStorage(os.environ["STORE"])) as engine:
        await engine.execute(haul, run_id="remote-1")

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server to stop and start."""
    with start_postgres() as server:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE clerk LOGIN SUPERUSER PASSWORD '{WORD}'")
        yield server


@pytest.fixture
def dsn(server: PostgresServer) -> Iterator[str]:
    """The store in an empty database, with the password in its address."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
    yield server.dsn.replace("flux@", f"clerk:{WORD}@").replace("/postgres", "/shop")
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE shop WITH (FORCE)")


def test_a_run_of_another_host_moves_on_the_screen_and_one_is_mended_here(
    tmp_path: Path, server: PostgresServer, dsn: str
) -> None:
    """Two hosts share the database and nothing else; in between the server is stopped and started."""
    (tmp_path / "shop.py").write_text(PARCEL)
    away = tmp_path / "host-b"
    away.mkdir()
    terminal = Terminal(tmp_path, environ={"FLUX_DB": dsn})
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=away, env={"STORE": dsn}, stdout=subprocess.DEVNULL
    )
    try:
        terminal.sees("● ready", "haul")
        terminal.press("2g")
        terminal.sees("on host-b at load", "○ drive")
        terminal.press("L")
        terminal.sees("in the trace of host-b")
        (away / "load").touch()
        terminal.sees("on host-b at drive", "✔ load")
        (away / "drive").touch()
        terminal.sees("✔ drive", "✔ completed")
        mend(terminal, tmp_path)
        server.stop()
        terminal.sees("cannot be reached", "✔ completed")
        server.start()
        terminal.wait_for(lambda text: "● ready" in text and "cannot" not in text, "the store is back")
        assert not leaks(terminal, tmp_path)
    finally:
        driver.kill()
        terminal.close()


def mend(terminal: Terminal, folder: Path) -> None:
    """Run a workflow that fails, correct it, and have the run go on from the step that failed."""
    terminal.press("1")
    terminal.wait_for(lambda text: "○ pack" in text or terminal.press("j"), "the workflow")
    terminal.press("r")
    terminal.sees("Run parcel")
    terminal.press("\x13")
    terminal.sees("✖ failed at pack", "the box is too small")
    (folder / "shop.py").write_text(FIXED)
    terminal.sees("reloaded shop.py")
    terminal.press("t")
    terminal.sees("✔ completed", "✔ ship")


def leaks(terminal: Terminal, folder: Path) -> list[str]:
    """Return where the password is: on the screen, in a file, or in the arguments of a process."""
    found = ["screen"] if WORD.encode() in terminal.written else []
    places = (*(path for path in folder.rglob("*") if path.is_file()), *Path("/proc").glob("[0-9]*/cmdline"))
    for path in places:
        with contextlib.suppress(OSError):  # a process that has ended meanwhile
            found += [str(path)] if WORD.encode() in path.read_bytes() else []
    return found


async def test_what_another_process_writes_is_told_within_a_moment(tmp_path: Path, dsn: str) -> None:
    """From the write to the screen's notice: 95 of 100 within 300 ms, on an idle dashboard too."""
    flow = create_workflow("haul").step("load", lambda ctx: None)
    desk = Desk(
        Settings(project=tmp_path, db=StoreAddress.of(dsn), trace=tmp_path / "own.ndjson").anchored(),
        [tmp_path / "none"],
        read_only=True,
    )
    async with FluxEngine(storage=PostgresStorage(dsn)) as engine:
        await engine.execute(flow, run_id="first")
        follower = asyncio.create_task(desk._follow_store(desk._store))
        taken = []
        for number in range(20):
            run_id = f"run-{number}"
            await engine.execute(flow, run_id=run_id)
            written = time.monotonic()
            while (row := desk.runs.get(run_id)) is None or row.status != "completed":
                assert time.monotonic() < written + 10
                await asyncio.sleep(0.005)
            taken.append(time.monotonic() - written)
        follower.cancel()
        await desk._store.close()
    assert sorted(taken)[18] < 0.3
