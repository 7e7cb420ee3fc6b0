"""Asking the runner for something: waiting for its answer, and telling when it refuses."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

Flow = Callable[["MainScreen"], Coroutine[Any, Any, None] | None]
"""What an action does: at once, or as a worker beside the screen, so that the keyboard never waits."""

CHANGED = "DefinitionChangedError"

PATIENCE = 1.0
"""Seconds without an answer after which the user is told that one is waited for."""

Answer = TypeVar("Answer")


async def send_on(
    screen: "MainScreen", workflow: str, failure: str, request: Callable[[bool], Awaitable[str]]
) -> None:
    """Send a run on its way; when its workflow has changed since, ask whether to do so all the same."""
    try:
        run_id = await answered(screen, workflow, request(False))  # noqa: FBT003
    except RunnerRefused as refused:
        if refused.error != CHANGED:
            tell_refused(screen, failure, refused)
            return
        question = ConfirmScreen("Go on although the workflow has changed?", refused.message, yes="Go on")
        if not await screen.app.push_screen_wait(question):
            return
        try:
            run_id = await answered(screen, workflow, request(True))  # noqa: FBT003
        except RunnerRefused as again:
            tell_refused(screen, failure, again)
            return
    screen.follow(run_id, workflow)


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
    tell(screen, "\n".join(lines), title=title, severity="error")
