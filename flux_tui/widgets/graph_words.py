"""Keeps what a graph says of suspended steps true while time passes, as seldom as that can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flux_tui.model.waits import next_change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from textual.timer import Timer

    from flux_tui.model.run import StepView
    from flux_tui.widgets.graph import StepGraph

LEAST_PAUSE: Final = 0.05


class WaitingWords:
    """Has steps that wait for a signal drawn again when their words change: once a minute, at last a second.

    Without a clock nothing is ever drawn again. There is no timer while nothing waits or the clock stands.
    """

    def __init__(self, graph: StepGraph, clock: Callable[[], float] | None) -> None:
        self._graph = graph
        self._clock = clock
        self._timer: Timer | None = None
        self._ends: dict[str, float] = {}
        self._told_at = 0.0

    def watch(self, steps: Mapping[str, StepView]) -> float:
        """Watch the steps that wait now, instead of those before; return the time, 0 without a clock."""
        waits = {name: step.waits_for for name, step in steps.items() if step.waits_for is not None}
        self._ends = {
            name: wait.until for name, wait in waits.items() if wait.signal and wait.until is not None
        }
        return self._schedule()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _schedule(self) -> float:
        self._stop()
        if self._clock is None:
            return 0.0
        now = self._told_at = self._clock()
        pauses = [pause for end in self._ends.values() if (pause := next_change(end, now)) is not None]
        if pauses and self._graph.is_attached:
            self._timer = self._graph.set_timer(max(min(pauses) / 1000, LEAST_PAUSE), self._say)
        return now

    def _say(self) -> None:
        before = self._told_at
        now = self._schedule()
        if now == before:
            self._stop()
            return
        self._graph.say_again(self._ends, now)
