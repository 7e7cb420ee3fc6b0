"""Commands about one step, and replays of one workflow."""

import json
import subprocess
import sys

import pytest
from commands_here import Here, commands_here
from forked_flux import flux

SHOP = """
from flux_engine import create_workflow

def price(ctx):
    ctx.data.price = 12
    ctx.data.api_key = "do-not-tell"

def charge(ctx):
    raise ConnectionError("gateway returned 502")

shop = create_workflow("shop").step("price", price).step("charge", charge)
other = create_workflow("other").step("price", price)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project folder with a failed run of one workflow and a completed one of another."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    assert flux(folder, "run", "shop.py:shop", "--run-id", "s1").returncode == 1
    assert flux(folder, "run", "shop.py:other", "--run-id", "o1").returncode == 0
    return folder


@pytest.fixture
def here(shop, monkeypatch, capfd) -> Here:
    """The commands that import no user code, in this process."""
    return commands_here(shop, monkeypatch, capfd)


def test_a_step_is_shown_with_the_data_that_it_found(here):
    """Secrets are masked, and a step that there is not is told with those that there are."""
    shown = here("runs", "show", "s1", "--step", "charge", "--json").json
    assert (shown["status"], shown["data_before"]["price"]) == ("failed", 12)
    text = here("runs", "show", "s1", "--step", "charge").out
    for part in ("✖ charge  failed", "ConnectionError: gateway returned 502", "Data before", '"price": 12'):
        assert part in text
    assert "do-not-tell" not in text + json.dumps(shown)
    missing = here("runs", "show", "s1", "--step", "pay")
    assert (missing.code, "there are: price, charge" in missing.err) == (2, True)


def test_a_recorded_step_becomes_a_test(shop):
    """What is written runs the step, and fails as it did."""
    written = flux(shop, "runs", "test", "s1", "charge")
    assert written.returncode == 0, written.stderr
    (shop / "test_charge.py").write_text(written.stdout, encoding="utf-8")
    program = "import test_charge as test; test.test_charge_of_run_s1()"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=shop, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "ConnectionError: gateway returned 502" in ran.stderr


def test_two_runs_are_compared_as_json(here):
    """With what differs in each row, and no secrets."""
    compared = here("runs", "compare", "s1", "o1", "--json").json
    assert ([run["id"] for run in compared["runs"]], compared["same"]) == (["o1", "s1"], False)
    rows = {(row["kind"], row["name"]): row for row in compared["rows"]}
    assert rows["step", "charge"]["presence"] != rows["step", "price"]["presence"]
    assert rows["step", "price"]["differences"] == []
    assert "do-not-tell" not in json.dumps(compared)


def test_one_workflow_is_replayed_in_ci(shop, here):
    """Exit code 0 when all is as recorded; a name that there is not is bad use."""
    done = flux(shop, "replay", "--all", "--workflow", "other", "--json")
    assert (done.returncode, [report["run_id"] for report in json.loads(done.stdout)]) == (0, ["o1"])
    wrong = flux(shop, "replay", "--all", "--workflow", "nope")
    assert (wrong.returncode, "there is: other, shop" in wrong.stderr) == (2, True)
    assert here("replay", "o1", "--workflow", "other").code == 2
