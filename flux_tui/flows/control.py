"""The flows that reach into runs on their way or at rest: signal, cancel, pause."""

from typing import TYPE_CHECKING, Final

from flux_tui.flows.asking import PATIENCE, Flow, answered, send_on, tell_refused
from flux_tui.looks import ID_CELLS
from flux_tui.model.elsewhere import driver_text, held_elsewhere
from flux_tui.model.text import printable
from flux_tui.runner.member import RunnerRefused
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.signal import SignalScreen, choices_of
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


async def signal(screen: "MainScreen") -> None:
    """Ask for the signal that the selected run waits for, and send it."""
    view = screen.run_view
    choices = () if view is None else choices_of(view.waits, view.graph)
    if view is None or not choices:
        return
    dialog = SignalScreen(
        view.workflow,
        choices,
        screen.selection.step,
        run=view.id,
        recent=lambda name: screen.desk.payloads(view.workflow, name),
        secrets=screen.desk.secrets,
    )
    given = await screen.app.push_screen_wait(dialog)
    if given is None:
        return

    async def request(allow_changed: bool) -> str:  # noqa: FBT001
        return await screen.desk.signal(view, given.name, given.payload, allow_changed=allow_changed)

    await send_on(screen, view.workflow, f"{given.name} was not sent", request)


async def cancel(screen: "MainScreen") -> None:
    """End the selected run, after asking."""
    view = screen.run_view
    if view is None:
        return
    running = view.running_step
    detail = f"{printable(view.workflow)} {printable(view.id)[:ID_CELLS]} ends here, as cancelled."
    if running is not None:
        detail += f" Step {printable(running.name)} is running and is cancelled too."
    question = ConfirmScreen("Cancel the run?", detail, yes="Cancel run", no="Keep it")
    if not await screen.app.push_screen_wait(question):
        return
    try:
        status = await answered(screen, view.workflow, screen.desk.cancel(view))
    except RunnerRefused as refused:
        tell_refused(screen, "The run was not cancelled", refused)
        return
    if status != "cancelled":
        screen.set_timer(PATIENCE, lambda: _tell_if_running(screen, view.id))


def _tell_if_running(screen: "MainScreen", run_id: str) -> None:
    view = screen.desk.view(run_id)
    if view is not None and view.status == "running":
        who = "whoever has it in hand" if view.driver is None else driver_text(view.driver)
        tell(screen, f"The run was asked to end; {who} does so.", title="Cancel run")


async def pause(screen: "MainScreen") -> None:
    """Stop the selected run before its next step."""
    view = screen.run_view
    if view is None:
        return
    try:
        status = await answered(screen, view.workflow, screen.desk.pause(view))
    except RunnerRefused as refused:
        tell_refused(screen, "The run was not paused", refused)
        return
    if status != "paused":
        driver = held_elsewhere(view)
        who = "" if driver is None else f"{driver_text(driver)} was asked. "
        tell(screen, f"{who}The run stops before its next step; u goes on with it.", title="Pause run")


FLOWS: Final[dict[str, Flow]] = {"signal": signal, "cancel": cancel, "pause": pause}
