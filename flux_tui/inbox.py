"""What the desk tells the screen, kept until the screen looks, and then taken in all at once."""

from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.message import Message

from flux_tui import gone, selection
from flux_tui.news import Change, Notice

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


class Inbox:
    """The changes of the desk that the screen does not know of yet."""

    class Filled(Message):
        """There is something in the inbox that was empty before."""

    def __init__(self, screen: "MainScreen") -> None:
        self._screen = screen
        self._changes: list[Change] = []

    def hear(self, change: Change) -> None:
        """Take note of a change. What comes before the next look is taken in together, however much it is."""
        self._changes.append(change)
        if len(self._changes) == 1:
            self._screen.post_message(self.Filled())

    def empty(self) -> None:
        """Have selection and marks follow what was heard, and tell the user what is to be told."""
        changes, self._changes = self._changes, []
        for change in changes:
            self._take_in(change)
        self._adopt()

    def _take_in(self, change: Change) -> None:
        screen = self._screen
        if change.notice is not None:
            self._tell(change.notice)
        if screen.selection.run in change.runs:
            view = screen.desk.view(screen.selection.run)
            if view is not None:
                screen.selection = selection.with_news(screen.selection, view)
        screen.marks.remove(change.gone)
        gone.leave(screen, change.gone)

    def _tell(self, notice: Notice) -> None:
        self._screen.app.notify(
            notice.text, title=notice.title, severity=notice.severity, timeout=notice.seconds, markup=False
        )

    def _adopt(self) -> None:
        """Select the first workflow when nothing is selected yet; keep to a module when it changed."""
        screen, definitions = self._screen, self._screen.desk.definitions
        path = screen.selection.module
        if path is None and screen.selection.workflow is None and definitions.modules and screen.desk.loaded:
            path = next((each.path for each in definitions.modules if each.workflows), None)
            if path is None:
                path = definitions.modules[0].path
            screen.go_to_module(path)
            if definitions.workflows:
                screen.selection = replace(screen.selection, module=None)
        elif path is not None and screen.selection.workflow is None:
            screen.go_to_module(path)
