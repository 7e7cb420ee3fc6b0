"""A commit that writes through ``ctx.tx``, killed between every two statements of its run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("programs") / "transaction_crashing.py"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks processes to kill")


@pytest.fixture(scope="session", params=["async", "plain"])
def deaths(request, tmp_path_factory):
    """What became of one run for each statement that its process was killed at; the last one was not."""
    folder = tmp_path_factory.mktemp("deaths")
    command = [sys.executable, str(PROGRAM), request.param, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_statement_was_died_at(deaths):
    """The children died one statement later each time, until one came to its end."""
    assert {death["died"] for death in deaths[:-1]} == {-signal.SIGKILL}
    assert deaths[-1]["died"] == 0
    assert len(deaths) > 25


def test_rows_and_record_are_there_together_or_not_at_all(deaths):
    """What a killed process leaves has the row, the table it made and the record, or nothing of these."""
    for death in deaths:
        left = death["left"]
        assert left["receipts"] == left["completed"]
        assert left["visits"] == len(left["receipts"])
    lefts = [death["left"]["receipts"] for death in deaths]
    assert [] in lefts[:-1], "some died before the transaction was committed"
    assert [[1]] in lefts[:-1], "and some after"


def test_after_the_resumption_there_is_one_row_and_one_result(deaths):
    """Whenever the process died, another one completes the run, and the commit is done exactly once."""
    for death in deaths:
        found = death["found"]
        assert death["resumed"] == 0
        assert found["runs"] == [["completed"]]
        assert len(found["completed"]) == 1
        assert found["receipts"] == found["completed"]
        assert found["visits"] == 1
        assert found["check"] == "ok"
