"""What must be true when the monkey has gone: store, diary of the handlers and traces are compared."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_flows import STATUSES

from flux_engine import WorkflowState

_DONE = ("completed", "compensated")
_WAKING = 1.0
"""Seconds in which a process that was stopped, or cut off, can still do what it was about to do."""


@dataclass
class Absence:
    """A process that could not do or hear anything for a while, by the clock of the machine."""

    pid: int
    since: float
    until: float = float("inf")


@dataclass
class Verdict:
    """What was found. ``counts`` says how much of what was looked at."""

    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def check(self, holds: bool, text: str) -> None:
        """Note a violation unless something holds."""
        if not holds:
            self.violations.append(text)


def read_lines(path: Path) -> list[dict]:
    """Return the lines of a file; a process that was killed may have left a part of one."""
    found = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def judge(
    runs: Sequence[WorkflowState],
    diary: Iterable[dict],
    traces: Sequence[Path],
    absences: Sequence[Absence],
    *,
    attempts_are_stored_first: bool,
) -> Verdict:
    """Hold the runs against what their handlers did and what the traces tell.

    ``attempts_are_stored_first``: no handler is called before the store has its attempt.
    """
    verdict = Verdict()
    begun = defaultdict(list)
    undone = defaultdict(list)
    for line in diary:
        verdict.counts[line["what"]] += line.get("count", 1)
        if line["what"] == "begins":
            begun[line["run"], line["step"]].append(line)
        elif line["what"] == "undoes":
            undone[line["run"], line["step"]].append(line)
        elif line["what"] == "trouble":
            verdict.counts[f"trouble {line['verb']} {line['error']}"] += 1
    for run in runs:
        verdict.counts[f"runs {run.name} {run.status}"] += 1
        verdict.check(
            run.status == STATUSES[run.name], f"run {run.id} of {run.name} is {run.status}: {run.error}"
        )
        for step in run.history:
            calls = begun.pop((run.id, step.name), [])
            _judge_attempts(verdict, run, step, calls, once=attempts_are_stored_first)
            _judge_end(verdict, run, step, calls, absences)
            taken_back = undone.pop((run.id, step.name), [])
            verdict.check(
                bool(taken_back) == (step.status == "compensated"),
                f"run {run.id}: {step.name} is {step.status} and was undone {len(taken_back)} times",
            )
    unknown = [*begun, *undone]
    verdict.check(not unknown, f"handlers were called of runs that nobody knows: {unknown}")
    for trace in traces:
        _judge_trace(verdict, {run.id: run for run in runs}, trace)
    return verdict


def _judge_attempts(verdict, run, step, begun, *, once: bool) -> None:
    """Each call of a handler is an attempt in the store; with ``once`` no two calls are the same attempt."""
    where = f"run {run.id} of {run.name}: {step.name}"
    stored = {attempt.number: attempt for attempt in step.attempt_log}
    numbers = Counter(line["attempt"] for line in begun)
    verdict.counts["steps"] += 1
    verdict.counts["attempts that came to nothing"] += max(0, len(stored) - 1)
    verdict.check(set(numbers) <= set(stored), f"{where}: begun {sorted(numbers)}, stored {sorted(stored)}")
    twice = [number for number, count in numbers.items() if count > 1]
    if once:
        verdict.check(not twice, f"{where}: attempts {twice} were begun twice")
    verdict.counts["attempts that were begun again unseen"] += len(twice)


def _judge_end(verdict, run, step, begun, absences) -> None:
    """One attempt is completed, and none was begun after it."""
    where = f"run {run.id} of {run.name}: {step.name}"
    done = [attempt for attempt in step.attempt_log if attempt.status in _DONE]
    verdict.check(len(done) <= 1, f"{where}: {len(done)} attempts are completed")
    if step.status in ("completed", "compensated"):
        verdict.check(len(done) == 1, f"{where} is {step.status}, its attempts {step.attempt_log}")
    for attempt in done:
        ended = attempt.completed_at.timestamp()
        numbers = [line["attempt"] for line in begun]
        verdict.check(attempt.number in numbers, f"{where}: of {numbers} attempt {attempt.number} is done")
        verdict.check(
            run.data.get(step.name) == (attempt.number if step.status == "completed" else None),
            f"{where}: data is {run.data}, the completed attempt {attempt.number}",
        )
        for line in begun:
            if line["attempt"] > attempt.number:
                verdict.violations.append(f"{where}: {line['attempt']} was begun, {attempt.number} was done")
            elif line["at"] > ended:
                verdict.counts["steps begun by one who slept through their end"] += 1
                verdict.check(
                    any(a.pid == line["pid"] and a.since < line["at"] < a.until + _WAKING for a in absences),
                    f"{where}: begun {line['at'] - ended:.3f} s after it was done, by {line['pid']}",
                )


def _judge_trace(verdict, runs, trace) -> None:
    told: Counter[tuple] = Counter()
    for event in read_lines(trace):
        verdict.counts["events"] += 1
        run = runs.get(event["workflowId"])
        where = f"{trace.name}: run {event['workflowId']}, {event['type']} {event.get('stepName')}"
        if run is None:
            verdict.check(False, f"{where}: the store has no such run")
        elif event["type"] == "step:complete":
            step, number = run.step(event["stepName"]), event["attempt"]
            told[run.id, step.name, number] += 1
            found = [each for each in step.attempt_log if each.number == number and each.status in _DONE]
            verdict.check(bool(found), f"{where}: the attempt {number} is not completed in the store")
            changes = event.get("changes") or {}
            verdict.check(
                found and changes.get("set") == found[0].changes.set,
                f"{where}: the trace has the changes {changes}, the store {found and found[0].changes}",
            )
        elif event["type"] in ("workflow:complete", "workflow:error"):
            told[run.id, None, None] += 1
            status = "completed" if event["type"] == "workflow:complete" else "failed"
            verdict.check(run.status == status, f"{where}: the store says {run.status}")
    twice = [key for key, count in told.items() if count > 1]
    verdict.check(not twice, f"{trace.name} tells twice of {twice}")
    verdict.counts["ends that a trace tells"] += len(told)
