"""Which layout of a graph a place on the screen gets: the roomiest that fits."""

from collections import Counter

from flux_tui.model.layers import longest_paths, successors
from flux_tui.model.layout import METRICS, Layout, Mode, Size, lay_out
from flux_tui.model.run import GraphSpec

AUTO = "auto"
BOX_ROWS = METRICS[Mode.BOXES].above + 1 + METRICS[Mode.BOXES].below
LEAST_PITCH, LEAST_GAP = 16, 3
"""The cells from one tight box to the next, and between them, at least."""

NEXT_VIEW = {Mode.BOXES: Mode.COMPACT, Mode.COMPACT: Mode.LIST, Mode.LIST: Mode.BOXES}


class Layouts:
    """The layouts of one definition, each made when it is first asked for."""

    def __init__(self, spec: GraphSpec | None) -> None:
        self.spec = spec
        self._made: dict[tuple[Mode, Size], Layout] = {}
        steps = Counter(longest_paths(successors(spec))) if spec is not None else Counter[int]()
        self._columns = len(steps)
        self._tallest = max(steps.values(), default=0)

    def choose(self, mode: str, height: int, width: int) -> Layout:
        """Return the layout for a size in cells; a size of 0 is one that is not known yet.

        ``mode`` is one of ``Mode``, or ``auto``: boxes if they fit in height, otherwise compact lines. A
        graph wider than the place needs a row more, to say so. Boxes are drawn tighter if that saves them
        from being wider than the place, and names are drawn whole where there is room for them.
        """
        if mode == Mode.LIST:
            return self._layout(Mode.LIST)
        if mode == Mode.COMPACT or (mode == AUTO and self._tallest * BOX_ROWS > height > 0):
            return self._fitted(Mode.COMPACT, width)
        boxes = self._fitted(Mode.BOXES, width)
        fits = height == 0 or boxes.height + (boxes.width > width > 0) <= height
        return boxes if fits or mode == Mode.BOXES else self._fitted(Mode.COMPACT, width)

    def _fitted(self, mode: Mode, width: int) -> Layout:
        """Return the layout of the largest size that is not wider than the place, else the normal one."""
        normal = self._layout(mode)
        if width <= 0:
            return normal
        if normal.width > width:
            if mode is Mode.BOXES and self._columns * LEAST_PITCH - LEAST_GAP <= width:
                tight = self._layout(mode, Size.TIGHT)
                return tight if tight.width <= width else normal
            return normal
        if any(box.label.endswith("…") for box in normal.boxes):
            wide = self._layout(mode, Size.WIDE)
            return wide if wide.width <= width else normal
        return normal

    def _layout(self, mode: Mode, size: Size = Size.NORMAL) -> Layout:
        if (mode, size) not in self._made:
            self._made[mode, size] = lay_out(self.spec or GraphSpec(), mode, size)
        return self._made[mode, size]
