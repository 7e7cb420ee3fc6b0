"""A timeline in words: what a span was, how long a step took, how the time of a run was spent."""

from flux_tui.model.spans import Span
from flux_tui.model.text import duration_text, status_glyph
from flux_tui.model.timeline import Lane, Timeline, Totals

VERBS = {
    "completed": "completed",
    "suspended": "returned, and waits",
    "running": "is running",
    "failed": "failed",
    "interrupted": "was interrupted",
    "cancelled": "was cancelled",
}


TIMES = "\N{MULTIPLICATION SIGN}"
UNDONE = {"compensated": "taken back", "failed": "could not be taken back"}


def span_text(
    span: Span,
    lane: Lane,
    line: Timeline,
    now: float,
    *,
    ascii: bool = False,  # noqa: A002
) -> str:
    """Return a span in one line: which attempt, how it ended, when it began, how long it took."""
    began = f"at +{duration_text(span.start - line.start)}"
    if span.kind == "skipped":
        reason = f": {span.note}" if span.note else ""
        return f"{status_glyph('skipped', ascii)} skipped {began}{reason}"
    took = (now if span.end is None else span.end) - span.start if span.took is None else span.took
    lasted = f"{'for' if span.end is None else 'took'} {duration_text(took)}"
    if span.kind == "wait":
        lasted = f"for {duration_text((now if span.end is None else span.end) - span.start)}"
        verb = span.note if span.end is None else span.note.replace("waits", "waited", 1)
        return f"{status_glyph('suspended', ascii)} {verb} {began} {lasted}"
    glyph = status_glyph(span.status, ascii)
    if span.kind == "compensation":
        what = UNDONE.get(span.status, "taking back")
        words = [f"{glyph} {what} {began}, {lasted}"]
    else:
        words = [f"attempt {span.attempt} {glyph} {VERBS.get(span.status, span.status)} {began}, {lasted}"]
    pause = _pause(span, lane, now)
    if pause is not None:
        words.append(f"back-off {duration_text(pause)}")
    if span.note:
        words.append(span.note)
    return " · ".join(words)


def _pause(span: Span, lane: Lane, now: float) -> float | None:
    """Return how long the back-off after an attempt lasted, or is going to."""
    if span.delay is not None:
        return span.delay
    at = next((at for at, each in enumerate(lane.spans) if each is span), -1)
    after = lane.spans[at + 1] if 0 <= at < len(lane.spans) - 1 else None
    if after is None or after.kind != "back-off":
        return None
    return (now if after.end is None else after.end) - after.start


def total_text(lane: Lane, now: float) -> str:
    """Return how long the attempts of a step took together, and how many there were if several."""
    attempts = [span for span in lane.spans if span.kind == "attempt"]
    if not attempts:
        return "skipped" if lane.spans and lane.spans[-1].kind == "skipped" else ""
    took = sum(
        ((now if span.end is None else span.end) - span.start) if span.took is None else span.took
        for span in attempts
    )
    many = f"{len(attempts)}{TIMES} " if len(attempts) > 1 else ""
    return f"{many}{duration_text(took)}"


def totals_text(spent: Totals) -> str:
    """Return how the time of a run was spent: in all, in handlers, waiting, and with nothing to do."""
    return (
        f"took {duration_text(spent.took)} · {duration_text(spent.handlers)} in handlers · "
        f"{duration_text(spent.waiting)} waiting · {duration_text(spent.idle)} idle"
    )
