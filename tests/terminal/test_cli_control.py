"""The commands that reach into runs: signal, cancel, pause, fork, delete."""

import json
import signal
import time

import pytest
from forked_flux import flux, flux_afresh
from test_cli import started

CLAIM = """
from pathlib import Path
import asyncio
from flux_engine import create_workflow, wait

def ask(ctx):
    ctx.data.asked = True
    return wait("approval", timeout=3600)

def pay(ctx):
    ctx.data.paid = ctx.outputs["ask"]["amount"]

claim_flow = create_workflow("claim").step("ask", ask).commit("pay", pay)

async def slow(ctx):
    Path("started").touch()
    while not Path("go").exists():
        await asyncio.sleep(0.01)

slow_flow = create_workflow("slow").step("slow", slow)
for name in ("b", "c", "d"):
    slow_flow = slow_flow.step(name, lambda ctx: None)
"""


@pytest.fixture
def claims(tmp_path):
    """A project folder with a workflow that waits."""
    (tmp_path / "claim.py").write_text(CLAIM, encoding="utf-8")
    return tmp_path


def claim(folder, run_id="c1"):
    """Run the workflow until it waits."""
    return flux(folder, "run", "claim.py:claim_flow", "--run-id", run_id)


def test_a_run_that_waits_names_the_command_that_sends_the_signal(claims):
    """It has done no wrong: the exit code is 0, and the command works as it is printed."""
    waiting = claim(claims)
    assert waiting.returncode == 0
    assert "suspended" in waiting.stderr
    assert "ask waits for approval until 20" in waiting.stderr
    command = waiting.stderr.strip().rpartition(": flux ")[2].split()
    assert command == ["runs", "signal", "c1", "approval", "--target", "claim.py:claim_flow"]
    sent = flux_afresh(claims, *command, "--payload", '{"amount": 7}')
    assert sent.returncode == 0
    assert json.loads(sent.stdout) == {"asked": True, "paid": 7}


def test_a_signal_to_a_workflow_that_has_changed_names_the_option_that_sends_it(claims):
    """The words are those of the command line; the run waits until it is sent all the same."""
    claim(claims)
    changed = CLAIM.replace('.step("ask", ask)', '.step("check", lambda ctx: None).step("ask", ask)')
    (claims / "claim.py").write_text(changed, encoding="utf-8")
    sending = ("runs", "signal", "c1", "approval", "--target", "claim.py:claim_flow", "--payload")
    refused = flux_afresh(claims, *sending, '{"amount": 7}')
    assert refused.returncode == 2
    assert "(added: check)" in refused.stderr
    assert "--allow-changed" in refused.stderr
    assert "allow_changed=" not in refused.stderr
    sent = flux_afresh(claims, *sending, '{"amount": 7}', "--allow-changed")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["paid"] == 7


def test_json_says_suspended_and_what_is_waited_for(claims):
    """A program knows from the status that the run is not done."""
    done = flux(claims, "run", "claim.py:claim_flow", "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"]) == (0, "suspended")
    assert result["history"][0]["waits_for"]["signal"] == "approval"
    shown = flux(claims, "runs", "show", result["id"][:8])
    assert "waits for approval until" in shown.stdout


def test_a_signal_takes_a_payload_from_standard_input_and_a_short_id(claims):
    """The manners are those of retry."""
    claim(claims)
    sent = flux(claims, "runs", "signal", "c", "approval", "--payload", "-", "--json", stdin='{"amount": 3}')
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["data"]["paid"] == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("c1", "other"), "waits for signal 'approval'"),
        (("c1", "approval", "--payload", "{"), "is not JSON"),
        (("none", "approval"), "no run has an id"),
    ],
)
def test_a_signal_that_cannot_be_sent_says_why(claims, arguments, reason):
    """Nothing is done, and the exit code is that of bad use."""
    claim(claims)
    refused = flux(claims, "runs", "signal", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert reason in refused.stderr


def test_a_payload_that_makes_the_next_step_fail_is_a_failed_run(claims):
    """The signal was delivered; the run failed then."""
    claim(claims)
    sent = flux(claims, "runs", "signal", "c1", "approval")
    assert sent.returncode == 1
    assert "flux runs retry c1" in sent.stderr


def test_a_suspended_run_is_cancelled_once(claims):
    """The second time there is nothing to cancel."""
    claim(claims)
    done = flux(claims, "runs", "cancel", "c", "--json")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "cancelled")
    again = flux(claims, "runs", "cancel", "c1")
    assert again.returncode == 2
    assert "cancelled" in again.stderr
    paused = flux(claims, "runs", "pause", "c1")
    assert paused.returncode == 2


def test_a_run_of_another_process_is_asked_to_pause(claims):
    """It stops at a step boundary after its process has heard of it, and can be resumed."""
    arguments = ["run", "claim.py:slow_flow", "--run-id", "s1"]
    with started(claims, *arguments, on_sigint=signal.SIG_DFL) as process:
        deadline = time.monotonic() + 30
        while not (claims / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        asked = flux_afresh(claims, "runs", "pause", "s1")
        assert asked.returncode == 0
        assert "another process, which was asked to stop it before its next step" in asked.stderr
        (claims / "go").touch()
        assert process.wait(30) == 0
    listed = json.loads(flux(claims, "runs", "list", "--json").stdout)
    assert listed[0]["status"] == "paused"
    resumed = flux(claims, "runs", "resume", "s1", "--json")
    assert json.loads(resumed.stdout)["status"] == "completed"


def test_a_fork_begins_at_a_step_of_another_run(claims):
    """The first run stays as it is."""
    claim(claims)
    flux(claims, "runs", "signal", "c1", "approval", "--payload", '{"amount": 1}')
    forked = flux(claims, "runs", "fork", "c1", "pay", "--data", '{"note": "again"}', "--json")
    assert forked.returncode == 0, forked.stderr
    result = json.loads(forked.stdout)
    assert result["id"] != "c1"
    assert result["data"] == {"asked": True, "note": "again", "paid": 1}
    assert "note" not in flux(claims, "runs", "show", "c1").stdout
    assert flux(claims, "runs", "fork", "c1", "nowhere").returncode == 2


def test_deleting_asks_or_takes_yes(claims):
    """Without a terminal there is nobody to ask."""
    claim(claims)
    refused = flux(claims, "runs", "delete", "c1")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    done = flux(claims, "runs", "delete", "c", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"deleted": "c1"})
    assert flux(claims, "runs", "show", "c1").returncode == 2
