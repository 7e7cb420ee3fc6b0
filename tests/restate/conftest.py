"""What the tests of the Restate adapter share: services of its own for each test."""

import itertools
import os

import pytest
from restate_service import Services

_numbers = itertools.count(1)


@pytest.fixture
async def services(restate_server, tmp_path):
    """Serves workflows to the server."""
    async with Services(restate_server, tmp_path) as opened:
        yield opened


@pytest.fixture
def name():
    """A name for a workflow that no other test has."""
    return f"flow-{os.getpid()}-{next(_numbers)}"
