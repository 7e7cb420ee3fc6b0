"""Whether the trace can be read, what its last lines are worth, and how fast it grows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flux_engine.trace.events import TraceEvent
from flux_engine.trace.lines import TraceLines
from flux_tui.doctor.check import Check, bad, good, warning
from flux_tui.doctor.files import private, size_text
from flux_tui.settings import STANDARD_INPUT

AREA: Final = "trace"
END: Final = 1024 * 1024
LARGE: Final = 1_000_000_000
_DAY: Final = 86_400_000.0
_HOUR: Final = 3_600_000.0


def check_trace(trace: Path) -> Iterator[Check]:
    """Look at a trace: all of its size, and the lines at its end."""
    if trace == STANDARD_INPUT:
        yield good(AREA, "comes from standard input")
        return
    if not trace.exists():
        yield good(AREA, f"{trace} is not there yet; the first run makes it")
        return
    yield from private(AREA, [trace])
    try:
        size = trace.stat().st_size
        with trace.open("rb") as file:
            begin = TraceLines().feed(file.read(END))[0]
            file.seek(max(size - END, 0))
            content = file.read(END)
    except OSError as error:
        yield bad(AREA, f"{trace} cannot be read: {error.strerror or error}", f"chmod u+r {trace}")
        return
    lines = TraceLines(inside=size > END)
    events, wrong = lines.feed(content)
    yield _size(trace, size, [placed.event for placed in (*begin[:1], *events[-1:])])
    if wrong:
        advice = f"readers pass over them; the last begins with {wrong[-1].excerpt[:40]!r}"
        yield warning(
            AREA, f"{len(wrong)} of its last {len(events) + len(wrong)} lines are no events", advice
        )
    elif events:
        yield good(AREA, f"its last {len(events):,} lines are all events")
    if content and not content.endswith(b"\n"):
        text = "its last line is not finished: a writer died, or is writing now"
        yield warning(AREA, text, "nothing to do; the next writer begins a new line")


def _size(trace: Path, size: int, ends: list[TraceEvent]) -> Check:
    text = f"{trace}: {size_text(size)}"
    span = ends[-1].timestamp - ends[0].timestamp if ends else 0.0
    if span > _HOUR:
        text += f", about {size_text(size / (span / _DAY))} a day"
    if size > LARGE:
        advice = (
            "it may be deleted or moved away at any time, the store keeps the runs; a program of your own "
        )
        return warning(AREA, text, advice + "limits it with JsonFileTraceSink(max_bytes=…)")
    return good(AREA, text)
