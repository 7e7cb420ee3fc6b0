"""The commands, as a shell sees them: exit codes, standard output, standard error."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import time

import pyte
import pytest
from forked_flux import FLUX, flux, flux_afresh

SHOP = '''
import asyncio, os, sys
from pathlib import Path
from pydantic import BaseModel
from flux_engine import create_workflow

print("shop is imported")

class Order(BaseModel):
    order_id: str
    quantity: int = 1

def validate(ctx):
    """Look whether the order can be filled."""
    print("printed by validate")
    os.system("echo printed by a subprocess")
    ctx.data.total = ctx.input.quantity * 10

async def ship(ctx):
    ctx.data.shipped = Path("parcel")

async def pay(ctx):
    if not Path("paid").exists():
        raise ConnectionError("gateway returned 502")
    ctx.data.paid = ctx.data.total

order_flow = (
    create_workflow("shop")
    .input(Order)
    .step("validate", validate)
    .commit("ship", ship)
    .step("pay", pay)
)

async def forever(ctx):
    Path("started").touch()
    while not Path("stop").exists():
        await asyncio.sleep(0.01)

slow_flow = create_workflow("slow").step("first", lambda ctx: None).step("forever", forever)
'''


@pytest.fixture
def shop(tmp_path):
    """A project folder with one workflow module."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    return tmp_path


@contextlib.contextmanager
def started(folder, *arguments, on_sigint):
    """Start ``flux`` as a shell does, in the foreground or, with ``SIG_IGN``, in the background."""
    process = subprocess.Popen(
        [FLUX, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, on_sigint),  # noqa: PLW1509 - a single call
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def order(folder, *options, run_id="r1", by=flux):
    """Run the order workflow with good input."""
    arguments = ["run", "shop.py:order_flow", "--input", '{"order_id": "1"}', "--run-id", run_id]
    return by(folder, *arguments, *options)


def test_a_completed_run_gives_its_data_on_standard_output(shop):
    """Standard output is the data as JSON and nothing else, whatever the handlers print."""
    (shop / "paid").touch()
    done = order(shop, by=flux_afresh)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"total": 10, "shipped": "parcel", "paid": 10}
    for text in ("printed by validate", "printed by a subprocess", "shop is imported", "completed"):
        assert text in done.stderr


def test_progress_names_every_step(shop):
    """Without a terminal there is a line for each step, free of control characters."""
    (shop / "paid").touch()
    told = order(shop).stderr
    assert [name for name in ("validate", "ship", "pay") if f"✔ {name}" in told] == [
        "validate",
        "ship",
        "pay",
    ]
    assert "\x1b" not in told


def test_a_failed_run_tells_where_and_how_to_go_on(shop):
    """Exit code 1, the error with the user's line of code, and a command that works as printed."""
    failed = order(shop, by=flux_afresh)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "ConnectionError: gateway returned 502" in failed.stderr
    assert 'raise ConnectionError("gateway returned 502")' in failed.stderr
    assert "shop.py:" in failed.stderr
    command = next(line for line in failed.stderr.splitlines() if "flux runs retry r1" in line)
    (shop / "paid").touch()
    again = flux_afresh(shop, *command.partition("flux ")[2].split())
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["paid"] == 10


def test_json_is_the_whole_result(shop):
    """``--json`` has status, id, data, history, error and duration, also of a failed run."""
    failed = order(shop, "--json")
    result = json.loads(failed.stdout)
    assert failed.returncode == 1
    assert (result["status"], result["id"]) == ("failed", "r1")
    assert result["error"]["message"] == "gateway returned 502"
    assert [step["name"] for step in result["history"]] == ["validate", "ship", "pay"]
    assert result["duration"] > 0


