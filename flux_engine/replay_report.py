"""What a replay found: values to show, and how a step of a replay is held against the record."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

from flux_engine.codec import decode_plain
from flux_engine.journal import Progress, StepProgress, decode_error

DifferenceKind = Literal["status", "data", "output", "error", "missing", "added"]

_SHORT = 80


class StepDifference(Struct, frozen=True, kw_only=True):
    """Where a replay came to something else than the record.

    ``kind`` says in what: the ``status`` of the step, the ``data`` under ``key``, its ``output``, its
    ``error``. ``missing`` is a step that the record has and the replay could not get to: a commit without a
    recorded result, or a step that the workflow no longer has. ``added`` is one that the record does not
    have. An ``error`` of no step is an input that no longer fits. Values of data and output are as
    ``engine.get`` has them, ``None`` when there is none.
    """

    step: str
    kind: DifferenceKind
    key: str | None = None
    recorded: Any = None
    replayed: Any = None

    def __str__(self) -> str:
        what = self.kind if self.key is None else f"{self.kind} {self.key!r}"
        show = repr if self.kind in ("data", "output") else str
        return (
            f"{self.step or 'input'}: {what}: {_short(show(self.recorded))} → {_short(show(self.replayed))}"
        )


class ReplayReport(Struct, frozen=True, kw_only=True):
    """What a replay found: ``ok`` when it came to what is recorded, else the differences in ``steps``.

    ``outcomes`` says how each step came out that the replay got to. A commit that was answered from the
    record is ``answered``, and one that the record has no result of is not among them.
    """

    run_id: str
    workflow: str
    ok: bool
    steps: tuple[StepDifference, ...] = ()
    outcomes: dict[str, str] = {}

    def __str__(self) -> str:
        if self.ok:
            return f"{self.workflow} {self.run_id}: as recorded"
        count = f"{len(self.steps)} difference{'s' if len(self.steps) != 1 else ''} (recorded → replayed)"
        return "\n".join([f"{self.workflow} {self.run_id}: {count}", *(f"  {step}" for step in self.steps)])


def data_differences(
    recorded: Progress, replayed: Progress, name: str, ignore: frozenset[str]
) -> Iterator[StepDifference]:
    """Compare what the data is after a step, for the keys that it changed then or now."""
    then, now = _texts_after(recorded, name), _texts_after(replayed, name)
    for key in _touched(recorded.steps[name], replayed.steps[name]):
        a, b = then.get(key), now.get(key)
        if key not in ignore and not _same(a, b):
            yield StepDifference(step=name, kind="data", key=key, recorded=_plain(a), replayed=_plain(b))


def _texts_after(progress: Progress, name: str) -> dict[str, str]:
    texts = progress.texts_before(name)
    progress.steps[name].delta().apply(texts)
    return texts


def _touched(*steps: StepProgress) -> list[str]:
    return sorted({key for step in steps for key in (*step.delta().set, *step.delta().deleted)})


def error_differences(then: StepProgress, now: StepProgress) -> Iterator[StepDifference]:
    """Compare what two steps failed with: errors of the same type and message are equal."""
    recorded = None if then.last is None else decode_error(then.last.error)
    replayed = None if now.last is None else decode_error(now.last.error)
    a, b = (None if error is None else (error.type, error.message) for error in (recorded, replayed))
    if a != b:
        yield StepDifference(
            step=then.name,
            kind="error",
            recorded=None if recorded is None else str(recorded),
            replayed=None if replayed is None else str(replayed),
        )


def output_differences(
    then: StepProgress, now: StepProgress, ignore: frozenset[str]
) -> Iterator[StepDifference]:
    """Compare what two steps returned."""
    recorded = None if then.last is None else then.last.output
    replayed = None if now.last is None else now.last.output
    if not _same(_without(recorded, ignore), _without(replayed, ignore)):
        yield StepDifference(
            step=then.name, kind="output", recorded=_plain(recorded), replayed=_plain(replayed)
        )


def _without(text: str | None, ignore: frozenset[str]) -> str | None:
    """Return an output without the ignored keys, when it is a dict that JSON can write."""
    if text is None or not ignore:
        return text
    wire = msgspec.json.decode(text)
    if not isinstance(wire, dict) or "$type" in wire:
        return text
    return msgspec.json.encode({key: item for key, item in wire.items() if key not in ignore}).decode()


def _same(recorded: str | None, replayed: str | None) -> bool:
    """Say whether two stored values are the same value of the same type."""
    if recorded == replayed:
        return True
    if recorded is None or replayed is None:
        return False
    return _sorted(recorded) == _sorted(replayed)


def _sorted(text: str) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(text), order="deterministic")


def _plain(text: str | None) -> Any:
    return None if text is None else decode_plain(text)


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
