"""What a click on the header leads to: the module that does not load, a run in progress, the next failure."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def go_to_part(screen: "MainScreen", part: str) -> None:
    """Go to what a part of the header tells of, if it is something on this screen."""
    if part == "failed":
        screen.action_do("next-failure")
    elif part == "running":
        _to_a_running_run(screen)
    elif part == "news":
        _to_the_problem(screen)


def _to_a_running_run(screen: "MainScreen") -> None:
    rows = (screen.desk.runs.row(index) for index in range(len(screen.desk.runs)))
    found = next((row for row in rows if row.status == "running"), None)
    if found is not None:
        screen.go_to_run(found.id)
        screen.show()
        screen.focus_pane("runs")


def _to_the_problem(screen: "MainScreen") -> None:
    path = next(iter(screen.desk.definitions.problems), None)
    if path is not None:
        screen.go_to_module(path)
        screen.show()
        screen.focus_pane("workflows")
