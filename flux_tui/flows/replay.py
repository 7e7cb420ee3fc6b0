"""The flow of a replay: the code as it is now, held against what is recorded."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from flux_tui.flows.asking import Flow
from flux_tui.flows.share import to_clipboard
from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.replay import ReplayScreen

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


async def replay(screen: "MainScreen") -> None:
    """Replay the selected run; closing the dialog ends the waiting."""
    view, desk = screen.run_view, screen.desk
    if view is None:
        return

    async def copy(text: str) -> None:
        await to_clipboard(screen, text, "Replay copied")

    dialog = ReplayScreen(view, desk.secrets, copy, plain=desk.settings.ascii)
    closed = asyncio.ensure_future(screen.app.push_screen_wait(dialog))
    asked = asyncio.ensure_future(desk.replay(view))
    await asyncio.wait({closed, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not closed.done():
        try:
            dialog.show_report(asked.result())
        except RunnerRefused as refused:
            dialog.show_problem(refused.message)
        await closed
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError, RunnerRefused):
        await asked


FLOWS: Final[dict[str, Flow]] = {"replay": replay}
