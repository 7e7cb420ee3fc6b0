"""What happens to the selection when the run that is looked at is no more."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from flux_tui import selection
from flux_tui.looks import ID_CELLS
from flux_tui.model.text import printable
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def leave(screen: "MainScreen", gone: Collection[str]) -> None:
    """Go from a run that is gone to the one that has come into its place in the list."""
    now = screen.selection
    if now.run is None or now.run not in gone:
        return
    screen.runs.rows_changed()
    key = screen.runs.cursor_key
    if screen.desk.loaded and now.run not in screen.desk.runs.hidden:
        tell(screen, f"run {printable(now.run)[:ID_CELLS]} is no longer in the store", title="Run deleted")
    if key is not None:
        screen.go_to_run(str(key))
    elif (definition := screen.definition) is not None:
        screen.selection = selection.at_workflow(now, definition.name, definition.graph)
    else:
        screen.selection = selection.without_run(now)
