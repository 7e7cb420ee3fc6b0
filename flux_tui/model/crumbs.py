"""The line below a graph that does not fit: what lies off each side, and which steps are about here."""

from typing import Final

from msgspec import Struct
from rich.cells import cell_len

from flux_tui.model.layout import Layout, Mode
from flux_tui.model.overview import Hidden
from flux_tui.model.text import cut

BACK, FORWARD = (
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
)
SEPARATOR: Final = f" {FORWARD} "
LEAST_NAME: Final = 8
SPACE: Final = 3


class Crumbs(Struct, frozen=True):
    """The texts of the line: what is hidden before and after, and the names in between.

    ``here`` is the place of the selected step among ``names``; ``None`` when nothing is selected.
    """

    before: str = ""
    after: str = ""
    names: tuple[str, ...] = ()
    here: int | None = None

    @property
    def width(self) -> int:
        """The cells that the names take."""
        return sum(map(cell_len, self.names)) + len(SEPARATOR) * max(len(self.names) - 1, 0)


def crumbs(layout: Layout, selected: str | None, hidden: Hidden, width: int, *, remark: str = "") -> Crumbs:
    """Return the line in at most ``width`` cells: the counts first, then the names there is room for.

    ``remark`` is what to say of the selected step if there is room for it all.
    """
    for worded in (True, False):
        before, after = counts(hidden, worded=worded)
        room = width - cell_len(before) - cell_len(after)
        if room > 0:
            return Crumbs(before, after, *_names(layout, selected, room - 2 * SPACE, remark))
    return Crumbs(cut(before, width))


def counts(hidden: Hidden, *, worded: bool) -> tuple[str, str]:
    """Return what to say at the left and at the right end of a line; with or without words."""
    more, above, below = (" more", " above", " below") if worded else ("", "", "")
    before = [f"{BACK} {hidden.left}{more}"] if hidden.left else []
    before += [f"↑ {hidden.above}{above}"] if hidden.above else []
    after = [f"↓ {hidden.below}{below}"] if hidden.below else []
    after += [f"{hidden.right}{more} {FORWARD}"] if hidden.right else []
    return "  ".join(before), "  ".join(after)


def _names(
    layout: Layout, selected: str | None, room: int, remark: str
) -> tuple[tuple[str, ...], int | None]:
    """Return the selected step between the ones beside it, or alone where there is little room."""
    box = layout.box(selected)
    if box is None or room < LEAST_NAME:
        return (), None
    beside = layout.neighbours[box.name]
    ends = (beside.up, beside.down) if layout.mode is Mode.LIST else (beside.left, beside.right)
    before, after = (_label(layout, name) for name in ends)
    sides = [side for side in (before, after) if side]
    here = f"{box.label} · {remark}" if remark else box.label
    here = here if cell_len(here) <= room else cut(box.label, room)
    spare = room - cell_len(here) - len(SEPARATOR) * len(sides)
    each = spare // len(sides) if sides else 0
    if not sides or each < min(LEAST_NAME, max(map(cell_len, sides))):
        return (here,), 0
    names = (cut(before, each), here, cut(after, each))
    return tuple(name for name in names if name), 1 if before else 0


def _label(layout: Layout, name: str | None) -> str:
    box = layout.box(name)
    return "" if box is None else box.label
