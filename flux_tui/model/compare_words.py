"""A comparison of two runs in words: what differs in a row, by how much, and the whole as text."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from flux_tui.model.compare import DATA, INPUT, RUN, Comparison, Difference, Presence, RowComparison, places
from flux_tui.model.preview import preview
from flux_tui.model.run import RunView
from flux_tui.model.secrets import Secrets
from flux_tui.model.spans import one_line
from flux_tui.model.text import duration_text, printable, status_word
from flux_tui.model.tree import MISSING

MOST_NAMES: Final = 4
LONGEST: Final = 120
MOST_PLACES: Final = 20
MOST_KEYS: Final = 200
NAME_CHARACTERS: Final = 60
TIMES: Final = "\N{MULTIPLICATION SIGN}"

SIGNS: Final = {
    Presence.BOTH: " ",
    Presence.MOVED: ("↕", "^"),
    Presence.FIRST: "-",
    Presence.SECOND: "+",
}


def sign(row: RowComparison, *, ascii: bool = False) -> str:  # noqa: A002
    """Return the sign in front of a row: only in one run, moved, different or the same."""
    if row.presence is Presence.BOTH:
        return " " if row.same else "~"
    shown = SIGNS[row.presence]
    return shown if isinstance(shown, str) else shown[ascii]


def delta_text(row: RowComparison) -> str:
    """Return by how much the second took longer, with its sign; empty when that cannot be said."""
    if row.delta is None:
        return ""
    if abs(row.delta) < 0.05:  # noqa: PLR2004 - less is not shown of a duration either
        return "0 ms"
    return f"{'+' if row.delta > 0 else '-'}{duration_text(abs(row.delta))}"


def ratio_text(row: RowComparison) -> str:
    """Return how many times as long the second took, ``x1.3``; empty when that cannot be said."""
    ratio = row.ratio
    if ratio is None:
        return ""
    if ratio >= 100:  # noqa: PLR2004
        return f"{TIMES}{ratio:.0f}" if ratio < 10_000 else f">{TIMES}9999"  # noqa: PLR2004
    return f"{TIMES}{ratio:.1f}" if ratio >= 0.95 else f"{TIMES}{ratio:.2f}"  # noqa: PLR2004


def tries_text(row: RowComparison) -> str:
    """Return how many attempts were made: ``1``, or ``1→3`` where that differs."""
    first, second = row.attempts
    if row.presence is Presence.FIRST:
        return str(first) if first else ""
    if row.presence is Presence.SECOND or first == second:
        return str(second) if second else ""
    return f"{first}→{second}"


def remark(row: RowComparison, *, attempts: bool = False) -> str:
    """Return what differs besides the time; empty when nothing does. ``attempts`` counts them."""
    said: list[str] = []
    if row.presence in (Presence.FIRST, Presence.SECOND):
        return f"only in {'A' if row.presence is Presence.FIRST else 'B'}"
    if row.presence is Presence.MOVED:
        said.append("moved")
    if row.statuses[0] != row.statuses[1]:
        said.append("status")
    if row.code:
        said.append("code")
    if attempts and row.attempts[0] != row.attempts[1]:
        said.append(f"attempts {tries_text(row)}")
    sections: dict[str, list[str]] = {}
    for difference in row.differences:
        sections.setdefault(difference.section, []).append(difference.name)
    for section, names in sections.items():
        if section in ("error", "skipped because"):
            said.append("error" if section == "error" else "reason")
        else:
            more = f" +{len(names) - MOST_NAMES}" if len(names) > MOST_NAMES else ""
            shown = ", ".join(name[:NAME_CHARACTERS] for name in names[:MOST_NAMES])
            said.append(f"{section}: {shown}{more}")
    if not said and row.attempts[0] != row.attempts[1]:
        said.append("tries")
    return " · ".join(said)


def no_details(row: RowComparison) -> str:
    """Return what there is to say of a row of which no data, output or error differs."""
    said = remark(row, attempts=True)
    if row.presence in (Presence.FIRST, Presence.SECOND):
        return f"This step is {said}."
    if said:
        return f"What differs: {said}. Data, output and errors are the same."
    return "The same in both: data, output and errors do not differ."


def summary(comparison: Comparison) -> str:
    """Return in a few words how much differs."""
    steps = [row for row in comparison.different if row.kind == "step"]
    if not comparison.different:
        return "the same, but for the time it took"
    whole = [row.name for row in comparison.different if row.kind in (INPUT, DATA)]
    said = [f"{len(steps)} step{'' if len(steps) == 1 else 's'} differ{'s' if len(steps) == 1 else ''}"]
    return " · ".join([*said, *(f"{name} differs" for name in whole)])


def comparison_text(comparison: Comparison, secrets: Secrets) -> str:
    """Return the whole comparison as text to paste, secrets masked."""
    return "\n".join(_lines(comparison, secrets))


def _lines(comparison: Comparison, secrets: Secrets) -> Iterator[str]:
    yield secrets.text(f"A  {_run_line(comparison.first)}")
    yield secrets.text(f"B  {_run_line(comparison.second)}")
    for row in comparison.rows:
        sides = [_side(row, 0), _side(row, 1)]
        times = "  ".join(part for part in (delta_text(row), ratio_text(row)) if part)
        same = "the same" if row.same else remark(row, attempts=True)
        shown = " -> ".join(sides) if any(sides) else ""
        yield "  ".join(
            part for part in (f"{sign(row, ascii=True)} {printable(row.name)}", shown, times, same) if part
        )
        for difference in row.differences[:MOST_KEYS]:
            yield from _inside(difference, secrets)
        if len(row.differences) > MOST_KEYS:
            yield f"    … and {len(row.differences) - MOST_KEYS:,} more"


def _run_line(run: RunView) -> str:
    took = "" if run.took is None else f"  {duration_text(run.took)}"
    error = "" if run.error is None else f"  {one_line(run.error)}"
    return f"{run.workflow} {run.id}  {run.status}{took}{error}"


def _side(row: RowComparison, at: int) -> str:
    status, took = row.statuses[at], row.durations[at]
    if status is None:
        return "" if row.kind in (RUN, INPUT, DATA) else "absent"
    return status_word(status) + ("" if took is None else f" {duration_text(took)}")


def _inside(difference: Difference, secrets: Secrets) -> Iterator[str]:
    """Yield a line for each place inside a difference, as many as one wants to read."""
    found = places(difference.first, difference.second)
    for path, first, second in islice(found, MOST_PLACES):
        hidden = any(key in secrets for key in (difference.name, *path))
        name = printable(difference.name[:NAME_CHARACTERS])
        sides = "differs (masked)" if hidden else f"{_brief(first, secrets)} -> {_brief(second, secrets)}"
        inside = "".join(
            f"[{key}]" if isinstance(key, int) else f".{printable(str(key)[:NAME_CHARACTERS])}"
            for key in path[:MOST_PLACES]
        )
        yield f"    {difference.section} {name}{inside}: {sides}"
    if next(found, None) is not None:
        yield f"    {difference.section} {printable(difference.name[:NAME_CHARACTERS])}: … and more"


def _brief(value: object, secrets: Secrets) -> str:
    if value is MISSING:
        return "absent"
    text = "".join(text for text, _ in preview(value, secrets, characters=LONGEST))
    return secrets.text(text)
