"""Paints what changed, and nothing beside it.

Textual's compositor asks every widget that touches the smallest rectangle around all changes for all of its
lines. A counter in the header and another one below a list make that rectangle the whole screen, many times a
second; so here widgets are asked only for the lines on which they have something to show that is painted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from itertools import pairwise
from typing import Any

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

Cells = Mapping[int, set[int]]
"""By line, where the cells begin that are still to be painted: the edges of all widgets divide a line."""

_PARAMETERS = ["crop", "is_rendered_line"]


class FrugalCompositor(Compositor):
    """A compositor that renders no line of a widget which is covered there, or is not painted."""

    _spans: Sequence[tuple[int, int, int]] | None = None

    def render_partial_update(self) -> ChopsUpdate | None:
        """Render what changed."""
        self._spans = list(self._regions_to_spans(self._dirty_regions))
        try:
            return super().render_partial_update()
        finally:
            self._spans = None

    def _render_chops(
        self, crop: Region, is_rendered_line: Callable[[int], bool]
    ) -> Sequence[Mapping[int, Strip]]:
        cuts = self.cuts
        chops: list[dict[int, Any]] = [dict.fromkeys(line_cuts[:-1]) for line_cuts in cuts]
        wanted = self._wanted(crop, is_rendered_line)
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            for begin, end in _stretches(wanted, shown):
                part = Region(shown.x - region.x, begin - region.y, shown.width, end - begin)
                for y, strip in zip(range(begin, end), widget.render_lines(part), strict=False):
                    edges = [cut for cut in cuts[y] if shown.x <= cut <= shown.right]
                    pieces = strip.divide([edge - shown.x for edge in edges[1:]])
                    missing = wanted[y]
                    for edge, piece in zip(edges, pieces, strict=False):
                        if edge in missing:
                            chops[y][edge] = piece
                            missing.remove(edge)
        return chops

    def _wanted(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Cells:
        """Return the cells to be painted: those that a change touches, or all."""
        cuts = self.cuts
        if self._spans is None:
            return {y: set(cuts[y][:-1]) for y in crop.line_range if y < len(cuts) and is_rendered_line(y)}
        wanted: defaultdict[int, set[int]] = defaultdict(set)
        for y, x1, x2 in self._spans:
            if y < len(cuts):
                line_cuts = cuts[y]
                wanted[y].update(begin for begin, end in pairwise(line_cuts) if begin < x2 and end > x1)
        return wanted


def _stretches(wanted: Cells, shown: Region) -> Iterator[tuple[int, int]]:
    """Yield the first line, and the one after the last, of stretches on which a widget has cells to paint."""
    begin = None
    for y in shown.line_range:
        cells = wanted.get(y)
        if cells and any(shown.x <= cell < shown.right for cell in cells):
            begin = y if begin is None else begin
        elif begin is not None:
            yield begin, y
            begin = None
    if begin is not None:
        yield begin, shown.bottom


def paint_frugally(screen: Screen[Any]) -> None:
    """Have a screen that was just made paint so, if this Textual has the compositor that is meant above."""
    theirs = screen._compositor  # noqa: SLF001 - there is no other way to it
    if type(theirs) is Compositor and [*signature(theirs._render_chops).parameters] == _PARAMETERS:  # noqa: SLF001
        screen._compositor = FrugalCompositor()  # noqa: SLF001
