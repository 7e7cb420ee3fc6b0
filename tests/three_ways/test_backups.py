"""Backups that are taken while runs move, by the commands of docs/deployment.md, and put back."""

import asyncio
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from parcels import parcel_flow
from places import ENDED, OPTIONS, on_engine
from postgres_server import dsn_of, find_postgres, fresh_database
from restate_server import RestateServer, find_restate, start_restate
from restate_service import Services

from flux_engine import PostgresStorage, SQLiteStorage

HEAVY = {"kilos": 30}


def run(*command):
    """Run a command, which has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


async def in_the_middle_of_writes(place, run_id, command):
    """Leave a run waiting, take the backup while others move, and let the run end; return how it ended."""
    await place.start(HEAVY, run_id)
    await place.until(run_id, "suspended")
    others = [f"{run_id}-{n}" for n in range(40)]
    for other in others:
        await place.start({}, other)
    await place.until(others[0], "running", *ENDED)
    await asyncio.to_thread(command)
    await place.signal(run_id, "approval", {"by": "ada"})
    for other in others:
        assert (await place.until(other, *ENDED)).status == "completed"
    return await place.until(run_id, "completed")


async def goes_on_from_then(place, run_id, original):
    """The run waits as it did when the backup was taken; what it does again it does with the same key."""
    assert (await place.until(run_id, "suspended")).step("approve").waits_for.signal == "approval"
    await place.signal(run_id, "approval", {"by": "ada"})
    restored = await place.until(run_id, "completed")
    assert restored.data == original.data
    assert restored.data["booking"]["key"] == f"{run_id}:book"


@pytest.mark.parametrize("how", [".backup", "VACUUM INTO", "backup()"])
async def test_a_copy_of_a_sqlite_store(tmp_path, run_id, how):
    """By the program of SQLite, as SQL, and from Python."""
    path, copy = tmp_path / "flux.db", tmp_path / "copy.db"
    program = shutil.which("sqlite3")
    if how != "backup()" and program is None:
        pytest.skip("the program sqlite3 is not here: apt-get install sqlite3")

    def back_up():
        if how == "backup()":
            sqlite3.connect(path).backup(sqlite3.connect(copy))
        else:
            run(program, path, f"{how} '{copy}'")

    async with on_engine(SQLiteStorage(path), parcel_flow, tmp_path) as place:
        original = await in_the_middle_of_writes(place, run_id, back_up)
    assert sqlite3.connect(copy).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    async with on_engine(SQLiteStorage(copy), parcel_flow, tmp_path) as place:
        await goes_on_from_then(place, run_id, original)


async def test_a_dump_of_a_postgres_store(postgres_server, postgres_dsn, tmp_path, run_id):
    """``pg_dump`` of the schema, ``pg_restore`` into another database."""
    folder = find_postgres()
    if folder is None or not (folder / "pg_dump").exists():
        pytest.skip("pg_dump is not here: apt-get install postgresql")
    dump = tmp_path / "flux.dump"

    def back_up():
        run(folder / "pg_dump", "--schema=flux", "--format=custom", f"--file={dump}", postgres_dsn)

    async with on_engine(PostgresStorage(postgres_dsn), parcel_flow, tmp_path) as place:
        original = await in_the_middle_of_writes(place, run_id, back_up)
    with fresh_database(postgres_server) as other:
        run(folder / "pg_restore", "--exit-on-error", f"--dbname={dsn_of(other)}", dump)
        async with on_engine(PostgresStorage(other), parcel_flow, tmp_path) as place:
            await goes_on_from_then(place, run_id, original)


async def test_a_copy_of_the_data_of_a_stopped_restate_server(tmp_path, run_id):
    """Put back in its place, with the services where they were."""
    if find_restate() is None:
        with start_restate():
            pass  # skips, and says how to get it
    data, copy = tmp_path / "data", tmp_path / "copy"
    data.mkdir()
    server = RestateServer(find_restate(), data)
    server.start()
    try:
        async with Services(server, tmp_path) as services:
            await services.serve(parcel_flow, **OPTIONS)
            await services.client.start(parcel_flow.name, HEAVY, run_id=run_id)
            await services.until(run_id, "suspended")
            await asyncio.to_thread(server.stop)
            shutil.copytree(data, copy)
            await asyncio.to_thread(server.start)
            ended = []
            for round_ in range(2):
                await services.until(run_id, "suspended")
                await services.client.signal(run_id, "approval", {"by": "ada"})
                ended.append(await services.until(run_id, "completed"))
                if not round_:
                    await asyncio.to_thread(_put_back, server, copy)
            assert ended[0].data == ended[1].data
    finally:
        server.kill()


def _put_back(server: RestateServer, copy: Path) -> None:
    server.stop()
    shutil.rmtree(server.folder)
    shutil.copytree(copy, server.folder)
    server.start()
