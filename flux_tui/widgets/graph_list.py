"""Draws a step as a row of a list, with columns that give way to each other where there is little room."""

from typing import TYPE_CHECKING, Final

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment

from flux_tui.model.captions import COMMIT_MARK, elapsed_text, remark, tries_text
from flux_tui.model.layout import Box, Layout
from flux_tui.model.run import NodeSpec
from flux_tui.model.text import fit, status_word
from flux_tui.widgets.graph_styles import QUIET, Styles

if TYPE_CHECKING:
    from flux_tui.widgets.graph_canvas import Scene

COMPENSATES: Final = "↩"
WORD_CELLS: Final = 12
TIME_CELLS: Final = 9
TRIES_CELLS: Final = 5
LEAST_NAME: Final = 16
LEAST_NOTE: Final = 8
FIXED: Final = 3 + 2 + 2 + WORD_CELLS + TIME_CELLS + 2 + TRIES_CELLS
"""The cells of all columns but the names, the brackets and the marks."""


class Columns(Struct, frozen=True):
    """What decides the columns of a list: the longest name, whether there are brackets, and which marks.

    ``marks`` are the widths of the marks of commits and compensations in their forms, the longest first.
    """

    longest: int = 0
    brackets: bool = False
    marks: tuple[int, ...] = (0,)

    @classmethod
    def of(cls, layout: Layout) -> "Columns":
        """Return the columns that a layout asks for."""
        return cls(
            longest=max((cell_len(box.label) for box in layout.boxes), default=0),
            brackets=any(box.bracket for box in layout.boxes),
            marks=tuple(
                max((cell_len(_marks(box.node, form)) for box in layout.boxes), default=0)
                for form in range(3)
            ),
        )

    def form(self, width: int) -> int:
        """Return which form of the marks fits: 0 in words, 1 shorter, 2 as signs."""
        rest = width - FIXED - 2 * self.brackets - min(self.longest, LEAST_NAME)
        return next((form for form, cells in enumerate(self.marks) if cells < rest), len(self.marks) - 1)

    def name(self, width: int) -> int:
        """Return the cells for a glyph and a name."""
        marks = self.marks[self.form(width)]
        rest = width - FIXED - 2 * self.brackets - (marks + 1 if marks else 0)
        return min(self.longest, max(rest, LEAST_NAME // 2)) + 2


def _marks(node: NodeSpec, form: int) -> str:
    commit, undo = COMMIT_MARK[0], COMPENSATES
    words = (f"{commit} commit", f"{undo} compensates") if form == 0 else (f"{commit} commit", undo)
    if form == 2:  # noqa: PLR2004 - the shortest form
        words = (commit, undo)
    said = [word for word, holds in zip(words, (node.commit, node.compensates), strict=True) if holds]
    return " ".join(said)


def list_row(
    scene: "Scene", box: Box, title: list[Segment], styles: Styles, *, columns: Columns, width: int
) -> list[Segment]:
    """Return a row of the list; what went wrong or why a step was skipped takes the room that is left."""
    step, status = scene.steps.get(box.name), scene.status(box.name)
    quiet = styles("caption-quiet" if status in QUIET else "caption")
    mark = scene.mark(box.name)
    paused = box.name in scene.stops
    row = [
        Segment("▸" if scene.selected == box.name else " ", styles("selected")),
        Segment(f"{mark or ' '} ", styles("selected-suspended" if paused else "breakpoint")),
    ]
    if columns.brackets:
        row.append(Segment(f"{box.bracket or ' '} ", styles("edge")))
    row += title
    time = "" if step is None else elapsed_text(step, scene.now)
    tries = "" if step is None else tries_text(step)
    row.append(Segment("  " + fit(status_word(status), WORD_CELLS), styles(status)))
    row.append(Segment(f"{time:>{TIME_CELLS}}  {fit(tries, TRIES_CELLS)}", quiet))
    form = columns.form(width)
    if columns.marks[form]:
        row.append(Segment(" " + fit(_marks(box.node, form), columns.marks[form]), quiet))
    room = width - sum(segment.cell_length for segment in row) - 2
    note = "paused before this step" if paused else remark(step, scene.now)
    if note and room >= LEAST_NOTE:
        row.append(Segment("  " + fit(note, room), styles("failed" if status == "failed" else "caption")))
    return row
