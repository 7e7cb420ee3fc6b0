"""The past moment of the selected run that is looked at, if any."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from flux_tui import selection
from flux_tui.model.elsewhere import trace_is_elsewhere
from flux_tui.model.masked import masked_run
from flux_tui.model.moments import Moment, Moments, whole
from flux_tui.model.run import RunView
from flux_tui.needs import NO_RUN
from flux_tui.telling import tell

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


class Past:
    """Looks back into the selected run of a screen. The selection has the moment; this finds it again."""

    def __init__(self, screen: "MainScreen") -> None:
        self._screen = screen
        self._moments = Moments()
        self._shown: tuple[Moment, RunView] | None = None

    def _followed(self) -> Moments:
        run = self._screen.selection.run
        self._moments.follow(() if run is None else self._screen.desk.open_runs.account(run))
        return self._moments

    @property
    def count(self) -> int:
        """How many moments of the selected run are known."""
        return len(self._followed())

    @property
    def moment(self) -> Moment | None:
        """The moment that is looked at; ``None`` for the present."""
        number = self._screen.selection.moment
        return None if number is None else self._followed().at(number)

    @property
    def view(self) -> RunView | None:
        """The selected run as it stood at the moment, masked, in the graph known now: no step moves."""
        moment, present = self.moment, self._screen.run_view
        if moment is None or present is None:
            return present
        if self._shown is None or self._shown[0].view is not moment.view:
            graph = present.graph if moment.view.graph.guessed else moment.view.graph
            then = masked_run(replace(moment.view, graph=graph), self._screen.desk.secrets)
            self._shown = (moment, then)
        return self._shown[1]

    def problem(self) -> str | None:
        """Return why there is no way back in the selected run."""
        run = self._screen.selection.run
        if run is None:
            return NO_RUN
        desk = self._screen.desk
        events, account = desk.events_of(run), desk.open_runs.account(run)
        if not account:
            return f"the moments of this run are {trace_is_elsewhere(self._screen.run_view)}"
        if events and not whole(events) and not desk.whole:
            return "the beginning of the trace is still being read"
        if not whole(account):
            return "the beginning of this run's trace is gone, so its moments cannot be told"
        return None

    def go(self, number: int) -> None:
        """Go to a moment of the selected run, to its first or last when there is no such; show it."""
        moment = self._followed().at(number)
        if moment is not None:
            screen = self._screen
            screen.selection = selection.at_moment(screen.selection, moment.number, moment.event.step_name)
            screen.show()

    def go_to(self, time: float, place: int | None = None) -> None:
        """Go to how the selected run stood after one of its events, else at a time, if that is known."""
        problem = self.problem()
        if problem is not None:
            tell(self._screen, problem, title="Back in time", severity="warning")
            return
        moments = self._followed()
        traced = place is not None and whole(self._screen.desk.events_of(self._screen.selection.run or ""))
        self.go((moments.at_event(place) or 1) if place is not None and traced else moments.at_time(time))

    def leave(self) -> bool:
        """Return to the present and show it; return whether the screen was not there already."""
        if self._screen.selection.moment is None:
            return False
        self._screen.selection = selection.at_present(self._screen.selection)
        self._screen.show()
        return True
