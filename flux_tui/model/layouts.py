"""Which layout of a graph a place on the screen gets: the roomiest that fits."""

from flux_tui.model.layout import Layout, Mode, lay_out
from flux_tui.model.run import GraphSpec

AUTO = "auto"


class Layouts:
    """The layouts of one definition, each made when it is first asked for."""

    def __init__(self, spec: GraphSpec | None) -> None:
        self.spec = spec
        self._made: dict[tuple[Mode, bool], Layout] = {}

    def choose(self, mode: str, height: int, width: int) -> Layout:
        """Return the layout for a size in cells; a size of 0 is one that is not known yet.

        ``mode`` is one of ``Mode``, or ``auto``: boxes if they fit in height, otherwise compact lines. Boxes
        are drawn tighter if that saves them from being wider than the place.
        """
        if mode in (Mode.COMPACT, Mode.LIST):
            return self._layout(Mode(mode))
        boxes = self._layout(Mode.BOXES)
        if boxes.width > width > 0:
            tight = self._layout(Mode.BOXES, tight=True)
            boxes = tight if tight.width <= width else boxes
        fits = boxes.height <= height or height == 0
        return boxes if fits or mode == Mode.BOXES else self._layout(Mode.COMPACT)

    def _layout(self, mode: Mode, *, tight: bool = False) -> Layout:
        if (mode, tight) not in self._made:
            self._made[mode, tight] = lay_out(self.spec or GraphSpec(), mode, tight=tight)
        return self._made[mode, tight]
