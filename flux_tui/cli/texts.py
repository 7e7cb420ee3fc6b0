"""Runs, errors, plans and workflows as lines of text to read in a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from flux_engine.execution import ErrorInfo, RetryPlan, RunSummary, StepHistory, WorkflowState
from flux_engine.masked import MASKED
from flux_tui.address import StoreAddress
from flux_tui.cli.plain_json import to_plain, to_text
from flux_tui.cli.terminal import Look
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import age_text, cut, duration_text, fit, printable


def error_lines(error: ErrorInfo, look: Look) -> list[str]:
    """Return the error, and where in the user's code it was raised, with that line of code."""
    head, *more = str(error).splitlines() or [error.type]
    lines = [look.toned(printable(head), "error"), *(f"  {printable(line)}" for line in more)]
    frame = next((frame for frame in reversed(error.frames) if frame.user), None)
    if frame is not None:
        lines.append(f"  {shown_path(frame.file)}:{frame.line} in {printable(frame.function)}")
        if frame.code:
            lines.append(f"  {look.sign('▸', '>')} {frame.line:>4}  {printable(frame.code)}")
    return lines


def shown_path(file: str | Path) -> str:
    """Return a path as seen from the current folder, if it lies below it."""
    path = Path(file)
    try:
        return printable(str(path.relative_to(Path.cwd())))
    except ValueError:
        return printable(str(path))


def shown_store(address: StoreAddress) -> str:
    """Return where a store is: a path as ``shown_path``, or a server without its password."""
    return printable(str(address)) if address.file is None else shown_path(address.file)


def status_of(run: RunSummary | WorkflowState) -> str:
    """Return the status to show: a run that was left in the middle is *interrupted*."""
    return "interrupted" if run.interrupted else str(run.status)


