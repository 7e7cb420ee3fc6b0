"""The flows of the panes: going to one, its size, and having it alone on the screen."""

from typing import TYPE_CHECKING, Final

from flux_tui.flows.asking import Flow
from flux_tui.telling import tell
from flux_tui.widgets.splitter import ZOOMS, pane_of

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

UNZOOM: Final = "one pane has the whole screen: z lays out all of them again"


def _zoom(screen: "MainScreen") -> None:
    body, pane = screen.body, pane_of(screen.focused)
    if body.zoomed is not None:
        body.zoomed = None
    elif pane is not None:
        body.zoomed = ZOOMS.get(pane.id or "", "details")


def _resize(by: int) -> Flow:
    def resize(screen: "MainScreen") -> None:
        pane = pane_of(screen.focused)
        if screen.body.zoomed is not None:
            tell(screen, UNZOOM)
        elif pane is not None and not screen.body.grow(pane.id or "", by):
            tell(screen, "the others need the rest" if by > 0 else "it needs what it has")

    return resize


def _reset(screen: "MainScreen") -> None:
    screen.body.zoomed = None
    screen.body.reset()


def _pane(name: str) -> Flow:
    return lambda screen: screen.focus_pane(name)


FLOWS: Final[dict[str, Flow]] = {
    "zoom": _zoom,
    "grow": _resize(1),
    "shrink": _resize(-1),
    "reset-panes": _reset,
    "go-workflows": _pane("workflows"),
    "go-runs": _pane("runs"),
    "go-details": _pane("details"),
    "go-graph": _pane("graph"),
}
