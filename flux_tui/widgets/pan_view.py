"""A view that is larger than its place, moved by hand: with keys, with the wheel, or dragged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.geometry import Offset
from textual.message import Message
from textual.scroll_view import ScrollView

if TYPE_CHECKING:
    from textual import events

STEP: Final = Offset(8, 2)
"""The cells that a key moves the view by."""

WHEEL: Final = Offset(6, 2)
"""The cells that a notch of the wheel moves the view by."""

WAYS: Final = {"left": Offset(-1, 0), "right": Offset(1, 0), "up": Offset(0, -1), "down": Offset(0, 1)}


class PanView(ScrollView):
    """Moves at once and only by hand. The wheel goes sideways with shift, and where there is no other way.

    ``panned`` says that the view was moved by hand since something was brought into view last.
    """

    ALLOW_SELECT = False

    class Panned(Message):
        """The user moved the view."""

    def __init__(self, *, name: str | None, id: str | None, classes: str | None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self.panned = False
        self.dragged = False
        self._grabbed: tuple[Offset, Offset] | None = None

    def pan_to(self, x: int, y: int) -> bool:
        """Move the view as far to a place as it goes; return whether it moved."""
        x, y = min(max(x, 0), self.max_scroll_x), min(max(y, 0), self.max_scroll_y)
        if (x, y) == self.scroll_offset:
            return False
        self.panned = True
        self.scroll_to(x, y, animate=False, force=True)
        self.post_message(self.Panned())
        return True

    def _pan(self, by: Offset) -> bool:
        return self.pan_to(*(self.scroll_offset + by))

    def action_pan(self, way: str) -> None:
        """Move the view a little."""
        unit = WAYS[way]
        self._pan(Offset(unit.x * STEP.x, unit.y * STEP.y))

    def action_page(self, way: str) -> None:
        """Move the view by most of a page: down and up where there is more, else right and left."""
        sign = 1 if way == "down" else -1
        if self.max_scroll_y:
            self._pan(Offset(0, sign * max(self.size.height - STEP.y, 1)))
        else:
            self._pan(Offset(sign * max(self.size.width - STEP.x, 1), 0))

    # Mouse

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down, or right."""
        self._wheel(event, 1, sideways=event.shift or event.ctrl)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up, or left."""
        self._wheel(event, -1, sideways=event.shift or event.ctrl)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Move right."""
        self._wheel(event, 1, sideways=True)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Move left."""
        self._wheel(event, -1, sideways=True)

    def _wheel(self, event: events.MouseEvent, sign: int, *, sideways: bool) -> None:
        event.prevent_default()
        across = sideways or not self.max_scroll_y
        if self._pan(Offset(sign * WHEEL.x, 0) if across else Offset(0, sign * WHEEL.y)):
            event.stop()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the view."""
        self.dragged = False
        if event.button == 1:
            self._grabbed = event.screen_offset, self.scroll_offset
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the view along."""
        if self._grabbed is None:
            return
        grabbed_at, started_at = self._grabbed
        moved = event.screen_offset - grabbed_at
        if moved or self.dragged:
            self.dragged = True
            self.pan_to(*(started_at - moved))

    def on_mouse_up(self) -> None:
        """Let go of the view."""
        if self._grabbed is not None:
            self._grabbed = None
            self.release_mouse()
