"""What a graph says about a step besides its name: how it stands, how long it took, which attempt it is.

A caption has little room, so each has shorter forms; the longest that fits is shown.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from rich.cells import cell_len

from flux_tui.model.run import NodeSpec, StepView
from flux_tui.model.text import cut, duration_text, printable, status_glyph, status_word
from flux_tui.model.waits import left_forms, until_text, wake_forms

SPINNER: Final = ("◐◓◑◒", "|/-\\")
SPINNER_PERIOD: Final = 150.0
COMMIT_MARK: Final = ("◆", "+")
NOT_STARTED: Final = frozenset({"pending", "skipped"})
MOVING: Final = frozenset({"running", "waiting", "compensating"})
"""The statuses whose glyph or time changes by itself while a run is in hand."""


class Face(Struct, frozen=True):
    """What a box says below the name: its second line, and a note in its lower edge."""

    caption: str
    note: str = ""


def shown_status(step: StepView | None) -> str:
    """Return the status to draw: that of the step, or what it is about at the moment.

    That is ``waiting`` while a back-off lasts, ``compensating`` while what it did is taken back, and
    ``in doubt`` for a commit of which nobody knows whether it was done.
    """
    if step is None:
        return "pending"
    if step.compensation == "running":
        return "compensating"
    if step.status == "suspended" and step.waits_for is not None and step.waits_for.in_doubt:
        return "in doubt"
    if step.waiting_until is not None and step.status in ("running", "pending"):
        return "waiting"
    return step.status


def glyph(status: str, now: float, *, ascii: bool = False) -> str:  # noqa: A002
    """Return the glyph of a status at the moment ``now`` (milliseconds): the spinner turns."""
    if status not in ("running", "compensating"):
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


def face(
    step: StepView | None,
    node: NodeSpec,
    cells: int,
    now: float,
    *,
    ascii: bool = False,  # noqa: A002
) -> Face:
    """Return what the box of a step says below its name, each text at most ``cells`` wide."""
    said = caption(step, node, cells, now, ascii=ascii)
    forms = () if step is None else _note_forms(step, now)
    if not forms or any(form in said for form in forms):
        return Face(said)
    return Face(said, _fitting(forms, cells))


def caption(
    step: StepView | None,
    node: NodeSpec,
    cells: int,
    now: float,
    *,
    ascii: bool = False,  # noqa: A002
) -> str:
    """Return the second line of a step's box, at most ``cells`` wide."""
    forms = [""] if step is None else _caption_forms(step, shown_status(step), now)
    if (step.commit if step is not None else False) or node.commit:
        mark = COMMIT_MARK[ascii]
        forms = [_words(mark, lead, form) for form in forms for lead in ("commit", "")] + forms
    return _fitting(forms, cells)


def _fitting(forms: Sequence[str], cells: int) -> str:
    """Return the first of several forms that fits; when none does, the last one cut."""
    return cut(next((form for form in forms if cell_len(form) <= cells), forms[-1]), cells)


def _caption_forms(step: StepView, status: str, now: float) -> list[str]:
    word, time = status_word(status), elapsed_text(step, now)
    forms = [_words(word, time), word]
    match status:
        case "pending":
            forms = [""]
        case "skipped" if step.reason:
            forms = [f"skipped · {printable(step.reason)}", "skipped"]
        case "waiting":
            left, tries = countdown_text(step, now), tries_text(step, always=True)
            forms = [_words(tries, "again in", left), _words(tries, "in", left), f"in {left}"]
            forms = forms if now > 0 else ["waiting"]
        case "suspended":
            forms = _waiting_forms(step, now)
        case "completed" if step.compensation == "failed":
            forms = ["not compensated", "undo failed", "no undo"]
        case "completed":
            tries = tries_text(step)
            forms = [_words(tries, time) or "completed", _words(tries, _rounded(time)), time or "done"]
        case "failed" | "running":
            tries = tries_text(step, always=True)
            forms = [_words(status, tries, time), _words(tries, time) or status]
            forms += [_words(tries, _rounded(time)), time or status]
        case "compensating" | "compensated":
            forms = [word, "undoing" if status == "compensating" else "undone"]
    return forms


def _waiting_forms(step: StepView, now: float) -> list[str]:
    wait = step.waits_for
    if wait is None:
        return ["suspended"]
    until = next(iter(_until_forms(step, now)), "")
    name = printable(wait.signal or "")
    if not name:
        return [f"sleeping · {until}", "sleeping", "sleeps"] if until else ["sleeping", "sleeps"]
    forms = [f"waits for {name}", f"waits: {name}", name]
    return [f"{forms[0]} · {until}", f"{forms[1]} · {until}", *forms] if until else forms


def _until_forms(step: StepView, now: float) -> list[str]:
    wait = step.waits_for
    if wait is None or wait.until is None:
        return []
    return left_forms(wait.until, now) if wait.signal else wake_forms(wait.until, now)


def _note_forms(step: StepView, now: float) -> list[str]:
    """Return what the lower edge of a box can say, the longest form first."""
    match shown_status(step):
        case "suspended":
            return _until_forms(step, now)
        case "in doubt":
            return ["was it done?", "done or not", "done?"]
        case "skipped" if step.reason:
            return [printable(step.reason)]
    return []


def remark(step: StepView | None, now: float = 0.0) -> str:
    """Return what went wrong, what is waited for, or why nothing was done, on one line."""
    if step is None:
        return ""
    if step.compensation_error is not None:
        return printable(f"not compensated: {step.compensation_error}")
    if step.error is not None:
        return printable(str(step.error))
    if shown_status(step) == "suspended" and step.waits_for is not None and now > 0:
        return _waiting_forms(step, now)[0]
    return waiting_text(step) or printable(step.reason or "")


def _rounded(time: str) -> str:
    """Return ``1.24 s`` as ``1.2 s``; other times as they are."""
    number, _, unit = time.partition(" ")
    return f"{float(number):.1f} s" if unit == "s" else time


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)
