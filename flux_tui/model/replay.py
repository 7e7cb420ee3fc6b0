"""A replay as it is read: what became of each step, and where its values differ from the record."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from flux_engine.replay_report import ReplayReport, StepDifference
from flux_engine.secrets import registered
from flux_tui.model.json_text import tagged, write_json
from flux_tui.model.run import RunView, StepView
from flux_tui.model.secrets import MASK, Secrets

MOST: Final = 200
"""How many places of one value are listed."""

ABSENT: Final = "nothing"
"""What stands for a value that is not there."""


class Outcome(StrEnum):
    """What a replay has to say of a step."""

    SAME = "same"
    DIFFERS = "differs"
    ANSWERED = "answered from the record"
    SKIPPED = "skipped, as recorded"
    OPEN = "not done in the record"
    NOT_REACHED = "not reached"


class Place(Struct, frozen=True, kw_only=True):
    """Where something differs: ``status``, ``error``, ``data.price``; both sides as one line of JSON."""

    path: str
    recorded: str
    replayed: str


class ReplayedStep(Struct, frozen=True, kw_only=True):
    """A step after the replay; ``""`` is the name of the input."""

    name: str
    outcome: Outcome
    places: tuple[Place, ...] = ()
    commit: bool = False


def replayed_steps(report: ReplayReport, run: RunView, secrets: Secrets) -> tuple[ReplayedStep, ...]:
    """Return the steps of the record in their order, then those that only the replay has."""
    names = dict.fromkeys((*(step.name for step in run.steps), *report.outcomes))
    found: dict[str, list[StepDifference]] = {}
    for difference in report.steps:
        found.setdefault(difference.step, []).append(difference)
    order = dict.fromkeys((*([""] if "" in found else []), *names, *found))
    commits = {step.name for step in run.steps if step.commit}
    return tuple(
        ReplayedStep(
            name=name,
            outcome=Outcome.DIFFERS if name in found else _outcome(report.outcomes.get(name), run.step(name)),
            places=tuple(place for each in found.get(name, ()) for place in _places(each, secrets)),
            commit=name in commits,
        )
        for name in order
    )


def verdict(report: ReplayReport, steps: Sequence[ReplayedStep]) -> str:
    """Return the outcome in one line."""
    counts = {outcome: sum(step.outcome is outcome for step in steps) for outcome in Outcome}
    others = [
        f"{counts[outcome]} {words}"
        for outcome, words in (
            (Outcome.SAME, "the same"),
            (Outcome.ANSWERED, "answered from the record"),
            (Outcome.SKIPPED, "skipped"),
            (Outcome.OPEN, "not done in the record"),
            (Outcome.NOT_REACHED, "not reached"),
        )
        if counts[outcome]
    ]
    differing = counts[Outcome.DIFFERS]
    if report.ok and not (counts[Outcome.SAME] or counts[Outcome.ANSWERED] or counts[Outcome.SKIPPED]):
        return f"nothing to compare: {', '.join(others)}" if others else "nothing to compare"
    if report.ok:
        return f"as recorded: {', '.join(others)}" if others else "as recorded"
    said = f"{differing} step{'s differ' if differing != 1 else ' differs'} from the record"
    return f"{said}; {', '.join(others)}" if others else said


def report_text(report: ReplayReport, steps: Sequence[ReplayedStep]) -> str:
    """Return the whole outcome as text to copy."""
    lines = [f"{report.workflow} {report.run_id}: {verdict(report, steps)}"]
    for step in steps:
        lines.append(f"  {step.name or 'input'}: {step.outcome}")
        lines += [f"    {place.path}: {place.recorded} → {place.replayed}" for place in step.places]
    return registered.mask("\n".join(lines))


def _outcome(said: str | None, recorded: StepView | None) -> Outcome:
    match said:
        case None:
            is_open = recorded is not None and recorded.status in _OPEN
            return Outcome.OPEN if is_open else Outcome.NOT_REACHED
        case "answered":
            return Outcome.ANSWERED
        case "skipped":
            return Outcome.SKIPPED
        case _:
            return Outcome.SAME


def _places(difference: StepDifference, secrets: Secrets) -> Iterator[Place]:
    recorded, replayed = difference.recorded, difference.replayed
    match difference.kind:
        case "data" if difference.key in secrets:
            yield Place(path=f"data.{difference.key}", recorded=MASK, replayed=f"{MASK} (another one)")
        case "data" | "output" as kind:
            path = kind if difference.key is None else f"{kind}.{difference.key}"
            gone = recorded is None, replayed is None
            values = [secrets.redact(tagged(value)) for value in (recorded, replayed)]
            pairs = list(_differing(path, *values)) if not any(gone) else [(path, *values)]
            if not pairs:  # what differs is masked, or only the type
                pairs = [(path, *values)]
            for place, before, after in pairs[:MOST]:
                yield Place(path=place, recorded=_line(before), replayed=_line(after))
        case "missing":
            yield Place(
                path="step", recorded=_words(recorded, secrets), replayed="the replay has no result of it"
            )
        case "added":
            yield Place(path="step", recorded="not in the record", replayed=_words(replayed, secrets))
        case kind:
            yield Place(path=kind, recorded=_words(recorded, secrets), replayed=_words(replayed, secrets))


_OPEN: Final = frozenset({"pending", "suspended", "interrupted", "cancelled"})
_NOTHING: Final = object()


def _differing(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Go down to where two JSON values differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from _differing(f"{path}.{key}", before.get(key, _NOTHING), after.get(key, _NOTHING))
    elif isinstance(before, list) and isinstance(after, list):
        for at in range(max(len(before), len(after))):
            left = before[at] if at < len(before) else _NOTHING
            right = after[at] if at < len(after) else _NOTHING
            yield from _differing(f"{path}[{at}]", left, right)
    elif type(before) is not type(after) or before != after:
        yield path, before, after


def _line(value: Any) -> str:
    if value is _NOTHING:
        return ABSENT
    return " ".join(line.strip() for line in write_json(value).splitlines())


def _words(value: Any, secrets: Secrets) -> str:
    return ABSENT if value is None else secrets.text(str(value))
