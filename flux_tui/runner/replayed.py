"""The report of a replay on its way from the runner to the dashboard, which has no code of the user."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from flux_engine.codec import decode_plain, encode
from flux_engine.errors import SerializationError
from flux_engine.replay_report import ReplayReport, StepDifference


def packed(report: ReplayReport) -> dict[str, Any]:
    """Return a report as JSON; values that JSON has not are in the tagged form of the codec."""
    found: dict[str, Any] = msgspec.to_builtins(replace(report, steps=()))
    found["steps"] = [_packed_difference(each) for each in report.steps]
    return found


def unpacked(report: Mapping[str, Any]) -> ReplayReport:
    """Return the report for looking at it: instances of classes that are not loaded are plain dicts."""
    steps = tuple(_unpacked_difference(each) for each in report.get("steps", ()))
    return replace(msgspec.convert({**report, "steps": ()}, ReplayReport), steps=steps)


def _packed_difference(difference: StepDifference) -> dict[str, Any]:
    bare: dict[str, Any] = msgspec.to_builtins(replace(difference, recorded=None, replayed=None))
    return {**bare, "recorded": _text(difference.recorded), "replayed": _text(difference.replayed)}


def _unpacked_difference(difference: Mapping[str, Any]) -> StepDifference:
    bare = {**difference, "recorded": None, "replayed": None}
    return replace(
        msgspec.convert(bare, StepDifference),
        recorded=decode_plain(difference["recorded"]),
        replayed=decode_plain(difference["replayed"]),
    )


def _text(value: Any) -> str:
    try:
        return encode(value)
    except SerializationError:
        return encode(repr(value))