def counted(number: int, noun: str) -> str:
    """Return ``1 run``, ``2,000 runs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listing_lines(runs: Sequence[RunSummary], now: datetime, look: Look, cells: int | None) -> list[str]:
    """Return a table of runs. ``cells`` is the width to cut lines to; ``None`` leaves them whole."""
    if not runs:
        return []
    ids = max(len(run.id) for run in runs)
    names = min(max(len(printable(run.name)) for run in runs), 32)
    lines = []
    for run in runs:
        age = age_text((now - run.created_at).total_seconds() * 1000)
        about = printable(run.error or run.current_step or "")
        status = status_of(run)
        name, run_id = fit(printable(run.name), names), printable(run.id)
        text = f"{fit(status, 11)}  {run_id:<{ids}}  {name}  {age:>4}  {about}"
        lines.append(f"{look.glyph(status)} {cut(text.rstrip(), cells - 2) if cells else text.rstrip()}")
    return lines


def run_lines(run: WorkflowState, look: Look, secrets: Secrets | None) -> list[str]:
    """Return a whole run: its head, a line for each step, its error, and its data; ``secrets`` are masked."""
    status = status_of(run)
    began = run.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    took = ""
    if run.completed_at is not None:
        took = "  " + duration_text((run.completed_at - run.created_at).total_seconds() * 1000)
    lines = [f"{look.glyph(status)} {printable(run.name)}  {printable(run.id)}  {status}  {began}{took}", ""]
    names = max((len(printable(step.name)) for step in run.history), default=0)
    lines += [_step_line(step, names, look) for step in run.history]
    if run.graph.get(MASKED) is True:
        lines += ["", "Its values were masked in its export: it can be looked at and does not go on."]
    if run.error is not None:
        where = f" (step {printable(run.error.step)})" if run.error.step else ""
        lines += ["", f"Error{where}", *_indented(error_lines(run.error, look))]
    for title, value in (("Input", run.input), ("Data", run.data)):
        plain = to_plain(value) if secrets is None else secrets.redact(to_plain(value))
        lines += ["", title, *_indented(to_text(plain).splitlines())]
    return lines


def _step_line(step: StepHistory, names: int, look: Look) -> str:
    took = "" if step.duration is None else duration_text(step.duration * 1000)
    tries = f"{step.attempts} attempts" if step.attempts > 1 else ""
    keys = [*step.changes.set, *(f"-{key}" for key in step.changes.deleted)]
    notes = (
        "commit" if step.commit else "",
        tries,
        f"changed {', '.join(printable(key) for key in keys)}" if keys else "",
        printable(step.reason or ""),
        _wait_note(step),
    )
    status = str(step.status)
    about = "  ".join(note for note in notes if note)
    name = fit(printable(step.name), names)
    return f"  {look.glyph(status)} {name}  {status:<9}  {took:>7}  {about}".rstrip()


def _wait_note(step: StepHistory) -> str:
    wait = step.waits_for
    if wait is None:
        return ""
    until = "" if wait.until is None else wait.until.astimezone().strftime(" until %Y-%m-%d %H:%M")
    if wait.in_doubt:
        return f'in doubt: signal {printable(wait.signal or "")} with "done" or "again"'
    return f"waits for {printable(wait.signal)}{until}" if wait.signal else f"waits{until}"


def plan_lines(plan: RetryPlan) -> list[str]:
    """Return what a retry would do."""
    lines = [
        f"retry {printable(plan.run_id)} from {printable(plan.step)}:",
        f"  runs again  {_names(plan.runs_again)}",
    ]
    if plan.kept:
        lines.append(f"  keeps       {_names(plan.kept)}")
    if plan.changed_code:
        lines.append(f"  new code    {_names(plan.changed_code)}")
    lines += [
        f"  REPEATS the completed commit {printable(commit.step)}"
        f" with idempotency key {printable(commit.idempotency_key)}"
        for commit in plan.repeated_commits
    ]
    return lines


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(printable, names))


def workflow_lines(description: Mapping[str, Any], look: Look) -> list[str]:
    """Return a workflow: its steps with their options, its branches and what input it takes."""
    steps = description["steps"]
    lines = [printable(description["name"]), "", "Steps"]
    names = max(len(printable(step["name"])) for step in steps)
    lines += [_definition_line(step, names) for step in steps]
    lines += ["", "Flow", *_flow_lines(steps, description["edges"], look)]
    for title, key in (("Input", "input_schema"), ("Data", "data_schema")):
        schema = description.get(key)
        lines += ["", title, *_indented(_schema_lines(schema))] if schema else []
    if not description.get("input_schema"):
        lines += ["", "Input", "  anything (no type is stated)"]
    return lines


def _definition_line(step: Mapping[str, Any], names: int) -> str:
    notes = (
        "commit" if step["commit"] else "",
        "conditional" if step["conditional"] else "",
        f"retries {step['retries']}" if step.get("retries") is not None else "",
        f"timeout {step['timeout']:g} s" if step.get("timeout") is not None else "",
    )
    options = ", ".join(note for note in notes if note)
    said = printable(step.get("description") or "")
    source = step.get("source") or {}
    where = f"{shown_path(source['file'])}:{source['line']}" if source.get("file") else ""
    name = fit(printable(step["name"]), names)
    about = "  ".join(part for part in (f"[{options}]" if options else "", said, where) if part)
    return f"  {step['index'] + 1:>2}  {name}  {about}".rstrip()


def _flow_lines(steps: Sequence[Mapping[str, Any]], edges: Sequence[Sequence[str]], look: Look) -> list[str]:
    """Return the steps as one chain with its branches in brackets; edge by edge when they are no chain."""
    arrow = look.sign(" → ", " -> ")
    pairs = [(start, end) for start, end in edges]
    depth = dict.fromkeys((step["name"] for step in steps), 0)
    for name in depth:  # in the order of declaration every step comes after those before it
        depth[name] = 1 + max((depth[start] for start, end in pairs if end == name), default=-1)
    layers = [[name for name, at in depth.items() if at == level] for level in range(max(depth.values()) + 1)]
    chained = {(start, end) for before, after in pairwise(layers) for start in before for end in after}
    if chained != set(pairs):
        return [f"  {printable(start)}{arrow}{printable(end)}" for start, end in pairs]
    shown = [[*map(printable, layer)] for layer in layers]
    return ["  " + arrow.join(f"( {' | '.join(layer)} )" if len(layer) > 1 else layer[0] for layer in shown)]


def _schema_lines(schema: Mapping[str, Any]) -> list[str]:
    fields = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(fields, dict) or not fields:
        return to_text(schema).splitlines()
    required = schema.get("required", ())
    names = max(len(printable(name)) for name in fields)
    lines = []
    for name, field in fields.items():
        default = "required" if name in required else f"default {to_text(field.get('default'))}"
        said = f"  {field['description']}" if field.get("description") else ""
        text = f"{_type_name(field)}, {' '.join(default.split())}{said}"
        lines.append(f"{printable(name):<{names}}  {printable(text)}")
    return lines


def _type_name(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " | ".join(to_text(value) for value in field["enum"])
    if "anyOf" in field:
        return " | ".join(_type_name(option) for option in field["anyOf"])
    if field.get("type") == "array":
        return f"array of {_type_name(field.get('items') or {})}"
    return str(field.get("format") or field.get("type") or "anything")


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
