"""The flows that send runs on their way: ask what has to be asked, request it, follow the run.

All are coroutines that run beside the screen, so that neither a dialog nor the runner holds up a key.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from flux_tui.flows.asking import CHANGED, Flow, answered, send_on, tell_refused
from flux_tui.flows.debug import edit_stop
from flux_tui.model.breakpoints import stops_of
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import Scope
from flux_tui.screens.edit_data import EditDataScreen
from flux_tui.screens.retry import RetryScreen
from flux_tui.screens.trigger import TriggerInput, TriggerScreen

if TYPE_CHECKING:
    from flux_tui.desk import Desk
    from flux_tui.screens.main import MainScreen


async def run(screen: "MainScreen") -> None:
    """Ask for the input, then start a run of the selected workflow; ask again when the input is refused."""
    definition = screen.definition
    if definition is None:
        return
    history = screen.desk.inputs(definition.name)
    asked: TriggerInput | None = None
    problems: Sequence[tuple[str, str]] = ()
    while True:
        dialog = TriggerScreen(definition, history, problems, asked, screen.desk.secrets)
        asked = await screen.app.push_screen_wait(dialog)
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
    """Start a run of the selected workflow with the input used last; ask for one when there is none.

    Keys may come so fast that another workflow is selected than when this was asked for.
    """
    definition = screen.definition
    if definition is None:
        return
    latest = await _latest_input(screen.desk, definition.name)
    if not latest:
        await run(screen)
        return
    try:
        run_id = await answered(screen, definition.name, screen.desk.run(definition.name, latest[0]))
    except RunnerRefused as refused:
        tell_refused(screen, f"{definition.name} was not started", refused)
    else:
        screen.follow(run_id, definition.name)


async def _latest_input(desk: "Desk", workflow: str) -> list[Any]:
    """Return the input used last, with its secrets: these are not kept with it, but with the run."""
    run_id = desk.latest(workflow)
    if run_id is not None and desk.view(run_id) is None:
        await desk.read(run_id)
    return desk.inputs(workflow)[:1]


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
    if step in stops_of(view):
        await edit_stop(screen, view, step)
        return
    dialog = EditDataScreen(f"Edit the data before {step}", view.data_before(step), screen.desk.secrets)
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
    await send_on(screen, view.workflow, f"{step} was not retried", request)


async def resume(screen: "MainScreen") -> None:
    """Go on with the selected run from its first step that is not done."""
    view, desk = screen.run_view, screen.desk
    if view is None:
        return

    async def request(allow_changed: bool) -> str:  # noqa: FBT001
        return await desk.resume(view, allow_changed=allow_changed)

    await send_on(screen, view.workflow, "The run was not resumed", request)


FLOWS: Final[dict[str, Flow]] = {
    "run": run,
    "run-again": run_again,
    "retry": retry,
    "retry-only": retry_only,
    "edit-retry": edit_and_retry,
    "resume": resume,
}
