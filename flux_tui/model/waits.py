"""Until when a step waits, in words that fit: how long is left, or when it wakes.

Texts change once a minute, and once a second only in the last two minutes; ``next_change`` tells when.
"""

from datetime import UTC, datetime
from typing import Final

from flux_tui.model.run import RunView

SECOND: Final = 1_000.0
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
LAST: Final = 2 * MINUTE


def until_text(moment: float) -> str:
    """Return a moment (milliseconds) as the local day and time, to the minute."""
    return _local(moment).strftime("%d %b %H:%M")


def clock_text(moment: float) -> str:
    """Return a moment (milliseconds) as the local time to the second, with its day."""
    return _local(moment).strftime("%d %b %H:%M:%S")


def left_forms(until: float, now: float) -> list[str]:
    """Return how long it is until a moment, in full and shorter: ``58 min left``."""
    if now <= 0:
        return [f"until {until_text(until)}", until_text(until), _local(until).strftime("%H:%M")]
    left = until - now
    if left <= 0:
        return ["due now", "due"]
    if left < LAST:
        return [f"{int(left // SECOND)} s left", f"{int(left // SECOND)} s"]
    if left < HOUR:
        minutes = int(left // MINUTE)
        return [f"{minutes} min left", f"{minutes} m left", f"{minutes} min"]
    larger, smaller = (HOUR, MINUTE) if left < DAY else (DAY, HOUR)
    units = ("h", "m") if left < DAY else ("d", "h")
    whole, rest = int(left // larger), int(left % larger // smaller)
    exact = f"{whole} {units[0]} {rest:02d} {units[1]}"
    return [f"{exact} left", exact, f"{whole} {units[0]} left", f"{whole} {units[0]}"]


def wake_forms(until: float, now: float) -> list[str]:
    """Return when a sleeping step wakes, in full and shorter; the day is left out when it is today."""
    wakes = _local(until)
    time = wakes.strftime("%H:%M")
    if now > 0 and _local(now).date() == wakes.date():
        return [f"wakes {time}", time]
    return [f"wakes {until_text(until)}", f"wakes {wakes.strftime('%d %b')}", wakes.strftime("%d %b"), time]


def next_change(until: float, now: float) -> float | None:
    """Return in how many milliseconds the text of ``left_forms`` changes; ``None`` when it stays."""
    left = until - now
    if left <= 0:
        return None
    return left % (SECOND if left <= LAST else MINUTE) + 1.0


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone()


def paused_before(run: RunView | None) -> frozenset[str]:
    """Return the steps that a paused run stands before; nothing of a run that is not paused.

    Those of its breakpoints if it is known that they stopped it, else the one that it goes on with.
    """
    if run is None or run.status != "paused":
        return frozenset()
    waiting = {step.name: step for step in run.steps if step.status == "pending"}
    if stopped := waiting.keys() & set(run.before):
        return frozenset(stopped)
    done = {step.name for step in run.steps if step.status in ("completed", "skipped")}
    held = {after for before, after in run.graph.edges if before not in done}
    return frozenset(sorted(waiting.keys() - held, key=lambda name: waiting[name].index)[:1])
