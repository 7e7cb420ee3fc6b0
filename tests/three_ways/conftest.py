"""The three places; each is skipped where its server is not."""

import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "restate"), str(ROOT / "examples" / "three_ways")]

from parcels import parcel_flow  # noqa: E402 - after the path to it
from places import OPTIONS, OnRestate, on_engine  # noqa: E402 - as above
from restate_service import Services  # noqa: E402 - as above

from flux_engine import PostgresStorage, SQLiteStorage  # noqa: E402 - as above


@pytest.fixture
def place_named(request, tmp_path):
    """Opens a place by its name, with the workflow of the example."""

    @asynccontextmanager
    async def opened(name):
        folder = tmp_path / name
        folder.mkdir()
        if name == "restate":
            async with Services(request.getfixturevalue("restate_server"), folder) as services:
                await services.serve(parcel_flow, **OPTIONS)
                yield OnRestate(services, parcel_flow)
            return
        storage = (
            SQLiteStorage(folder / "flux.db")
            if name == "sqlite"
            else PostgresStorage(request.getfixturevalue("postgres_dsn"))
        )
        async with on_engine(storage, parcel_flow, folder) as place:
            yield place

    return opened


@pytest.fixture
def run_id(request):
    """An id that no other test has."""
    return f"{os.getpid()}-{abs(hash(request.node.nodeid)):x}"