def test_input_comes_from_a_file_or_from_standard_input(shop):
    """``@file`` and ``-`` stand for where the JSON is."""
    (shop / "paid").touch()
    (shop / "order.json").write_text('{"order_id": "7", "quantity": 3}', encoding="utf-8")
    from_file = flux(shop, "run", "shop.py:order_flow", "--input", "@order.json")
    from_stdin = flux_afresh(
        shop, "run", "shop.py:order_flow", "--input", "-", stdin='{"order_id": "7", "quantity": 4}'
    )
    assert json.loads(from_file.stdout)["total"] == 30
    assert json.loads(from_stdin.stdout)["total"] == 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop.py:order_flow", "--input", '{"order_id":\n x}'], ["--input", "line 2, column 2"]),
        (["shop.py:order_flow", "--input", "@none.json"], ["none.json", "No such file"]),
        (
            ["shop.py:order_flow", "--input", '{"quantity": "x"}'],
            ["order_id", "quantity"],
        ),
        (["shop.py:order_flow"], ["order_id: Field required"]),
        (["shop.py:other"], ["order_flow", "slow_flow"]),
        (["shop.py"], ["order_flow", "slow_flow"]),
        (["sop.py:order_flow"], ["sop.py", "shop.py"]),
        (["shop.py:order_flow", "--retries", "-1"], ["--retries"]),
    ],
)
def test_bad_use_ends_with_2_and_says_what_fits(shop, arguments, said):
    """Nothing was run, the message names what was found and what there is, and there is no traceback."""
    done = flux(shop, "run", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert [text for text in said if text not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_a_module_that_does_not_load_is_shown_with_its_line(shop):
    """A syntax error is told with file, line and caret."""
    (shop / "broken.py").write_text("import flux_engine\nflow = (\n    1 +* 2\n)\n", encoding="utf-8")
    done = flux(shop, "run", "broken.py:flow")
    assert done.returncode == 2
    assert "broken.py:3" in done.stderr
    assert "1 +* 2" in done.stderr
    assert "^" in done.stderr


def test_a_wrong_setting_is_told_before_anything_runs(shop):
    """An unknown key in pyproject.toml names the nearest one."""
    (shop / "pyproject.toml").write_text("[tool.flux]\ndefault_retry = 1\n", encoding="utf-8")
    done = order(shop)
    assert done.returncode == 2
    assert "default_retries" in done.stderr
    assert not (shop / ".flux").exists()


def test_the_store_is_private_and_hidden_from_git(shop):
    """``.flux`` is for its owner only, and ignores itself."""
    order(shop)
    assert (shop / ".flux").stat().st_mode & 0o777 == 0o700
    assert (shop / ".flux/.gitignore").read_text(encoding="utf-8").strip() == "*"


def test_a_corrupt_store_is_told_and_left_alone(shop):
    """A file that is no database is not overwritten and gives no traceback."""
    (shop / ".flux").mkdir()
    store = shop / ".flux/flux.db"
    store.write_bytes(b"no database at all" * 1000)
    done = order(shop)
    assert done.returncode == 2
    assert "flux.db" in done.stderr
    assert "Traceback" not in done.stderr
    assert store.read_bytes().startswith(b"no database")


def test_runs_are_listed_newest_first_and_filtered(shop):
    """The list knows workflow, status and limit, as text and as JSON."""
    order(shop, run_id="bad")
    (shop / "paid").touch()
    order(shop, run_id="good")
    listed = json.loads(flux_afresh(shop, "runs", "list", "--json").stdout)
    assert [(run["id"], run["status"]) for run in listed] == [("good", "completed"), ("bad", "failed")]
    failed = flux(shop, "runs", "list", "--status", "failed").stdout
    assert "bad" in failed
    assert "good" not in failed
    assert json.loads(flux(shop, "runs", "list", "--workflow", "none", "--json").stdout) == []
    assert len(json.loads(flux(shop, "runs", "list", "--limit", "1", "--json").stdout)) == 1
    recent = flux(shop, "runs", "list", "--filter", "!status:completed since:1h took:<1h", "--json").stdout
    assert [run["id"] for run in json.loads(recent)] == ["bad"]
    wrong = flux(shop, "runs", "list", "--filter", "since:10x")
    assert wrong.returncode == 2
    assert "expected 10m, 2h, today" in wrong.stderr


def test_looking_makes_no_store(shop):
    """Listing where nothing was run says so, and leaves nothing behind."""
    done = flux(shop, "runs", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "flux run" in done.stderr
    assert not (shop / ".flux").exists()


def test_a_run_is_shown_by_the_beginning_of_its_id(shop):
    """A unique beginning is enough; one that several runs have is answered with those runs."""
    order(shop, run_id="abc-1")
    order(shop, run_id="abd-2")
    shown = flux_afresh(shop, "runs", "show", "abc")
    assert shown.returncode == 0
    for text in ("abc-1", "validate", "failed", "gateway returned 502", '"total": 10'):
        assert text in shown.stdout
    assert json.loads(flux(shop, "runs", "show", "abc", "--json").stdout)["id"] == "abc-1"
    several = flux(shop, "runs", "show", "ab")
    assert several.returncode == 2
    assert "abc-1" in several.stderr
    assert "abd-2" in several.stderr
    assert flux(shop, "runs", "show", "zzz").returncode == 2


def test_secrets_are_shown_and_exported_on_purpose_only(shop):
    """A run is exported to one file, which is not replaced by accident and opens as a trace."""
    (shop / "login.py").write_text(
        "from flux_engine import create_workflow\n"
        "flow = create_workflow('login').step('in', lambda ctx: ctx.data.update(api_token='t0k3n'))\n",
        encoding="utf-8",
    )
    assert flux(shop, "run", "login.py", "--run-id", "in-1").returncode == 0
    assert "t0k3n" not in flux(shop, "runs", "show", "in-1").stdout
    assert "t0k3n" not in flux(shop, "runs", "show", "in-1", "--json").stdout
    assert "t0k3n" in flux(shop, "runs", "show", "in-1", "--reveal").stdout
    done = flux_afresh(shop, "export", "in-1", "-o", "in.flux")
    assert done.returncode == 0
    assert "secrets masked in 3 places" in done.stderr
    events = [json.loads(line) for line in (shop / "in.flux").read_text(encoding="utf-8").splitlines()]
    assert [event["type"] for event in events][:2] == ["flux:export", "workflow:start"]
    assert "t0k3n" not in (shop / "in.flux").read_text(encoding="utf-8")
    again = flux(shop, "export", "in-1", "-o", "in.flux")
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert "t0k3n" in flux(shop, "export", "in-1", "--reveal", "-o", "-").stdout
    assert flux(shop, "dev", "shop.txt").returncode == 2
    (shop / "notes.txt").write_text("no trace\n", encoding="utf-8")
    assert "neither a Python module nor a trace" in flux(shop, "dev", "notes.txt").stderr


def test_retry_finds_the_workflow_in_the_project(shop):
    """Without a target the project's modules are searched for the run's workflow."""
    order(shop)
    (shop / "paid").touch()
    done = flux(shop, "runs", "retry", "r1", "--json")
    assert done.returncode == 0, done.stderr
    attempts = {step["name"]: step["attempts"] for step in json.loads(done.stdout)["history"]}
    assert attempts == {"validate": 1, "ship": 1, "pay": 2}


def test_retry_merges_data_that_is_given(shop):
    """``--data`` goes over the data before the step; what JSON has not is typed as it is stored."""
    order(shop)
    (shop / "paid").touch()
    done = flux(shop, "runs", "retry", "r1", "--data", '{"total": {"$type": "decimal", "value": "9.5"}}')
    assert json.loads(done.stdout)["paid"] == "9.5"
    assert flux(shop, "runs", "retry", "r1", "pay", "--data", "[1]").returncode == 2


def test_a_completed_commit_is_not_repeated_unasked(shop):
    """Without a terminal to ask on, ``--yes`` is needed; the plan says what would be repeated."""
    order(shop)
    (shop / "paid").touch()
    refused = flux(shop, "runs", "retry", "r1", "validate")
    assert refused.returncode == 2
    assert "ship" in refused.stderr
    assert "--yes" in refused.stderr
    assert flux(shop, "runs", "retry", "r1", "validate", "--yes").returncode == 0


def test_a_retry_without_a_failed_step_needs_a_step(shop):
    """A completed run is retried from a step that is named."""
    (shop / "paid").touch()
    order(shop)
    done = flux(shop, "runs", "retry", "r1")
    assert done.returncode == 2
    assert "validate, ship, pay" in done.stderr
    assert flux(shop, "runs", "retry", "r1", "pay").returncode == 0
    unknown = flux(shop, "runs", "retry", "r1", "nothing")
    assert unknown.returncode == 2
    assert "validate, ship, pay" in unknown.stderr


def test_a_workflow_that_is_nowhere_is_told_with_what_there_is(shop):
    """The run is there, its module is gone."""
    order(shop)
    (shop / "shop.py").unlink()
    done = flux(shop, "runs", "retry", "r1")
    assert done.returncode == 2
    assert "--target" in done.stderr


def test_describe_shows_steps_and_input(shop):
    """As text for people, as JSON for programs."""
    text = flux_afresh(shop, "describe", "shop.py:order_flow").stdout
    for part in ("validate", "commit", "Look whether the order can be filled.", "order_id", "required"):
        assert part in text
    described = json.loads(flux(shop, "describe", "shop.py:order_flow", "--json").stdout)
    assert [step["name"] for step in described["steps"]] == ["validate", "ship", "pay"]
    assert described["input_schema"]["required"] == ["order_id"]


def test_ctrl_c_interrupts_a_run_that_can_be_resumed(shop):
    """The run is released, the command that goes on with it is told, and completed steps stay done."""
    with started(shop, "run", "shop.py:slow_flow", "--run-id", "slow", on_sigint=signal.SIG_DFL) as process:
        wait_until((shop / "started").exists)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "flux runs resume slow" in told
    assert "Traceback" not in told
    (shop / "stop").touch()
    resumed = flux(shop, "runs", "resume", "slow", "--json")
    assert resumed.returncode == 0, resumed.stderr
    history = json.loads(resumed.stdout)["history"]
    assert [(step["name"], step["status"]) for step in history] == [
        ("first", "completed"),
        ("forever", "completed"),
    ]
    assert history[0]["attempts"] == 1


def test_a_run_in_the_background_leaves_ctrl_c_to_others(shop):
    """A shell lets it ignore the signal; it does so, and says nothing of an interruption."""
    with started(shop, "run", "shop.py:slow_flow", on_sigint=signal.SIG_IGN) as process:
        wait_until((shop / "started").exists)
        process.send_signal(signal.SIGINT)
        (shop / "stop").touch()
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "interrupt" not in told


def test_the_dashboard_refuses_what_is_not_there(shop):
    """Before any screen opens: exit code 2 and the name of what is missing."""
    for arguments in (["dev", "nowhere"], ["dev", "--trace", "none.ndjson"]):
        done = flux(shop, *arguments)
        assert done.returncode == 2
        assert arguments[-1] in done.stderr
        assert done.stdout == ""


def test_help_lists_the_commands(shop):
    """``flux --help`` and each command's help are there."""
    text = flux_afresh(shop, "--help").stdout
    for command in ("dev", "run", "runs", "describe"):
        assert f"  {command}" in text
    assert "--input" in flux(shop, "run", "--help").stdout
    assert flux_afresh(shop, "--version").stdout.startswith("flux ")


def test_an_unknown_command_is_told(shop):
    """A slip is answered, not with a traceback."""
    done = flux_afresh(shop, "rnu")
    assert done.returncode == 2
    assert "rnu" in done.stderr


def wait_until(condition, seconds=30.0):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_the_step_under_way_is_a_moving_line_on_a_terminal(shop):
    """The line of the step under way is drawn over again and again, and gone when the step has ended."""
    terminal, end = pty.openpty()
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    with subprocess.Popen(
        [FLUX, "run", "shop.py:slow_flow"], cwd=shop, stdin=end, stdout=end, stderr=end
    ) as run:
        os.close(end)
        seen = set()
        with contextlib.suppress(OSError):  # what a terminal whose program has ended gives
            while chunk := os.read(terminal, 65536):
                stream.feed(chunk)
                seen |= {line.strip() for line in screen.display if "forever" in line}
                if len(seen) > 2:
                    (shop / "stop").touch()
    os.close(terminal)
    lines = [line.strip() for line in screen.display if line.strip()]
    assert run.returncode == 0, lines
    assert [line for line in lines if "forever" in line] == [line for line in lines if "✔ forever" in line]
    assert lines[0] == "shop is imported"
    assert lines[-1] == "{}"


def test_completed_commits_can_be_kept(shop):
    """``--keep-commits`` goes back behind a commit without asking, and does not repeat it."""
    order(shop)
    (shop / "paid").touch()
    done = flux(shop, "runs", "retry", "r1", "validate", "--keep-commits", "--json")
    assert done.returncode == 0, done.stderr
    attempts = {step["name"]: step["attempts"] for step in json.loads(done.stdout)["history"]}
    assert attempts == {"validate": 2, "ship": 1, "pay": 2}


def test_the_dashboard_needs_a_terminal(shop):
    """Without one the command says so, and what there is instead."""
    for arguments in (["dev"], ["dev", "--trace", "-"]):
        done = flux_afresh(shop, *arguments)
        assert done.returncode == 2
        assert "terminal" in done.stderr
        assert not (shop / ".flux").exists()
