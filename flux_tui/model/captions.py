"""What a graph says about a step besides its name: how it stands, how long it took, which attempt it is.

A caption has little room, so each has shorter forms; the longest that fits is shown.
"""

from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len

from flux_tui.model.run import NodeSpec, StepView
from flux_tui.model.text import cut, duration_text, printable, status_glyph, status_word

SPINNER: Final = ("◐◓◑◒", "|/-\\")
SPINNER_PERIOD: Final = 150.0
COMMIT_MARK: Final = ("◆", "+")
NOT_STARTED: Final = frozenset({"pending", "skipped"})


def shown_status(step: StepView | None) -> str:
    """Return the status to draw: that of the step, or ``waiting`` while a back-off lasts."""
    if step is None:
        return "pending"
    if step.waiting_until is not None and step.status in ("running", "pending"):
        return "waiting"
    return step.status


def glyph(status: str, now: float, *, ascii: bool = False) -> str:  # noqa: A002
    """Return the glyph of a status at the moment ``now`` (milliseconds): the spinner turns."""
    if status != "running":
        return status_glyph(status, ascii)
    frames = SPINNER[ascii]
    return frames[int(now // SPINNER_PERIOD) % len(frames)]


def elapsed_text(step: StepView, now: float) -> str:
    """Return how long a step took, or how long it has been running at ``now``; empty when unknown."""
    if step.status == "running" and step.duration is None:
        if step.started_at is None or now < step.started_at:
            return ""
        elapsed = now - step.started_at
        return f"{elapsed / 1000:.1f} s" if elapsed < 60_000 else duration_text(elapsed)  # noqa: PLR2004
    return "" if step.duration is None else duration_text(step.duration)


def countdown_text(step: StepView, now: float) -> str:
    """Return how long it is until the next attempt."""
    left = max((step.waiting_until or now) - now, 0.0)
    return f"{left / 1000:.1f} s" if left < 60_000 else duration_text(left)  # noqa: PLR2004


def until_text(moment: float) -> str:
    """Return a moment (milliseconds) as the local day and time, to the minute."""
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone().strftime("%d %b %H:%M")


def waiting_text(step: StepView) -> str:
    """Return what a suspended step waits for, in words; empty when that is not known."""
    wait = step.waits_for
    if wait is None:
        return ""
    until = "" if wait.until is None else f"until {until_text(wait.until)}"
    if wait.in_doubt:
        return "in doubt: was it done?"
    return _words("waits for", printable(wait.signal), until) if wait.signal else _words("waits", until)


def tries_text(step: StepView, *, always: bool = False) -> str:
    """Return ``2/3`` when a step made more than one attempt; ``always``: also when it only may."""
    most = step.max_tries or 0
    if step.tries > 1 or (always and step.tries == 1 and most > 1):
        return f"{step.tries}/{max(most, step.tries)}" if most else f"#{step.tries}"
    return ""


def caption(
    step: StepView | None,
    node: NodeSpec,
    cells: int,
    now: float,
    *,
    ascii: bool = False,  # noqa: A002
) -> str:
    """Return the second line of a step's box, at most ``cells`` wide."""
    status = shown_status(step)
    if step is None or status == "pending":
        forms = [""]
    elif status == "skipped":
        forms = [printable(step.reason or "") or "skipped", "skipped"]
    elif status == "waiting":
        left, tries = countdown_text(step, now), tries_text(step, always=True)
        forms = [_words(tries, "again in", left), _words(tries, "in", left), f"in {left}"]
        forms = forms if now > 0 else ["waiting"]
    elif status == "suspended":
        forms = _waiting_forms(step)
    elif status == "completed":
        tries, time = tries_text(step), elapsed_text(step, now)
        forms = [_words(tries, time) or "completed", _words(tries, _rounded(time)), time or "done"]
    elif status in ("failed", "running"):
        tries, time = tries_text(step, always=True), elapsed_text(step, now)
        forms = [_words(status, tries, time), _words(tries, time) or status, _words(tries, _rounded(time))]
        forms += [time or status]
    else:
        word = status_word(status)
        forms = [_words(word, elapsed_text(step, now)), word]
    if (step.commit if step is not None else False) or node.commit:
        mark = COMMIT_MARK[ascii]
        forms = [_words(mark, lead, form) for form in forms for lead in ("commit", "")] + forms
    shown = next((form for form in forms if cell_len(form) <= cells), forms[-1])
    return cut(shown, cells)


def _waiting_forms(step: StepView) -> list[str]:
    wait = step.waits_for
    if wait is None:
        return ["suspended"]
    if wait.in_doubt:
        return ["in doubt", "doubt"]
    name = printable(wait.signal or "")
    return [f"waits for {name}", f"waits: {name}", name] if name else ["sleeping", "sleeps"]


def remark(step: StepView | None) -> str:
    """Return what went wrong or why nothing was done, on one line."""
    if step is None:
        return ""
    if step.error is not None:
        return printable(str(step.error))
    return waiting_text(step) or printable(step.reason or "")


def _rounded(time: str) -> str:
    """Return ``1.24 s`` as ``1.2 s``; other times as they are."""
    number, _, unit = time.partition(" ")
    return f"{float(number):.1f} s" if unit == "s" else time


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)
