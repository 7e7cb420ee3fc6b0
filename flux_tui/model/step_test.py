"""A recorded step as a test to keep: Python text that runs the step again on the data it had."""

import pprint
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model import parse
from flux_tui.model.json_text import tagged
from flux_tui.model.pruned import pruned
from flux_tui.model.run import RunView, StepView
from flux_tui.model.secrets import MASK, Secrets

WIDTH: Final = 96
_WAITS: Final = '    assert outcome.status == "suspended"'
_WORD: Final = re.compile(r"\W+")


class Origin(Struct, frozen=True, kw_only=True):
    """Where a test imports its workflow from: ``from module import variable``. ``file`` is for the reader."""

    module: str
    variable: str
    file: str


def step_test(
    run: RunView,
    step: StepView,
    origin: Origin,
    signals: Mapping[str, Any],
    secrets: Secrets,
    *,
    waited: bool = False,
) -> str:
    """Return a pytest file that runs one step on its recorded data, and expects what was recorded.

    Of a step that failed it expects that it no longer does; of one that ``waited``, for a signal or for a
    time, that it waits. Secrets are masked, and the text says so.
    """
    given = {
        "input": run.input,
        "data": run.data_before(step.name),
        "outputs": {each.name: each.output for each in _before(run, step) if each.output is not None},
        "signals": dict(signals),
    }
    given = {name: secrets.redact(tagged(value)) for name, value in given.items() if value not in (None, {})}
    expected = [_WAITS] if waited and step.error is None else _expected(step, secrets)
    name = f"test_{_identifier(step.name)}_of_run_{_identifier(run.id)[:8]}"
    body = [
        f"def {name}():",
        "    outcome = run_step_sync(",
        f"        {origin.variable},",
        f"        {step.name!r},",
        *(f"        {key}={_literal(value, 8)}," for key, value in given.items()),
        f"        run_id={run.id!r},",
        "    )",
        *expected,
    ]
    tags = any("recorded(" in line for line in body)
    imports = [
        f"from {origin.module} import {origin.variable}",
        "",
        f"from flux_engine.testing import {'recorded, ' if tags else ''}run_step_sync",
    ]
    masked = any(MASK in line for line in body)
    return "\n".join([*_head(run, step, origin, masked=masked), "", *imports, "", "", *body, ""])


def signals_of(events: Iterable[TraceEvent], step: str) -> dict[str, Any]:
    """Return the payloads of the signals that came to other steps than this one, by name."""
    received = (each for each in events if each.type == EventType.SIGNAL_RECEIVED and each.step_name != step)
    named = ((parse.meta(event).get("signal"), event.input) for event in received)
    return {name: payload for name, payload in named if isinstance(name, str)}


def has_waited(events: Iterable[TraceEvent], step: str) -> bool:
    """Say whether a step waited when it ran last."""
    own = [event.type for event in events if event.step_name == step]
    begun = max((at for at, kind in enumerate(own) if kind == EventType.STEP_START), default=0)
    return EventType.STEP_SUSPEND in own[begun:]


def _head(run: RunView, step: StepView, origin: Origin, *, masked: bool) -> list[str]:
    what = f"Step {step.name!r} of {run.workflow!r} on the data of run {run.id}."
    lines = [
        f'"""{_one_line(what)}',
        "",
        _one_line(f"Put this file where {origin.file} can be imported as {origin.module}."),
    ]
    if masked:
        lines.append(f"{MASK} stands for a secret: put a value there that the handler can work with.")
    if step.commit:
        lines.append("The step is a commit: the test has its effects, so keep it away from real services.")
    return [*lines, '"""']


def _expected(step: StepView, secrets: Secrets) -> list[str]:
    if step.status == "skipped":
        return ['    assert outcome.status == "skipped"']
    if step.error is not None:
        error = _one_line(secrets.text(f"{step.error.type}: {step.error.message}"))[:WIDTH]
        return [f"    # in the run: {error}", "    outcome.raise_for_error()"]
    lines = ["    outcome.raise_for_error()"]
    if step.changes is not None:
        changed = secrets.redact(tagged(dict(step.changes.set)))
        lines.append(f"    assert dict(outcome.changes.set) == {_literal(changed, 4)}")
        if step.changes.deleted:
            lines.append(f"    assert outcome.changes.deleted == {tuple(step.changes.deleted)!r}")
    if step.output is not None:
        lines.append(f"    assert outcome.output == {_literal(secrets.redact(tagged(step.output)), 4)}")
    return lines


def _before(run: RunView, step: StepView) -> list[StepView]:
    started = step.started_at
    done = [each for each in run.steps if each.name != step.name and each.status == "completed"]
    if started is None:
        return [each for each in done if each.index < step.index]
    return [each for each in done if each.ended_at is None or each.ended_at <= started]


def _literal(value: Any, indent: int) -> str:
    text = _formatted(value, WIDTH - indent - 16)
    lines = text.split("\n")
    if len(lines) > 1:
        pad = " " * (indent + 4)
        text = "\n".join([lines[0][0], f"{pad}{lines[0][1:]}", *(f"{pad}{line[1:]}" for line in lines[1:])])
        text = f"{text[:-1]},\n{' ' * indent}{text[-1]}" if text[-1] in "]})" else text
    return f"recorded({text})" if _has_tag(value) else text


def _formatted(value: Any, width: int) -> str:
    try:
        return pprint.pformat(value, width=width, sort_dicts=False)
    except RecursionError:  # far deeper than what a run can store
        return pprint.pformat(pruned(value), width=width, sort_dicts=False)


def _has_tag(value: Any) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            if "$type" in each:
                return True
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False


def _identifier(name: str) -> str:
    return _WORD.sub("_", name).strip("_").lower() or "step"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")
