"""Two runs set side by side, aligned by the names of their steps.

The first run is the one to compare with, the second the one in question: what is told of a difference is
how the second differs from the first. Data are compared key by key; what differs inside a value is for
whoever draws it to find, where it is looked at.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from flux_engine.execution import ErrorInfo
from flux_tui.model.run import RunRowView, RunView, StepView
from flux_tui.model.tree import DEEPEST, MISSING, Mark, mark_of, merged_keys, type_tag, untagged

Value = Any

RUN, INPUT, DATA = "run", "input", "data"
"""The keys of the rows that are about the runs as a whole."""


class Presence(StrEnum):
    """In which of the two runs a step is; ``moved`` when it is in both, but at another place."""

    BOTH = "both"
    MOVED = "moved"
    FIRST = "first"
    SECOND = "second"


class Difference(Struct, frozen=True, kw_only=True):
    """Something that differs: ``name`` says what, the sides are ``MISSING`` where there is nothing."""

    section: str
    name: str
    first: Value
    second: Value

    @property
    def mark(self) -> Mark:
        """Whether it was added, changed or deleted on the way from the first to the second."""
        return mark_of(self.first, self.second)


class RowComparison(Struct, frozen=True, kw_only=True):
    """A row: a step, or the runs as a whole (``kind`` is ``step``, ``run``, ``input`` or ``data``).

    ``statuses``, ``durations`` (milliseconds) and ``attempts`` have a value for each run, ``None`` where
    there is nothing to say. ``code`` says that the handler's code was another one.
    """

    kind: str
    name: str
    presence: Presence = Presence.BOTH
    statuses: tuple[str | None, str | None] = (None, None)
    durations: tuple[float | None, float | None] = (None, None)
    attempts: tuple[int, int] = (0, 0)
    differences: tuple[Difference, ...] = ()
    code: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the row."""
        return self.kind, self.name

    @property
    def delta(self) -> float | None:
        """By how many milliseconds the second took longer; ``None`` when either is not known."""
        first, second = self.durations
        return None if first is None or second is None else second - first

    @property
    def ratio(self) -> float | None:
        """How many times as long the second took; ``None`` when that cannot be said."""
        first, second = self.durations
        return None if not first or second is None else second / first

    @property
    def same(self) -> bool:
        """Whether nothing but the time it took differs."""
        return (
            self.presence is Presence.BOTH
            and self.statuses[0] == self.statuses[1]
            and self.attempts[0] == self.attempts[1]
            and not self.differences
            and not self.code
        )


def partner_of(run: RunView, rows: Iterable[RunRowView]) -> str | None:
    """Return the run to compare with: the latest other one of the workflow that completed, else the latest.

    ``rows`` are the runs there are, newest first.
    """
    others = [row for row in rows if row.workflow == run.workflow and row.id != run.id]
    good = (row for row in others if row.status == "completed")
    found = next(good, None) or next(iter(others), None)
    return None if found is None else found.id


class Comparison(Struct, frozen=True, kw_only=True):
    """Two runs and the rows that set them side by side: the runs, their input, each step, their data."""

    first: RunView
    second: RunView
    rows: tuple[RowComparison, ...]

    @property
    def different(self) -> tuple[RowComparison, ...]:
        """The rows that differ in more than time."""
        return tuple(row for row in self.rows if not row.same)


def compare(first: RunView, second: RunView) -> Comparison:
    """Set two runs side by side."""
    names = [step.name for step in first.steps], [step.name for step in second.steps]
    moved = moved_names(*names)
    steps = tuple(_step(name, first.step(name), second.step(name), name in moved) for name in merged(*names))
    return Comparison(
        first=first,
        second=second,
        rows=(_run(first, second), _input(first, second), *steps, _data(first, second)),
    )


# Alignment


