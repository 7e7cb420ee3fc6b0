"""Retry on save: watches one run of the screen, and has it sent on when its code was loaded anew."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from flux_tui.model.run import RunView
from flux_tui.model.saves import Turn, Watch, turn, watch_forms
from flux_tui.model.text import printable
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

TITLE = "Retry on save"


class RetryOnSave:
    """The run that is retried on save, if any. ``look`` is called whenever there is news."""

    def __init__(self, screen: "MainScreen") -> None:
        self._screen = screen
        self._watch: Watch | None = None
        self._busy = False
        self._asking = False

    @property
    def run_id(self) -> str | None:
        """The id of the watched run."""
        return None if self._watch is None else self._watch.run_id

    @property
    def forms(self) -> tuple[str, ...]:
        """What the header says, the longest form first; nothing while no run is watched."""
        watch, desk = self._watch, self._screen.desk
        if watch is None:
            return ()
        view, definition = desk.view(watch.run_id), desk.definitions.find(watch.workflow)
        return watch_forms(view, definition, asking=self._asking)

    def toggle(self, view: RunView) -> None:
        """Watch a run from now on, or stop watching it."""
        if self.run_id == view.id:
            self._watch = None
        else:
            seen = self._screen.desk.loads[view.workflow]
            self._watch = Watch(run_id=view.id, workflow=view.workflow, seen=seen)
        self._screen.show()

    def ask(self) -> None:
        """Say that the user is asked whether a commit may be repeated."""
        self._asking = True
        self._screen.show()

    def look(self) -> None:
        """See what is to be done about the watched run now."""
        watch, desk = self._watch, self._screen.desk
        if watch is None or self._busy or desk.sending[watch.run_id]:
            return
        view, loaded = desk.view(watch.run_id), desk.loads[watch.workflow]
        gone = view is None and desk.runs.get(watch.run_id) is None
        match turn(watch, view, loaded=loaded, sent=desk.sent_with.get(watch.run_id, 0), gone=gone):
            case Turn.END:
                self._watch = None
                ending = "is gone" if gone or view is None else f"is {view.status}"
                tell(self._screen, f"{printable(watch.workflow)} {ending}.", title=f"{TITLE} has ended")
            case Turn.RETRY if view is not None:
                self._watch = replace(watch, seen=loaded)
                self._busy = True
                self._screen.run_worker(self._retry(view), group="flow")

    async def _retry(self, view: RunView) -> None:
        from flux_tui.flows.debug import retry_saved  # noqa: PLC0415 - flows work on screens

        try:
            await retry_saved(self._screen, view)
        finally:
            self._busy = self._asking = False
            self._screen.show()
            self.look()
