"""What happens when an action is done: dialogs, requests to the desk, and what the user is told.

A flow that waits for a dialog or the runner is a worker of its own, so the keyboard never waits.
"""

import asyncio
import subprocess
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from textual.app import SuspendNotSupported

from flux_tui import at_hand, clipboard, control_flows, editor, key_help, run_flows
from flux_tui.screens.help import HelpScreen
from flux_tui.selection import DATA, ERROR, EVENTS, LOGS, SOURCE, TABS
from flux_tui.telling import tell
from flux_tui.widgets.runs import RunsPane

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

Flow = Callable[["MainScreen"], Coroutine[Any, Any, None] | None]


def perform(screen: "MainScreen", action_id: str) -> None:
    """Do what an action is about; its needs are met."""
    outcome = _FLOWS[action_id](screen)
    if outcome is not None:
        screen.run_worker(outcome, group="flow")


# Copy and open


async def _copy(screen: "MainScreen") -> None:
    text = at_hand.text_to_copy(screen)
    if text is None:
        return
    screen.app.copy_to_clipboard(text)
    tool = clipboard.tool()
    problem = None if tool is None else await asyncio.to_thread(clipboard.fill, tool, text)
    size = f"{len(text)} characters" if len(text) != 1 else "one character"
    if tool is None:
        tell(screen, f"{size}, through the terminal (OSC 52)", title="Copied")
    elif problem is None:
        tell(screen, f"{size}, with {tool[0]} and through the terminal (OSC 52)", title="Copied")
    else:
        tell(
            screen,
            f"{size}, through the terminal (OSC 52); {tool[0]} failed: {problem}",
            title="Copied",
            severity="warning",
        )


def _open_editor(screen: "MainScreen") -> None:
    place = at_hand.place(screen)
    chosen = editor.editor(screen.desk.settings.editor)
    if place is None:
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


# Look


def _help(screen: "MainScreen") -> None:
    desk = screen.desk
    known = key_help.entries(screen.situation(), desk.settings.keymap, read_only=desk.read_only)
    screen.app.push_screen(HelpScreen(known))


def _graph_or_list(screen: "MainScreen") -> None:
    graph = screen.graph
    graph.mode = "auto" if graph.mode == "list" else "list"


def _tab(name: str) -> Flow:
    return lambda screen: screen.pick_tab(name)


def _turn(by: int) -> Flow:
    def turn(screen: "MainScreen") -> None:
        names = list(TABS)
        screen.pick_tab(names[(names.index(screen.selection.tab) + by) % len(names)])

    return turn


def _pane(name: str) -> Flow:
    return lambda screen: screen.focus_pane(name)


_FLOWS: Final[dict[str, Flow]] = {
    "run": run_flows.run,
    "run-again": run_flows.run_again,
    "retry": run_flows.retry,
    "retry-only": run_flows.retry_only,
    "edit-retry": run_flows.edit_and_retry,
    "resume": run_flows.resume,
    "signal": control_flows.signal,
    "cancel": control_flows.cancel,
    "pause": control_flows.pause,
    "restart-runner": run_flows.restart,
    "filter": lambda screen: screen.query_one(RunsPane).start_filter(),
    "copy": _copy,
    "open-editor": _open_editor,
    "graph-or-list": _graph_or_list,
    "tab-error": _tab(ERROR),
    "tab-data": _tab(DATA),
    "tab-logs": _tab(LOGS),
    "tab-events": _tab(EVENTS),
    "tab-source": _tab(SOURCE),
    "next-tab": _turn(1),
    "previous-tab": _turn(-1),
    "go-workflows": _pane("workflows"),
    "go-runs": _pane("runs"),
    "go-details": _pane("details"),
    "go-graph": _pane("graph"),
    "back": lambda screen: screen.step_back(),
    "help": _help,
    "palette": lambda screen: screen.app.action_command_palette(),
    "theme": lambda screen: screen.app.search_themes(),
    "quit": run_flows.quit_flux,
}