def merged(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Return all names in the order of the second run, those of the first alone behind what preceded them."""
    there = set(second)
    behind: dict[str | None, list[str]] = {}
    anchor: str | None = None
    for name in first:
        if name in there:
            anchor = name
        else:
            behind.setdefault(anchor, []).append(name)
    found = list(behind.get(None, ()))
    for name in second:
        found += [name, *behind.get(name, ())]
    return found


def moved_names(first: Sequence[str], second: Sequence[str]) -> frozenset[str]:
    """Return the names in both whose order differs: as few as explain it."""
    place = {name: at for at, name in enumerate(first)}
    common = [name for name in second if name in place]
    # The longest rising row of places stays; `ends` has the smallest end of a row of each length.
    ends: list[int] = []
    lengths: list[int] = []
    for name in common:
        at = bisect_left(ends, place[name])
        ends[at : at + 1] = [place[name]]
        lengths.append(at)
    kept: set[str] = set()
    wanted = len(ends) - 1
    limit = len(first)
    for name, length in zip(reversed(common), reversed(lengths), strict=True):
        if length == wanted and place[name] < limit:
            kept.add(name)
            wanted, limit = wanted - 1, place[name]
    return frozenset(common) - kept


# Rows


def _run(first: RunView, second: RunView) -> RowComparison:
    return RowComparison(
        kind=RUN,
        name=first.workflow if first.workflow == second.workflow else f"{first.workflow} / {second.workflow}",
        statuses=(first.status, second.status),
        durations=(first.took, second.took),
        differences=_differing("error", _error(first.error), _error(second.error)),
    )


def _input(first: RunView, second: RunView) -> RowComparison:
    return RowComparison(
        kind=INPUT, name="input", differences=_differing("input", _keyed(first.input), _keyed(second.input))
    )


def _data(first: RunView, second: RunView) -> RowComparison:
    return RowComparison(
        kind=DATA,
        name="data at the end",
        differences=_differing("data", _last_data(first), _last_data(second)),
    )


def _step(name: str, first: StepView | None, second: StepView | None, moved: bool) -> RowComparison:  # noqa: FBT001
    presence = Presence.MOVED if moved else Presence.BOTH
    if first is None or second is None:
        presence = Presence.SECOND if first is None else Presence.FIRST
    prints = ("" if first is None else first.fingerprint), ("" if second is None else second.fingerprint)
    return RowComparison(
        kind="step",
        name=name,
        presence=presence,
        statuses=(_status(first), _status(second)),
        durations=(_duration(first), _duration(second)),
        attempts=(_tries(first), _tries(second)),
        differences=(
            *_differing("data", _changed(first), _changed(second)),
            *_differing("output", _output(first), _output(second)),
            *_differing("error", _error_of(first), _error_of(second)),
            *_differing("skipped because", _reason(first), _reason(second)),
        ),
        code=all(prints) and prints[0] != prints[1],
    )


def _differing(
    section: str, first: Mapping[str, Value], second: Mapping[str, Value]
) -> tuple[Difference, ...]:
    names = dict.fromkeys((*first, *second))
    pairs = ((name, first.get(name, MISSING), second.get(name, MISSING)) for name in names)
    return tuple(
        Difference(section=section, name=name, first=old, second=new)
        for name, old, new in pairs
        if mark_of(old, new) is not Mark.SAME
    )


def places(first: Value, second: Value) -> Iterator[tuple[tuple[Hashable, ...], Value, Value]]:
    """Yield each place inside two values at which they differ, with what is there on either side."""
    waiting: list[tuple[tuple[Hashable, ...], Value, Value]] = [((), first, second)]
    while waiting:
        path, one, other = waiting.pop()
        if mark_of(one, other) is Mark.SAME:
            continue
        old, new = untagged(one), untagged(other)
        if len(path) < DEEPEST and type_tag(one) == type_tag(other) and _alike(old, new):
            keys = merged_keys(old, new)
            inside = (((*path, key), _at(old, key), _at(new, key)) for key in keys)
            waiting.extend(reversed(list(inside)))
        else:
            yield path, one, other


def _alike(one: Value, other: Value) -> bool:
    return any(isinstance(one, kind) and isinstance(other, kind) for kind in (Mapping, list))


def _at(value: Value, key: Hashable) -> Value:
    if isinstance(value, Mapping):
        return value.get(key, MISSING)
    return value[key] if isinstance(key, int) and key < len(value) else MISSING


WHOLE: Final = "value"
"""The name under which a value that has no keys is compared."""

DELETED: Final = "(deleted)"
"""The name under which the names of deleted keys are compared."""


def _keyed(value: Value) -> dict[str, Value]:
    if value is None:
        return {}
    if isinstance(value, Mapping) and "$type" not in value:
        return {str(key): item for key, item in value.items()}
    if isinstance(value, Mapping) and isinstance(value.get("value"), Mapping):
        return {str(key): item for key, item in value["value"].items()}
    return {WHOLE: value}


def _last_data(run: RunView) -> dict[str, Value]:
    if run.final_data is not None:
        return dict(run.final_data)
    return run.data_after(run.steps[-1].name) if run.knows_data and run.steps else {}


def _changed(step: StepView | None) -> dict[str, Value]:
    """Return what a step made of the data: the keys it set, and the names of those it deleted."""
    if step is None or step.changes is None:
        return {}
    gone = {DELETED: sorted(step.changes.deleted)} if step.changes.deleted else {}
    return {**step.changes.set, **gone}


def _output(step: StepView | None) -> dict[str, Value]:
    return {} if step is None or step.output is None else _keyed(step.output)


def _error_of(step: StepView | None) -> dict[str, Value]:
    return {} if step is None else _error(step.error)


def _error(error: ErrorInfo | None) -> dict[str, Value]:
    if error is None:
        return {}
    frame = next((frame for frame in reversed(error.frames) if frame.user), None)
    at = {} if frame is None else {"at": f"{frame.file}:{frame.line} in {frame.function}"}
    return {"type": error.type, "message": error.message, **at}


def _reason(step: StepView | None) -> dict[str, Value]:
    return {"reason": step.reason} if step is not None and step.status == "skipped" and step.reason else {}


def _status(step: StepView | None) -> str | None:
    return None if step is None else step.status


def _duration(step: StepView | None) -> float | None:
    return None if step is None or step.status == "skipped" else step.duration


def _tries(step: StepView | None) -> int:
    return 0 if step is None else step.attempt
