"""The flows of the program as a whole: help, palette, theme, the runner, the end."""

from typing import TYPE_CHECKING, Final

from flux_tui import key_help
from flux_tui.flows.asking import Flow
from flux_tui.keymap import place_of_keymap
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.help import HelpEntry, HelpScreen
from flux_tui.screens.theme import ThemeScreen
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def _help(screen: "MainScreen") -> None:
    screen.app.push_screen(HelpScreen(_entries(screen)))


def _clashes(screen: "MainScreen") -> None:
    if key_help.clash_entries(screen.desk.settings.keymap):
        screen.app.push_screen(HelpScreen(_entries(screen), search=key_help.CLASHES))
    else:
        tell(screen, "no keys clash", title="Keys")


def _entries(screen: "MainScreen") -> list[HelpEntry]:
    desk = screen.desk
    place = place_of_keymap(desk.project)
    return key_help.entries(screen.situation(), desk.settings.keymap, read_only=desk.read_only, place=place)


async def restart(screen: "MainScreen") -> None:
    """End the runner and start another one, after asking when that interrupts runs."""
    if await _may_interrupt(screen, "Restart the runner?", "Restart"):
        await screen.desk.restart()


async def pick_theme(screen: "MainScreen") -> None:
    """Try themes; keep the one that is chosen for later sessions."""
    app, before = screen.app, screen.app.theme
    chosen = await app.push_screen_wait(ThemeScreen(list(app.available_themes), before))
    app.theme = chosen or before
    if chosen is None:
        return
    screen.desk.remembered.put("theme", chosen)
    configured = screen.desk.settings.theme
    if configured not in (None, chosen):
        tell(screen, f"the settings say {configured}, which comes back with the next start", title="Theme")


async def quit_flux(screen: "MainScreen") -> None:
    """Leave, after asking when runs are in hand."""
    if await _may_interrupt(screen, "Quit?", "Quit"):
        screen.app.exit()


async def _may_interrupt(screen: "MainScreen", question: str, yes: str) -> bool:
    """Ask, if there are runs in hand, whether to interrupt them."""
    state = screen.desk.state
    if not state.in_hand:
        return True
    runs = "A run is" if state.in_hand == 1 else f"{state.in_hand} runs are"
    detail = f"{runs} in hand. What is running now is interrupted, and can be resumed with u."
    confirmed = await screen.app.push_screen_wait(ConfirmScreen(question, detail, yes=yes))
    return confirmed is True


FLOWS: Final[dict[str, Flow]] = {
    "restart-runner": restart,
    "back": lambda screen: screen.step_back(),
    "help": _help,
    "clashes": _clashes,
    "palette": lambda screen: screen.app.action_command_palette(),
    "theme": pick_theme,
    "quit": quit_flux,
}
