"""A framed part of the dashboard whose title is text, never markup."""

from typing import ClassVar, Final, Self

from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region
from textual.reactive import reactive
from textual.widget import Widget

from flux_tui.model.text import cut

CORNERS: Final = 6
"""Cells of the upper edge that a title leaves to the frame."""

SHORTEST_NAME: Final = 12
"""Cells that a name keeps, however long the rest of the title is."""

ZOOMED: Final = Content.assemble((" zoomed ", "reverse"), " ")


class Pane(Vertical):
    """A frame that lights up while something in it has the focus.

    ``whereabouts`` follows the title while the pane is zoomed: what the others would tell.
    """

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = """
    Pane {
        border: round $border-blurred;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        background: $surface;
    }
    Pane:focus-within { border: round $border; border-title-color: $primary; }
    """

    zoomed: reactive[bool] = reactive(default=False, repaint=False)

    def __init__(self, *children: Widget, title: str = "", id: str) -> None:  # noqa: A002
        super().__init__(*children, id=id)
        self.title = Content(title)
        self.whereabouts = ""
        self._name_length = 0
        self._edges: tuple[Region, ...] = ()
        self._written: dict[str, Content] = {}

    def on_mount(self) -> None:
        """Show the title."""
        self._write_title()

    def show_title(self, title: Content, *, name: str = "") -> None:
        """Write ``title`` into the frame. If it begins with ``name``, that gives way where not all fits."""
        self.title = title
        self._name_length = len(name)
        self._write_title()

    def on_resize(self) -> None:
        """Give the title as much as fits now."""
        self._write_title()

    def _write_title(self) -> None:
        before = ZOOMED if self.zoomed else Content("")
        behind = Content.styled(self.whereabouts, "not bold") if self.zoomed else Content("")
        name, rest = self.title[: self._name_length], self.title[self._name_length :]
        left = self.outer_size.width - CORNERS - sum(part.cell_length for part in (before, rest, behind))
        if self._name_length and self.outer_size.width > 0 and name.cell_length > left:
            name = Content(cut(name.plain, max(left, SHORTEST_NAME)))
        self._write("border_title", -1, before + name + rest + behind)

    def watch_zoomed(self) -> None:
        """Say that this is all there is room for."""
        self._write_title()

    def show_subtitle(self, text: str) -> None:
        """Write ``text`` into the lower edge of the frame."""
        self._write("border_subtitle", self.size.height, Content(text))

    def _write(self, edge: str, line: int, text: Content) -> None:
        """Write into an edge of the frame and paint no more than that: what is in the frame stays."""
        if self._written.get(edge) == text:
            return
        self._written[edge] = text
        self._edges = (Region(-1, line, self.outer_size.width, 1),)
        setattr(self, edge, text)
        self._edges = ()

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Paint what has changed."""
        return super().refresh(*(regions or self._edges), repaint=repaint, layout=layout, recompose=recompose)
