"""The flows that take something out: copying, exporting a run, a step as a test."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flux_tui import at_hand, clipboard
from flux_tui.flows.asking import Flow
from flux_tui.model.export import places
from flux_tui.model.step_test import Origin, has_waited, signals_of, step_test
from flux_tui.private_file import write_new
from flux_tui.runner.discovery import module_name
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.export import ExportScreen
from flux_tui.sharing import export_of, whole_text
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


async def copy(screen: "MainScreen") -> None:
    """Copy what the cursor is on."""
    await to_clipboard(screen, await asyncio.to_thread(at_hand.text_to_copy, screen))


async def copy_whole(screen: "MainScreen") -> None:
    """Copy all of what is looked at."""
    await to_clipboard(screen, await asyncio.to_thread(whole_text, screen))


async def copy_test(screen: "MainScreen") -> None:
    """Copy the selected step as a test."""
    view, definition = screen.run_view, screen.definition
    step = None if view is None or screen.selection.step is None else view.step(screen.selection.step)
    if view is None or definition is None or step is None:
        return
    path = Path(definition.path)
    origin = Origin(module=module_name(path).name, variable=definition.variable, file=path.name)
    events, secrets = screen.desk.events_of(view.id), screen.desk.secrets
    signals, waited = signals_of(events, step.name), has_waited(events, step.name)
    text = await asyncio.to_thread(step_test, view, step, origin, signals, secrets, waited=waited)
    await to_clipboard(screen, text, f"Copied a test of {step.name}")


async def to_clipboard(screen: "MainScreen", text: str | None, what: str = "Copied") -> None:
    """Copy a text, and tell how; ``what`` says what it is."""
    if text is None:
        return
    screen.app.copy_to_clipboard(text)
    tool = None if screen.app.is_web else clipboard.tool()
    problem = None if tool is None else await asyncio.to_thread(clipboard.fill, tool, text)
    size = f"{len(text):,} characters" if len(text) != 1 else "one character"
    if screen.app.is_web:
        tell(screen, f"{size}, to the clipboard of the browser", title=what)
    elif tool is None:
        tell(screen, f"{size}, through the terminal (OSC 52)", title=what)
    elif problem is None:
        tell(screen, f"{size}, with {tool[0]} and through the terminal (OSC 52)", title=what)
    else:
        failed = f"{size}, through the terminal (OSC 52); {tool[0]} failed: {problem}"
        tell(screen, failed, title=what, severity="warning")


async def export(screen: "MainScreen") -> None:
    """Ask where to, and write the selected run to a file."""
    view, desk = screen.run_view, screen.desk
    if view is None:
        return
    whole = desk.view(view.id) or view
    masked = await asyncio.to_thread(export_of, desk, whole, reveal=False)
    chosen = await screen.app.push_screen_wait(ExportScreen(masked, desk.project))
    if chosen is None:
        return
    made = await asyncio.to_thread(export_of, desk, whole, reveal=True) if chosen.reveal else masked
    try:
        try:
            await asyncio.to_thread(write_new, chosen.path, made.content)
        except FileExistsError:
            question = ConfirmScreen("Replace the file?", f"{chosen.path} exists.", yes="Replace", no="Keep")
            if not await screen.app.push_screen_wait(question):
                return
            await asyncio.to_thread(write_new, chosen.path, made.content, replace=True)
    except OSError as error:
        text = f"{chosen.path}: {error.strerror or error}"
        tell(screen, text, title="The run was not exported", severity="error")
        return
    masked_in = f"secrets masked in {places(made.masked)}" if made.masked else "no secret found in it"
    secrets = "with its secrets" if chosen.reveal else masked_in
    opens = f"flux-tui {chosen.path} opens it anywhere."
    tell(screen, f"{len(made.content):,} bytes, {secrets}. {opens}", title=f"Exported {chosen.path.name}")


FLOWS: Final[dict[str, Flow]] = {
    "copy": copy,
    "copy-whole": copy_whole,
    "copy-test": copy_test,
    "export": export,
}
