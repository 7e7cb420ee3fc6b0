"""Asking the runner for something: waiting for its answer, and telling when it refuses."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from flux_engine.errors import DefinitionChangedError
from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

Flow = Callable[["MainScreen"], Coroutine[Any, Any, None] | None]
"""What an action does: at once, or as a worker beside the screen, so that the keyboard never waits."""

CHANGED = DefinitionChangedError.__qualname__

GLANCE = 0.1
"""Seconds between two looks whether a dialog is still open."""

PATIENCE = 1.0
"""Seconds without an answer after which the user is told that one is waited for."""

Answer = TypeVar("Answer")


async def send_on(
    screen: "MainScreen", workflow: str, failure: str, request: Callable[[bool], Awaitable[str]]
) -> None:
    """Send a run on its way, as ``sent``, and follow it."""
    run_id = await sent(screen, workflow, failure, request)
    if run_id is not None:
        screen.follow(run_id, workflow)


async def sent(
    screen: "MainScreen", workflow: str, failure: str, request: Callable[[bool], Awaitable[str]]
) -> str | None:
    """Send a run on its way; when its workflow has changed since, ask whether to do so all the same.

    Returns its id, or ``None`` when it was refused, which is told, or the user thought better of it.
    """
    try:
        return await answered(screen, workflow, request(False))  # noqa: FBT003
    except RunnerRefused as refused:
        if refused.changed is None:
            tell_refused(screen, failure, refused)
            return None
        await undisturbed(screen)
        question = ConfirmScreen("Go on although the workflow has changed?", refused.changed, yes="Go on")
        if not await screen.app.push_screen_wait(question):
            return None
    try:
        return await answered(screen, workflow, request(True))  # noqa: FBT003
    except RunnerRefused as again:
        tell_refused(screen, failure, again)
        return None


async def undisturbed(screen: "MainScreen") -> None:
    """Wait until no dialog is open, so that a question that nobody expects takes no key from another one."""
    while screen.app.screen is not screen:  # noqa: ASYNC110 - a screen does not tell when it is on top again
        await asyncio.sleep(GLANCE)


async def answered(screen: "MainScreen", workflow: str, request: Awaitable[Answer]) -> Answer:
    """Wait for the runner's answer; say so when it takes its time, as it does while the store is locked."""
    waiting = "The runner has not answered yet: it may be blocked, or wait for the store."
    timer = screen.set_timer(PATIENCE, lambda: tell(screen, waiting, title=workflow))
    try:
        return await request
    finally:
        timer.stop()


def tell_refused(screen: "MainScreen", title: str, refused: RunnerRefused) -> None:
    """Tell why something was not done."""
    lines = [refused.message, *(f"{where or 'input'}: {what}" for where, what in refused.problems)]
    if refused.error == "StorageError" and not screen.desk.settings.db.exists():
        lines.append("K restarts the runner, which makes a new store.")
    tell(screen, "\n".join(lines), title=title, severity="error")
