"""Walking a graph of steps: the keys that lead from step to step, and the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.binding import Binding

from flux_tui.model.layout import Layout, Mode
from flux_tui.widgets.pan_view import PanView

if TYPE_CHECKING:
    from textual import events
    from textual.geometry import Offset

KEYS: Final = (
    Binding("left,h", "walk('left')", "Step to the left", id="graph.left", show=False),
    Binding("right,l", "walk('right')", "Step to the right", id="graph.right", show=False),
    Binding("up,k", "walk('up')", "Step above", id="graph.up", show=False),
    Binding("down,j", "walk('down')", "Step below", id="graph.down", show=False),
    Binding("home", "first", "First step", id="graph.first", show=False),
    Binding("end", "last", "Last step", id="graph.last", show=False),
    Binding("enter", "choose", "Go to the details of the step", id="graph.choose", show=False),
    Binding("shift+left", "pan('left')", "Move the view to the left", id="graph.pan-left", show=False),
    Binding("shift+right", "pan('right')", "Move the view to the right", id="graph.pan-right", show=False),
    Binding("shift+up", "pan('up')", "Move the view up", id="graph.pan-up", show=False),
    Binding("shift+down", "pan('down')", "Move the view down", id="graph.pan-down", show=False),
    Binding("pageup", "page('up')", "Move the view a page up, else left", id="graph.page-up", show=False),
    Binding(
        "pagedown", "page('down')", "Move the view a page down, else right", id="graph.page-down", show=False
    ),
)
TWICE: Final = 2


class WalkView(PanView):
    """A layout that is walked from step to step; ``select`` and ``choose`` hear of what the user does."""

    @property
    def geometry(self) -> Layout:
        """The layout that is drawn now."""
        raise NotImplementedError

    def here(self) -> str | None:
        """Return the selected step."""
        raise NotImplementedError

    def beginning(self) -> str | None:
        """Return the step to select first."""
        raise NotImplementedError

    def select(self, name: str) -> None:
        """Take note that the user selected another step."""
        raise NotImplementedError

    def choose(self, name: str, *, clicked: bool) -> None:
        """Take note that the user wants the details of a step."""
        raise NotImplementedError

    def on_map(self, offset: Offset) -> bool:
        """Move the view to where a cell of the map stands for; return whether it is one."""
        raise NotImplementedError

    def action_walk(self, way: str) -> None:
        """Select the step beside the selected one; the first time, the one that matters most."""
        here = self.here()
        if here is None or self.geometry.box(here) is None:
            self._go(self.beginning())
            return
        self._go(getattr(self.geometry.neighbours[here], way))

    def action_first(self) -> None:
        """Select the first step."""
        self._go(self.geometry.boxes[0].name if self.geometry.boxes else None)

    def action_last(self) -> None:
        """Select the last step."""
        self._go(self.geometry.boxes[-1].name if self.geometry.boxes else None)

    def action_choose(self) -> None:
        """Ask for the details of the selected step."""
        here = self.here()
        if here is not None:
            self.choose(here, clicked=False)

    def on_click(self, event: events.Click) -> None:
        """Select the step under the mouse, and ask for its details when it is clicked twice."""
        offset = event.get_content_offset(self)
        if offset is None or self.dragged or self.on_map(offset):
            return
        x, y = offset + self.scroll_offset
        box = self.geometry.box_at(0 if self.geometry.mode is Mode.LIST else x, y)
        if box is None:
            return
        self._go(box.name)
        if event.chain == TWICE:
            self.choose(box.name, clicked=True)

    def _go(self, name: str | None) -> None:
        if name is not None and name != self.here():
            self.select(name)
