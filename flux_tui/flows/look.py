"""The flows that change how things are looked at, and those that take something out: copy, open."""

import subprocess
from typing import TYPE_CHECKING, Final

from textual.app import SuspendNotSupported

from flux_tui import at_hand, editor
from flux_tui.flows.asking import Flow
from flux_tui.screens.composition import keep_graph_mode
from flux_tui.selection import DATA, ERROR, EVENTS, LOGS, SOURCE, TABS, TIMELINE
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def _open_editor(screen: "MainScreen") -> None:
    place = at_hand.place(screen)
    chosen = editor.editor(screen.desk.settings.editor)
    if place is None:
        return
    if screen.app.is_web:
        where = ":".join(str(part) for part in place if part is not None)
        tell(screen, f"{editor.NOT_IN_A_BROWSER}. The place is {where}", title="Open in editor")
        return
    if chosen is None:
        tell(screen, editor.HOW_TO_SET, title="Open in editor", severity="warning")
        return
    words = editor.command(chosen, *place)
    try:
        with screen.app.suspend():
            subprocess.run(words, check=False)  # noqa: S603
    except SuspendNotSupported:
        tell(screen, "this terminal cannot be handed to an editor", severity="warning")
    except OSError as error:
        tell(screen, f"{words[0]}: {error.strerror or error}", title="Open in editor", severity="error")
    screen.app.refresh(layout=True)


def _next_view(screen: "MainScreen") -> None:
    screen.graph.next_view()
    keep_graph_mode(screen.desk.remembered, screen.graph.mode)


def _tab(name: str) -> Flow:
    return lambda screen: screen.pick_tab(name)


def _turn(by: int) -> Flow:
    def turn(screen: "MainScreen") -> None:
        names = list(TABS)
        screen.pick_tab(names[(names.index(screen.selection.tab) + by) % len(names)])

    return turn


FLOWS: Final[dict[str, Flow]] = {
    "open-editor": _open_editor,
    "graph-or-list": _next_view,
    "tab-error": _tab(ERROR),
    "tab-data": _tab(DATA),
    "tab-timeline": _tab(TIMELINE),
    "tab-logs": _tab(LOGS),
    "tab-events": _tab(EVENTS),
    "tab-source": _tab(SOURCE),
    "next-tab": _turn(1),
    "previous-tab": _turn(-1),
}
