"""The flows of debugging: breakpoints, single steps, data edited on the way, retry on save."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from flux_tui.flows.asking import CHANGED, Flow, answered, send_on, sent, tell_refused, undisturbed
from flux_tui.model.breakpoints import Breakpoints, stops_of
from flux_tui.model.run import RunView
from flux_tui.model.text import printable
from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.edit_stop import EditStopScreen
from flux_tui.screens.retry import RetryScreen
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

BUSY = "RunBusyError"


def breakpoint_here(screen: "MainScreen") -> None:
    """Set a breakpoint before the selected step, or take it away."""
    now = screen.selection
    if now.workflow is not None and now.step is not None:
        screen.desk.stop_before(screen.desk.breakpoints.toggled(now.workflow, now.step))


def clear(screen: "MainScreen") -> None:
    """Take all breakpoints away."""
    count = screen.desk.breakpoints.count
    screen.desk.stop_before(Breakpoints())
    tell(screen, f"{count} breakpoint{'s' if count != 1 else ''} taken away", title="Breakpoints")


async def next_step(screen: "MainScreen") -> None:
    """Run the steps that the selected run stands before, and stop again."""
    await _go_on(screen, stepping=True)


async def go_on(screen: "MainScreen") -> None:
    """Go on with the selected run to the next breakpoint, or to its end."""
    await _go_on(screen, stepping=False)


async def _go_on(
    screen: "MainScreen", *, stepping: bool, step: str | None = None, data: dict[str, Any] | None = None
) -> None:
    """Go on with the selected run; ``data`` is merged over what ``step`` finds."""
    view, desk = screen.run_view, screen.desk
    if view is None:
        return
    stops = stops_of(view)

    def request(allow_changed: bool) -> Coroutine[Any, Any, str]:  # noqa: FBT001
        if data and step is not None and step not in stops[:1]:
            return desk.retry(
                view, step, scope="downstream", data=data, stepping=stepping, allow_changed=allow_changed
            )
        return desk.resume(view, data=data or None, stepping=stepping, allow_changed=allow_changed)

    await send_on(screen, view.workflow, "The run did not go on", request)


async def edit_stop(screen: "MainScreen", view: RunView, step: str) -> None:
    """Let the user change the data that a step of a paused run finds, then go on with it."""
    dialog = EditStopScreen(f"Data that {step} finds", view.data_before(step), screen.desk.secrets)
    data = await screen.app.push_screen_wait(dialog)
    if data is not None:
        await _go_on(screen, stepping=dialog.stepping, step=step, data=data)


def toggle_retry_on_save(screen: "MainScreen") -> None:
    """Have the selected run retried whenever its code is loaded anew, or no longer."""
    if screen.run_view is not None:
        screen.saves.toggle(screen.run_view)


async def retry_saved(screen: "MainScreen", view: RunView) -> None:
    """Retry a failed run with the code that was loaded, after asking when that repeats a commit."""
    desk, failed = screen.desk, view.failed_step
    if failed is None:
        return
    failure = f"{printable(failed.name)} was not retried"

    async def request(allow_changed: bool) -> str:  # noqa: FBT001
        return await desk.retry(view, failed.name, scope="downstream", data=None, allow_changed=allow_changed)

    try:
        plan = await answered(screen, view.workflow, desk.preview(view, failed.name))
    except RunnerRefused as refused:
        if refused.error == BUSY:  # somebody was faster
            return
        if refused.error != CHANGED:
            tell_refused(screen, failure, refused)
            return
    else:
        if plan.repeated_commits:
            screen.saves.ask()
            await undisturbed(screen)
            why = f"{view.workflow} was saved"
            if not await screen.app.push_screen_wait(RetryScreen(plan, why=why)):
                return
    run_id = await sent(screen, view.workflow, failure, request)
    if run_id is not None and screen.selection.run == run_id:
        screen.follow(run_id, view.workflow)


FLOWS: Final[dict[str, Flow]] = {
    "breakpoint": breakpoint_here,
    "clear-breakpoints": clear,
    "next-step": next_step,
    "go-on": go_on,
    "retry-on-save": toggle_retry_on_save,
}
