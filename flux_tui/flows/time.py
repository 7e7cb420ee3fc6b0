"""The flows that move through the time of a run."""

from typing import TYPE_CHECKING, Final

from flux_tui.flows.asking import Flow

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def _scrub(by: int) -> Flow:
    def scrub(screen: "MainScreen") -> None:
        count = screen.past.count
        screen.past.go(min(screen.selection.moment or count, count) + by)

    return scrub


def _leave(screen: "MainScreen") -> None:
    screen.past.leave()


FLOWS: Final[dict[str, Flow]] = {
    "scrub-back": _scrub(-1),
    "scrub-forward": _scrub(1),
    "scrub-first": lambda screen: screen.past.go(1),
    "scrub-last": lambda screen: screen.past.go(screen.past.count),
    "scrub-live": _leave,
}
