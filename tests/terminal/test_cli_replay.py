"""The commands on several runs: replay, recover and delete."""

import json

import pytest
from forked_flux import flux, flux_afresh

SHOP = """
from flux_engine import create_workflow

def price(ctx):
    print("pricing")
    ctx.data.price = {price}

shop = create_workflow("shop").step("price", price).commit("charge", lambda ctx: None)
"""


@pytest.fixture
def shop(tmp_path):
    """A project folder with two runs of a workflow."""
    (tmp_path / "shop.py").write_text(SHOP.format(price=12), encoding="utf-8")
    for run_id in ("s1", "s2"):
        assert flux(tmp_path, "run", "shop.py:shop", "--run-id", run_id).returncode == 0
    return tmp_path


def test_replay_is_a_regression_test(shop):
    """It ends with 0 while the code does what it did, and with 1 when it no longer does."""
    written = (shop / ".flux" / "trace.ndjson").read_bytes()
    same = flux_afresh(shop, "replay", "--all")
    assert (same.returncode, same.stdout) == (0, "")
    assert "2 runs replayed, as recorded" in same.stderr
    (shop / "shop.py").write_text(SHOP.format(price=13), encoding="utf-8")
    other = flux(shop, "replay", "s1", "--json")
    assert other.returncode == 1
    report = json.loads(other.stdout)
    assert [(each["key"], each["recorded"], each["replayed"]) for each in report["steps"]] == [
        ("price", 12, 13)
    ]
    assert report["outcomes"] == {"price": "completed", "charge": "answered"}
    assert "data 'price': 12 → 13" in other.stderr
    assert flux(shop, "replay", "s1", "--ignore", "price").returncode == 0
    assert flux(shop, "replay").returncode == 2
    assert (shop / ".flux" / "trace.ndjson").read_bytes() == written


def test_several_runs_are_deleted_at_once(shop):
    """The trace is told, so that a dashboard forgets them too."""
    assert (
        flux(shop, "runs", "delete", "s1", "s2", "--yes", "--json").stdout.strip()
        == '{"deleted": ["s1", "s2"]}'
    )
    assert json.loads(flux(shop, "runs", "list", "--json").stdout) == []
    assert (shop / ".flux" / "trace.ndjson").read_text().count('"workflow:delete"') == 2
    assert flux(shop, "runs", "delete", "s1", "--yes").returncode == 2


SLOW = """
from pathlib import Path
import os
from flux_engine import create_workflow

def first(ctx):
    with Path("calls").open("a") as calls:
        calls.write("first ")

def second(ctx):
    if not Path("calm").exists():
        os._exit(9)

slow = create_workflow("slow").step("first", first).step("second", second)
"""


def test_interrupted_runs_go_on_together(shop):
    """Each from its first step that is not done; with none left there is nothing to do."""
    (shop / "slow.py").write_text(SLOW, encoding="utf-8")
    for run_id in ("i1", "i2"):
        assert flux(shop, "run", "slow.py:slow", "--run-id", run_id).returncode == 9
    assert len(listed(shop, "interrupted")) == 2
    (shop / "calm").touch()
    done = flux(shop, "runs", "recover", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"i1": "completed", "i2": "completed"})
    assert (shop / "calls").read_text() == "first first "
    again = flux(shop, "runs", "recover")
    assert (again.returncode, again.stderr.strip()) == (0, "no run is interrupted")
    assert (listed(shop, "interrupted"), len(listed(shop, "completed"))) == ([], 4)


def test_an_interrupted_run_whose_workflow_has_changed_is_left_with_what_to_do(shop):
    """Recovery takes no such run by itself; the command that does is named, and works."""
    (shop / "slow.py").write_text(SLOW, encoding="utf-8")
    assert flux(shop, "run", "slow.py:slow", "--run-id", "i1").returncode == 9
    (shop / "calm").touch()
    changed = SLOW.replace('("slow")', '("slow").step("check", lambda ctx: None)')
    (shop / "slow.py").write_text(changed, encoding="utf-8")
    left = flux(shop, "runs", "recover")
    assert left.returncode == 1
    assert "(added: check)" in left.stderr
    assert "--allow-changed" in left.stderr
    assert flux(shop, "runs", "resume", "i1", "--allow-changed").returncode == 0


def test_a_replay_of_nothing_says_so(shop):
    """It is no proof of anything."""
    assert flux(shop, "runs", "delete", "s1", "s2", "--yes").returncode == 0
    done = flux(shop, "replay", "--all")
    assert (done.returncode, done.stderr.strip()) == (
        0,
        "nothing was replayed: no run of these workflows has completed",
    )


def listed(shop, status):
    """Return the runs that are listed as standing like this."""
    return json.loads(flux(shop, "runs", "list", "--status", status, "--json").stdout)
