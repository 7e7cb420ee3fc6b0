"""The body of the screen: panes whose frames can be dragged, and of which one can fill the screen."""

from collections.abc import Callable, Iterator
from typing import ClassVar, Final, Literal, NamedTuple

from textual import events
from textual.containers import Container
from textual.geometry import Offset
from textual.reactive import reactive
from textual.widget import Widget

from flux_tui.panes import DEEP, SPLITS, Layout, Shares, Split, cells, grown, measured, share_at
from flux_tui.widgets.pane import Pane

ZOOMS: Final = {"workflows-pane": "workflows", "runs-pane": "runs", "graph-pane": "graph"}
"""What is zoomed, by the pane in which the focus is; all others stand in the place of the details."""

SIZED: Final = tuple(sorted({split.sized for each in (*SPLITS.values(), DEEP) for split in each}))
"""The parts that can be given a size."""

SIDES: Final = ("-edge-left", "-edge-right", "-edge-top", "-edge-bottom")


class Grip(NamedTuple):
    """A seam that is held: what lies before and after it, and how far it is ahead of the pointer."""

    split: Split
    before: Widget
    after: Widget
    ahead: int


class PaneBody(Container):
    """Holds the panes. Their frames are the splitters: drag one, or click it twice to reset it.

    ``shares`` are the sizes that somebody chose; ``keep`` is told when a hand chose others.
    """

    DEFAULT_CSS = """
    PaneBody Pane.-edge-left { border-left: heavy $accent; pointer: ew-resize; }
    PaneBody Pane.-edge-right { border-right: heavy $accent; pointer: ew-resize; }
    PaneBody Pane.-edge-top { border-top: heavy $accent; pointer: ns-resize; }
    PaneBody Pane.-edge-bottom { border-bottom: heavy $accent; pointer: ns-resize; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    zoomed: reactive[str | None] = reactive(None)

    def __init__(
        self,
        *children: Widget,
        shares: Shares,
        keep: Callable[[Shares], None],
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(*children, id=id)
        self.shares = shares
        self._keep = keep
        self._held: Grip | None = None
        self._shown: str | None = None

    # What there is

    @property
    def layout_now(self) -> Layout:
        """How the panes lie at this size of the terminal."""
        if not self.screen.has_class("-stacked"):
            return Layout.WIDE
        return Layout.LOW if self.screen.has_class("-low") else Layout.STACKED

    def _splits(self) -> tuple[Split, ...]:
        layout = self.layout_now
        return DEEP if layout is Layout.LOW and self.screen.has_class("-deep") else SPLITS[layout]

    def _part(self, name: str) -> Widget | None:
        """Return a part if it is on the screen; in the place of the details may stand another pane."""
        names = (name, "problem-pane", "welcome-pane") if name == "details" else (name,)
        found = (self.query_one(f"#{each}") for each in names)
        return next((part for part in found if part.display and part.region), None)

    def _parts(self) -> Iterator[tuple[Split, Widget, Widget]]:
        """Yield the splits that are on the screen, each with what lies before and after it."""
        if self.zoomed is None:
            for split in self._splits():
                before, after = self._part(split.before), self._part(split.after)
                if before is not None and after is not None:
                    yield split, before, after

    def follow_focus(self, focused: Widget | None) -> None:
        """Zoom what has the focus now, if anything is zoomed; on a low terminal, size what is shown."""
        pane = pane_of(focused)
        if self.zoomed is not None and pane is not None:
            self.zoomed = ZOOMS.get(pane.id or "", "details")
        if self.layout_now is Layout.LOW:
            self.fit_parts()

    # Sizes

    def on_resize(self) -> None:
        """Keep the proportions."""
        self.fit_parts()

    def watch_zoomed(self, before: str | None, zoomed: str | None) -> None:
        """Give the whole room to one part, or each its own again."""
        for name in (before, zoomed):
            if name is not None:
                self.screen.set_class(name == zoomed, f"-zoom-{name}")
        for pane in self.query(Pane):
            pane.zoomed = zoomed is not None and ZOOMS.get(pane.id or "", "details") == zoomed
        self.fit_parts()

    def fit_parts(self) -> None:
        """Give every part the size that was chosen for it, or leave it to the design."""
        if not self.size:
            return
        shares = self.shares if self.zoomed is None else Shares()
        sizes = measured(self.layout_now, self._splits(), shares, *self.size)
        for name in SIZED:
            part, (split, size) = self.query_one(f"#{name}"), sizes.get(name, (None, 0))
            part.set_class(split is not None, "-sized")
            _fit(part, None if split is None or split.across else size, "width")
            _fit(part, size if split is not None and split.across else None, "height")

    def grow(self, pane: str, by: int) -> bool:
        """Make a pane larger by so many steps, or smaller; return whether that was possible."""
        shares = self.shares
        for split, before, after in self._parts():
            sized = (after if split.sized_after else before).region
            _, room = _extent(split, before, after)
            chosen = self.shares.of(self.layout_now).get(split.name)
            size = sized.height if split.across else sized.width
            now = size if chosen is None else cells(split, chosen, room)
            share = grown(split, pane, now, room, by=by)
            if share is not None:
                shares = shares.put(self.layout_now, split.name, share)
        return self._take(shares)

    def reset(self, *only: Split) -> None:
        """Lay out all panes as designed, or the splits that are named."""
        shares = self.shares
        for split in only or self._splits():
            shares = shares.put(self.layout_now, split.name, None)
        self._take(shares)

    def _take(self, shares: Shares, *, keep: bool = True) -> bool:
        changed = shares != self.shares
        if changed:
            self.shares = shares
            self.fit_parts()
        if keep:
            self._keep(shares)
        return changed

    # The mouse

    def _grip(self, at: Offset) -> Grip | None:
        """Return the seam under the pointer: the last cells of one part and the first of the next."""
        for split, before, after in self._parts():
            seam = after.region.y if split.across else after.region.x
            place = at.y if split.across else at.x
            both = before.region.union(after.region)
            if seam - 1 <= place <= seam and both.contains_point(at):
                return Grip(split, before, after, seam - place)
        return None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a seam."""
        self._held = self._grip(event.screen_offset)
        if self._held is not None:
            event.stop()
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the seam that is held, or show the one under the pointer."""
        held = self._held
        if held is None:
            self._show(self._grip(event.screen_offset))
            return
        split = held.split
        place = (event.screen_offset.y if split.across else event.screen_offset.x) + held.ahead
        share = share_at(split, place, *_extent(split, held.before, held.after))
        if self._seam_at(held) != place:
            self._take(self.shares.put(self.layout_now, split.name, share), keep=False)

    def on_mouse_up(self) -> None:
        """Let go of the seam."""
        if self._held is not None:
            self._held = None
            self.release_mouse()
            self._keep(self.shares)

    def on_click(self, event: events.Click) -> None:
        """Reset the seam that was clicked twice."""
        grip = self._grip(event.screen_offset)
        if grip is not None and event.chain == 2:  # noqa: PLR2004
            self.reset(grip.split)

    def on_leave(self) -> None:
        """Show no seam when the pointer went elsewhere."""
        if self._held is None and not self.region.contains_point(self.app.mouse_position):
            self._show(None)

    def _show(self, grip: Grip | None) -> None:
        """Have the frames along a seam stand out."""
        name = None if grip is None else grip.split.name
        if name == self._shown:
            return
        self._shown = name
        for pane in self.query(Pane):
            pane.remove_class(*SIDES)
            if grip is None or not pane.region:
                continue
            across, beyond = grip.split.across, grip.after.region
            if pane is grip.before or grip.before in pane.ancestors:
                ends = pane.region.bottom == beyond.y if across else pane.region.right == beyond.x
                pane.set_class(ends, "-edge-bottom" if across else "-edge-right")
            elif pane is grip.after or grip.after in pane.ancestors:
                begins = pane.region.y == beyond.y if across else pane.region.x == beyond.x
                pane.set_class(begins, "-edge-top" if across else "-edge-left")

    @staticmethod
    def _seam_at(grip: Grip) -> int:
        region = grip.after.region
        return region.y if grip.split.across else region.x


def pane_of(widget: Widget | None) -> Pane | None:
    """Return the pane that a widget is in."""
    around = () if widget is None else (widget, *widget.ancestors)
    return next((each for each in around if isinstance(each, Pane)), None)


def _extent(split: Split, before: Widget, after: Widget) -> tuple[int, int]:
    """Return where two neighbours begin, and how many cells they have together."""
    both = before.region.union(after.region)
    return (both.y, both.height) if split.across else (both.x, both.width)


def _fit(part: Widget, size: int | None, side: Literal["width", "height"]) -> None:
    """Fix one side of a part, or leave it to the stylesheet."""
    styles = part.styles
    for rule in (side, f"min_{side}", f"max_{side}"):
        if size is not None:
            setattr(styles, rule, size)
        elif styles.inline.has_rule(rule):
            setattr(styles, rule, None)
