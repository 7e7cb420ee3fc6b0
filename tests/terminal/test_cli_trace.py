"""``flux trace``: the end of a trace, what is written to it, and what it comes to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands_here import Here, commands_here

from flux_engine.trace.events import TraceEvent, encode_event
from flux_tui.model.trace_stats import TraceTally, durations

FLUX = Path(sys.executable).parent / "flux"


def event(kind: str, run: str, *, at: float = 0.0, **more) -> TraceEvent:
    """Return an event of the workflow ``order``."""
    return TraceEvent(type=kind, timestamp=at, workflow_id=run, workflow_name="order", **more)


def run_of(number: int, *, failed: bool = False) -> list[TraceEvent]:
    """Return the events of a run whose one step takes so many milliseconds."""
    run, end = f"r{number:05}", "error" if failed else "complete"
    return [
        event("workflow:start", run, at=number),
        event("step:start", run, at=number, step_name="pay"),
        event(
            f"step:{end}",
            run,
            at=number,
            step_name="pay",
            duration=number,
            error="E: token=abc123" if failed else None,
        ),
        event(f"workflow:{end}", run, at=number, duration=number + 1, status="failed" if failed else None),
    ]


@pytest.fixture
def flux(tmp_path, monkeypatch, capfd) -> Here:
    """A project with a trace of 100 runs, every tenth of which failed, and of one line that is no event."""
    (tmp_path / ".flux").mkdir()
    lines = [
        encode_event(each) for number in range(1, 101) for each in run_of(number, failed=number % 10 == 0)
    ]
    lines.insert(7, b"this is no event\n")
    (tmp_path / ".flux" / "trace.ndjson").write_bytes(b"".join(lines))
    return commands_here(tmp_path, monkeypatch, capfd)


def test_tail_shows_the_last_events(flux):
    """So many as are asked for, one a line, in their order, secrets masked."""
    lines = flux("trace", "tail", "-n", "3").out.splitlines()
    assert [line.split()[3] for line in lines] == ["step:start", "step:error", "workflow:error"]
    assert "abc123" not in lines[1]
    assert "r00100" in lines[0]
    assert flux("trace", "tail", "-n", "0").out == ""
    revealed = flux("trace", "tail", "-n", "2", "--reveal").out
    assert "abc123" in revealed


def test_tail_finds_what_lies_far_back(flux, tmp_path):
    """Only the end of a long file is read, unless what is wanted is not there."""
    with (tmp_path / ".flux" / "trace.ndjson").open("ab") as trace:
        for number in range(200, 3200):
            trace.write(encode_event(event("step:log", f"q{number}", meta={"text": "x" * 100})))
    found = flux("trace", "tail", "--run", "r00007", "--type", "step:*", "--json").out.splitlines()
    assert [(json.loads(line)["workflowId"], json.loads(line)["type"]) for line in found] == [
        ("r00007", "step:start"),
        ("r00007", "step:complete"),
    ]
    wrong = flux("trace", "tail", "--type", "step:fail")
    assert (wrong.code, "step:error" in wrong.err) == (2, True)
    assert flux("trace", "tail", "nowhere.ndjson").code == 2


def test_tail_follows_what_is_written(tmp_path):
    """Each event is there at once, also after the file was emptied; standard input is followed too."""
    trace = tmp_path / "trace.ndjson"
    trace.write_bytes(encode_event(event("workflow:start", "old")))
    command = [FLUX, "trace", "tail", str(trace), "--follow", "--type", "workflow:*", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert json.loads(follower.stdout.readline())["workflowId"] == "old"
            with trace.open("ab") as file:
                file.write(encode_event(event("step:start", "new", step_name="pay")))
                file.write(encode_event(event("workflow:complete", "new")))
            assert json.loads(follower.stdout.readline())["type"] == "workflow:complete"
        finally:
            follower.terminate()
    piped = [FLUX, "trace", "tail", "-", "--follow", "--json"]
    with subprocess.Popen(
        piped, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as follower:
        follower.stdin.write(encode_event(event("workflow:start", "piped")))
        assert json.loads(follower.stdout.readline())["workflowId"] == "piped"
        follower.stdin.close()
        assert follower.wait(20) == 0


def test_stats_count_runs_and_measure_steps(flux):
    """By workflow: how runs ended, and the middle and the slow of what they and their steps took."""
    told = flux("trace", "stats", "--json").json
    assert (told["events"], told["runs"], told["bad_lines"]) == (400, 100, 1)
    (order,) = told["workflows"]
    assert order["statuses"] == {"completed": 90, "failed": 10}
    assert order["durations"] == {"count": 100, "p50": 51.0, "p95": 96.0}
    (pay,) = order["steps"]
    assert (pay["completed"], pay["failed"], pay["durations"]["p95"]) == (90, 10, 95.0)
    words = flux("trace", "stats").out
    for text in ("400 events, 100 runs", "1 bad line", "90 completed, 10 failed", "pay"):
        assert text in words


def test_runs_count_as_they_stand_at_the_end():
    """A run that was retried is one run; one whose end was not told is running."""
    tally = TraceTally()
    for each in (
        *run_of(1, failed=True),
        event("workflow:start", "r00001"),
        event("workflow:complete", "r00001"),
    ):
        tally.add(each)
    tally.add(event("workflow:start", "open"))
    tally.add(event("later:kind", "open"))
    (order,) = tally.stats().workflows
    assert (order.runs, order.statuses) == (2, {"completed": 1, "running": 1})


@pytest.mark.parametrize(
    ("took", "p50", "p95"), [([], None, None), ([5.0], 5.0, 5.0), ([3.0, 1.0, 2.0, 4.0], 2.0, 4.0)]
)
def test_percentiles_are_durations_that_there_were(took, p50, p95):
    """Of few values too, whatever their order."""
    assert (durations(took).p50, durations(took).p95) == (p50, p95)
