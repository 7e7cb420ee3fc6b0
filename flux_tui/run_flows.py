"""The flows that send runs on their way: ask what has to be asked, request it, follow the run.

All are coroutines that run beside the screen, so that neither a dialog nor the runner holds up a key.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import Scope
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.edit_data import EditDataScreen
from flux_tui.screens.retry import RetryScreen
from flux_tui.screens.trigger import TriggerInput, TriggerScreen
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

CHANGED = "DefinitionChangedError"

PATIENCE = 1.0
"""Seconds without an answer after which the user is told that one is waited for."""

Answer = TypeVar("Answer")


async def run(screen: "MainScreen") -> None:
    """Ask for the input, then start a run of the selected workflow; ask again when the input is refused."""
    definition = screen.definition
    if definition is None:
        return
    history = screen.desk.inputs(definition.name)
    asked: TriggerInput | None = None
    problems: Sequence[tuple[str, str]] = ()
    while True:
        asked = await screen.app.push_screen_wait(TriggerScreen(definition, history, problems, asked))
        if asked is None:
            return
        try:
            run_id = await answered(screen, definition.name, screen.desk.run(definition.name, asked.value))
        except RunnerRefused as refused:
            if not refused.problems:
                tell_refused(screen, f"{definition.name} was not started", refused)
                return
            problems = refused.problems
        else:
            screen.follow(run_id, definition.name)
            return


async def run_again(screen: "MainScreen") -> None:
    """Start a run of the selected workflow with the input used last."""
    definition = screen.definition
    if definition is None:
        return
    try:
        latest = screen.desk.inputs(definition.name)[0]
        run_id = await answered(screen, definition.name, screen.desk.run(definition.name, latest))
    except RunnerRefused as refused:
        tell_refused(screen, f"{definition.name} was not started", refused)
    else:
        screen.follow(run_id, definition.name)


async def retry(screen: "MainScreen") -> None:
    """Retry the run from the selected step."""
    await _retry(screen, "downstream")


async def retry_only(screen: "MainScreen") -> None:
    """Retry the selected step and no other."""
    await _retry(screen, "only")


async def edit_and_retry(screen: "MainScreen") -> None:
    """Let the user change the data before the selected step, then retry from it."""
    view, step = screen.run_view, screen.selection.step
    if view is None or step is None:
        return
    dialog = EditDataScreen(f"Data before {step}", view.data_before(step))
    data = await screen.app.push_screen_wait(dialog)
    if data is not None:
        await _retry(screen, "downstream", data)


async def _retry(screen: "MainScreen", scope: Scope, data: dict[str, Any] | None = None) -> None:
    view, step, desk = screen.run_view, screen.selection.step, screen.desk
    if view is None or step is None:
        return

    async def request(allow_changed: bool) -> str:  # noqa: FBT001
        return await desk.retry(view, step, scope=scope, data=data, allow_changed=allow_changed)

    try:
        plan = await answered(screen, view.workflow, desk.preview(view, step, scope=scope))
    except RunnerRefused as refused:
        if refused.error != CHANGED:
            tell_refused(screen, f"{step} was not retried", refused)
            return
    else:
        if plan.repeated_commits and not await screen.app.push_screen_wait(RetryScreen(plan)):
            return
    await _send_on(screen, view.workflow, f"{step} was not retried", request)


async def resume(screen: "MainScreen") -> None:
    """Go on with the selected run from its first step that is not done."""
    view, desk = screen.run_view, screen.desk
    if view is None:
        return

    async def request(allow_changed: bool) -> str:  # noqa: FBT001
        return await desk.resume(view, allow_changed=allow_changed)

    await _send_on(screen, view.workflow, "The run was not resumed", request)


async def _send_on(
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


async def restart(screen: "MainScreen") -> None:
    """End the runner and start another one, after asking when that interrupts runs."""
    if await _may_interrupt(screen, "Restart the runner?", "Restart"):
        await screen.desk.restart()


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


def tell_refused(screen: "MainScreen", title: str, refused: RunnerRefused) -> None:
    """Tell why something was not done."""
    lines = [refused.message, *(f"{where or 'input'}: {what}" for where, what in refused.problems)]
    tell(screen, "\n".join(lines), title=title, severity="error")
