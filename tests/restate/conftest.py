"""What the tests of the Restate adapter share: one server, and services of its own for each test."""

import itertools
import os

import pytest
from restate_server import start_restate
from restate_service import Services

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def restate_server():
    """A running Restate server, one for each worker that has tests of it."""
    with start_restate() as server:
        yield server


@pytest.fixture
async def services(restate_server, tmp_path):
    """Serves workflows to the server."""
    async with Services(restate_server, tmp_path) as opened:
        yield opened


@pytest.fixture
def name():
    """A name for a workflow that no other test has."""
    return f"flow-{os.getpid()}-{next(_numbers)}"
