"""The bottom line: the keys that apply, derived from the actions."""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct
from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from flux_tui.widgets import tones

GAP = 2


class Hint(Struct, frozen=True, kw_only=True):
    """A key and what it does. ``reason`` says why it does nothing now; ``pinned`` hints never give way."""

    action: str
    key: str
    label: str
    reason: str | None = None
    pinned: bool = False


class FooterLine(Widget):
    """One line of hints; a click does what the key does. Hints that do not fit give way.

    Those that do nothing now go first, then the others from the right.
    """

    DEFAULT_CSS = """
    FooterLine { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    hints: reactive[tuple[Hint, ...]] = reactive(())

    class Pressed(Message):
        """A hint was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def render(self) -> Content:
        """Draw the hints that fit."""
        content = Content("")
        for x, hint in placed(self.hints, self.size.width):
            content += Content(" " * (x - content.cell_length)) + _drawn(hint)
        return content

    def on_click(self, event: events.Click) -> None:
        """Do what the hint under the pointer says."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for x, hint in placed(self.hints, self.size.width):
            if x <= offset.x < x + _width(hint):
                self.post_message(self.Pressed(hint.action))


def placed(hints: Iterable[Hint], width: int) -> list[tuple[int, Hint]]:
    """Return the hints that fit into ``width``, with the cells where they begin; pinned ones at the right."""
    every = list(hints)
    pinned = [hint for hint in every if hint.pinned]
    room = width - sum(_width(hint) + GAP for hint in pinned)
    fitting = _fitting([hint for hint in every if not hint.pinned], room)
    shown: list[tuple[int, Hint]] = []
    x = 0
    for hint in fitting:
        shown.append((x, hint))
        x += _width(hint) + GAP
    x = max(x, room + GAP)
    for hint in pinned:
        shown.append((x, hint))
        x += _width(hint) + GAP
    return shown


def _fitting(hints: list[Hint], room: int) -> list[Hint]:
    chosen: set[str] = set()
    for hint in sorted(hints, key=lambda each: each.reason is not None):
        if _width(hint) > room:
            break
        chosen.add(hint.action)
        room -= _width(hint) + GAP
    return [hint for hint in hints if hint.action in chosen]


def _width(hint: Hint) -> int:
    return cell_len(hint.key) + 1 + cell_len(hint.label)


def _drawn(hint: Hint) -> Content:
    if hint.reason is not None:
        return Content.styled(f"{hint.key} {hint.label}", tones.FAINT)
    return Content.assemble((hint.key, "bold $footer-key-foreground"), " ", (hint.label, "$foreground"))
