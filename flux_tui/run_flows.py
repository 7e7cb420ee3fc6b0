"""The flows that send runs on their way: ask what has to be asked, request it, follow the run.

All are coroutines that run beside the screen, so that neither a dialog nor the runner holds up a key.
"""

from typing import TYPE_CHECKING, Any

from flux_tui.model.run import DefinitionView, RunView
from flux_tui.runner.member import RunnerRefused
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


async def run(screen: "MainScreen") -> None:
    """Ask for the input, then start a run of the selected workflow."""
    definition = screen.definition
    if definition is not None:
        await _start(screen, definition, {})


async def run_again(screen: "MainScreen") -> None:
    """Start a run of the selected workflow with the input used last."""
    definition = screen.definition
    if definition is not None:
        await _start(screen, definition, screen.desk.last_input(definition.name))


async def _start(screen: "MainScreen", definition: DefinitionView, value: Any) -> None:
    try:
        run_id = await screen.desk.run(definition.name, value)
    except RunnerRefused as refused:
        _tell_refused(screen, f"{definition.name} was not started", refused)
        return
    screen.follow(run_id, definition.name)


async def retry(screen: "MainScreen") -> None:
    """Retry the run from the selected step."""
    await _retry(screen, "downstream")


async def retry_only(screen: "MainScreen") -> None:
    """Retry the selected step and no other."""
    await _retry(screen, "only")


async def _retry(screen: "MainScreen", scope: str, data: dict[str, Any] | None = None) -> None:
    view, step = screen.run_view, screen.selection.step
    if view is None or step is None:
        return
    try:
        await screen.desk.preview(view, step, scope=scope)
        run_id = await screen.desk.retry(view, step, scope=scope, data=data)
    except RunnerRefused as refused:
        _tell_refused(screen, f"{step} was not retried", refused)
        return
    screen.follow(run_id, view.workflow)


async def edit_and_retry(screen: "MainScreen") -> None:
    """Let the user change the data before the selected step, then retry from it."""


async def resume(screen: "MainScreen") -> None:
    """Go on with the selected run."""
    view = screen.run_view
    if view is None:
        return
    try:
        run_id = await screen.desk.resume(view)
    except RunnerRefused as refused:
        _tell_refused(screen, "The run was not resumed", refused)
        return
    screen.follow(run_id, view.workflow)


async def restart(screen: "MainScreen") -> None:
    """End the runner and start another one, after asking when that interrupts runs."""
    await screen.desk.restart()


async def quit(screen: "MainScreen") -> None:  # noqa: A001 - what it does
    """Leave, after asking when runs are in hand."""
    screen.app.exit()


def _tell_refused(screen: "MainScreen", title: str, refused: RunnerRefused) -> None:
    lines = [refused.message, *(f"{where or 'input'}: {what}" for where, what in refused.problems)]
    tell(screen, "\n".join(lines), title=title, severity="error")


def _running(view: RunView | None) -> bool:
    return view is not None and view.status == "running"
