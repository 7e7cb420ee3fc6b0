"""A step graph as lines of text, with the geometry that the dashboard draws it with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.cells import cell_len

from flux_tui.model.captions import COMMIT_MARK, elapsed_text, face, remark, shown_status, tries_text
from flux_tui.model.layout import Box, Layout, Mode, lay_out
from flux_tui.model.run import GraphSpec, StepView
from flux_tui.model.text import fit, status_glyph, status_tone, status_word

Piece = tuple[str, str]
"""A text, and the tone that it has: that of a status, ``muted``, or none."""

Line = list[Piece]

PLAIN: Final = str.maketrans("─│╭╮╰╯┬┴├┤┼▶…◆·", "-|+++++++++>~+.")
_MARGIN: Final = 4
"""Cells that the frame of a box takes of its width."""


def fitting_layout(spec: GraphSpec, cells: int | None) -> Layout:
    """Return the most telling layout that is at most so many cells wide: boxes, lines, or a list."""
    for mode in (Mode.BOXES, Mode.COMPACT):
        layout = lay_out(spec, mode)
        if cells is None or layout.width <= cells:
            return layout
    return lay_out(spec, Mode.LIST)


def graph_lines(
    layout: Layout,
    steps: Mapping[str, StepView],
    *,
    now: float = 0.0,
    ascii: bool = False,  # noqa: A002 - as everywhere
) -> list[Line]:
    """Return the drawn graph. ``steps`` is how the steps stand, empty for a workflow that does not run."""
    if layout.mode is Mode.LIST:
        lines = [_list_line(layout, box, steps.get(box.name), now, ascii=ascii) for box in layout.boxes]
    else:
        lines = [_graph_line(layout, row, steps, now, ascii=ascii) for row in range(layout.height)]
    if not ascii:
        return lines
    return [[(text.translate(PLAIN), tone) for text, tone in line] for line in lines]


def _graph_line(
    layout: Layout,
    row: int,
    steps: Mapping[str, StepView],
    now: float,
    *,
    ascii: bool,  # noqa: A002
) -> Line:
    draw = _box if layout.mode is Mode.BOXES else _compact
    pieces: list[tuple[int, Line]] = [(stroke.x, [(stroke.text, "muted")]) for stroke in layout.strokes[row]]
    pieces += [
        (box.x, draw(box, row - box.y, steps.get(box.name), now, ascii=ascii))
        for box in layout.boxes
        if box.y <= row < box.y + box.height
    ]
    return _without_end(_side_by_side(pieces))


def _side_by_side(pieces: list[tuple[int, Line]]) -> Iterator[Piece]:
    at = 0
    for start, line in sorted(pieces, key=lambda piece: piece[0]):
        if start > at:
            yield " " * (start - at), ""
        yield from line
        at = start + sum(cell_len(text) for text, _ in line)


def _without_end(line: Iterator[Piece]) -> Line:
    """Return a line without the blanks at its end."""
    kept = list(line)
    while kept and not kept[-1][0].strip():
        kept.pop()
    if kept:
        kept[-1] = kept[-1][0].rstrip(), kept[-1][1]
    return kept


def _title(box: Box, step: StepView | None, *, ascii: bool) -> Line:  # noqa: A002
    status = shown_status(step)
    return [(status_glyph(status, ascii), status_tone(status)), (f" {box.label}", "")]


def _box(box: Box, row: int, step: StepView | None, now: float, *, ascii: bool) -> Line:  # noqa: A002
    tone, room = status_tone(shown_status(step)), box.width - _MARGIN
    said = face(step, box.node, room, now, ascii=ascii)
    if row == 0:
        return [(f"╭{'─' * (box.width - 2)}╮", tone)]
    if row == box.height - 1:
        note = f" {said.note} " if said.note else ""
        return [("╰", tone), (note, tone), (f"{'─' * (box.width - 2 - cell_len(note))}╯", tone)]
    if row == 1:
        return [("│ ", tone), *_padded(_title(box, step, ascii=ascii), room), (" │", tone)]
    indent = "  " if cell_len(said.caption) + 2 <= room else ""
    return [("│ ", tone), (fit(indent + said.caption, room), "muted"), (" │", tone)]


def _compact(box: Box, _row: int, step: StepView | None, _now: float, *, ascii: bool) -> Line:  # noqa: A002
    return [(" ", ""), *_padded(_title(box, step, ascii=ascii), box.width - 1)]


def _padded(line: Line, cells: int) -> Line:
    return [*line, (" " * (cells - sum(cell_len(text) for text, _ in line)), "")]


def _list_line(layout: Layout, box: Box, step: StepView | None, now: float, *, ascii: bool) -> Line:  # noqa: A002
    status = shown_status(step)
    brackets = any(each.bracket for each in layout.boxes)
    line: Line = [(f"{box.bracket or ' '} ", "muted")] if brackets else []
    line += _padded(_title(box, step, ascii=ascii), layout.width + 2)
    notes = [f"{COMMIT_MARK[ascii]} commit"] if box.node.commit else []
    if step is not None:
        line.append((f"  {fit(status_word(status), 12)}{elapsed_text(step, now):>9}", status_tone(status)))
        notes += [note for note in (tries_text(step), remark(step, now)) if note]
    return _without_end(iter([*line, *((f"  {note}", "muted") for note in notes)]))


def steps_by_name(steps: Sequence[StepView]) -> dict[str, StepView]:
    """Return the steps of a run by their names."""
    return {step.name: step for step in steps}
