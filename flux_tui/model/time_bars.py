"""The rows of a timeline as runs of characters that tell apart without colour what a step did when."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from flux_tui.model.spans import Span
from flux_tui.model.text import status_glyph
from flux_tui.model.time_scale import FOLD_MARK, Scale
from flux_tui.model.timeline import Lane

FILLS: Final = {
    "completed": ("█", "#"),
    "failed": ("▒", "%"),
    "running": ("▓", ">"),
    "suspended": ("█", "#"),
    "interrupted": ("▒", "%"),
    "cancelled": ("▒", "%"),
    "compensated": ("░", "<"),
    "back-off": ("·", "."),
    "wait": ("╌", "-"),
    "skipped": ("⊘", "/"),
}
CURSOR: Final = ("│", "|")

_STAMPED: Final = frozenset({"failed", "interrupted", "cancelled", "compensated"})
_RANK: Final = {"failed": 6, "interrupted": 6, "running": 5, "cancelled": 5}
_QUIET: Final = {"back-off": 1, "wait": 1, "skipped": 2}


class Bit(Struct, frozen=True, kw_only=True):
    """Characters of one look. ``kind`` is a key of ``FILLS``, ``fold``, ``cursor`` or empty.

    ``chosen`` marks the span that was chosen, ``later`` what lies behind the moment that is looked at.
    """

    text: str
    kind: str = ""
    chosen: bool = False
    later: bool = False


def look(span: Span) -> str:
    """Return what a span is drawn as: a key of ``FILLS``."""
    if span.kind in ("back-off", "wait", "skipped"):
        return span.kind
    if span.kind == "compensation" and span.status in ("running", "completed"):
        return "compensated"
    return span.status if span.status in FILLS else "completed"


def bars(
    lane: Lane,
    scale: Scale,
    now: float,
    *,
    chosen: Span | None = None,
    moment: float | None = None,
    ascii: bool = False,  # noqa: A002
) -> list[Bit]:
    """Return the row of a step. ``now`` is where spans end that still last."""
    cells = [Bit(text=" ")] * scale.width
    for fold in scale.folds:
        middle = (round(fold.left) + round(fold.right)) // 2
        if middle < scale.width:
            cells[middle] = Bit(text=FOLD_MARK[ascii], kind="fold")
    ranked = sorted(lane.spans, key=_rank)
    for span in ranked:
        _paint(cells, span, scale, now, chosen=span is chosen, plain=ascii)
    if moment is not None:
        at = min(round(scale.cell(moment)), scale.width - 1)
        cells = [_after(bit) if cell > at else bit for cell, bit in enumerate(cells)]
        if not cells[at].kind:
            cells[at] = Bit(text=CURSOR[ascii], kind="cursor")
    return _joined(cells)


def axis(scale: Scale, *, moment: float | None = None, ascii: bool = False) -> str:  # noqa: A002
    """Return the line above the rows: ticks, and how long each fold is."""
    cells = [" "] * scale.width
    for tick in scale.ticks():
        _write(cells, tick.cell, tick.text)
    for fold in scale.folds:
        left, room = round(fold.left), round(fold.right) - round(fold.left)
        text = f"{FOLD_MARK[ascii]} {fold.label}"
        _write(cells, left, text.center(room) if len(text) <= room else FOLD_MARK[ascii] * min(room, 1))
    if moment is not None:
        cells[min(round(scale.cell(moment)), scale.width - 1)] = "V" if ascii else "▼"
    return "".join(cells)


def _write(cells: list[str], left: int, text: str) -> None:
    for cell, letter in enumerate(text, start=left):
        if 0 <= cell < len(cells):
            cells[cell] = letter


def _rank(span: Span) -> int:
    kind = look(span)
    return _QUIET.get(kind, _RANK.get(kind, 4))


def _paint(cells: list[Bit], span: Span, scale: Scale, now: float, *, chosen: bool, plain: bool) -> None:
    kind = look(span)
    end = max(now, span.start) if span.end is None else span.end
    left = min(round(scale.cell(span.start)), scale.width - 1)
    right = max(min(round(scale.cell(end)), scale.width), left + 1)
    bit = Bit(text=FILLS[kind][plain], kind=kind, chosen=chosen)
    for cell in range(left, right):
        if cells[cell].kind != "fold" or kind != "wait":
            cells[cell] = bit
    if kind in _STAMPED:
        cells[right - 1] = Bit(text=status_glyph(kind, plain), kind=kind, chosen=chosen)


def _after(bit: Bit) -> Bit:
    return Bit(text=bit.text, kind=bit.kind, chosen=bit.chosen, later=True)


def _joined(cells: Sequence[Bit]) -> list[Bit]:
    looks = groupby(cells, key=lambda bit: (bit.kind, bit.chosen, bit.later))
    return [
        Bit(text="".join(bit.text for bit in same), kind=kind, chosen=chosen, later=later)
        for (kind, chosen, later), same in looks
    ]
