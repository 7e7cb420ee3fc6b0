"""The verbs of the desk: what changes runs. Each asks the runner, and has trace and store watched."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import convert

from flux_engine.execution import RetryPlan
from flux_engine.replay_report import ReplayReport
from flux_tui.inputs import Inputs
from flux_tui.model.breakpoints import Breakpoints, breakpoints_of
from flux_tui.model.run import RunRowView, RunView
from flux_tui.model.secrets import Secrets
from flux_tui.news import Change
from flux_tui.remembered import Remembered
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import Deleted, Scope
from flux_tui.runner.pool import RunnerPool
from flux_tui.runner.replayed import unpacked
from flux_tui.runners import Runners

AnyRun = RunView | RunRowView
"""A run, or the row of one: a verb needs its id and its workflow."""


class Verbs(ABC):
    """What can be asked of a runner. All verbs raise ``RunnerRefused`` for what cannot be done.

    ``loads`` counts the loads after a save by workflow, ``sending`` the requests under way that send a run
    on, and ``sent_with`` has the number of the load with which a run was sent on last.
    """

    def __init__(self, remembered: Remembered, secrets: Secrets) -> None:
        self.remembered = remembered
        self.breakpoints = breakpoints_of(remembered.get("breakpoints", dict[str, list[str]]))
        self.loads: Counter[str] = Counter()
        self.sending: Counter[str] = Counter()
        self.sent_with: dict[str, int] = {}
        self._inputs = Inputs(remembered, secrets)
        self._runners: Runners | None = None

    @abstractmethod
    def stay_busy(self) -> None:
        """Look at trace and store often for a while."""

    @abstractmethod
    def become(self, **changes: Any) -> None:
        """Change the state, and tell so."""

    @abstractmethod
    def tell(self, change: Change) -> None:
        """Tell a change to whoever listens."""

    async def run(self, workflow: str, input: Any) -> str:  # noqa: A002 - the field's word
        """Start a run; return its id when it exists. The input is kept unless it is what was refused."""
        self.stay_busy()
        try:
            run_id = await self._pool.run(workflow, input)
        except RunnerRefused as refused:
            if not refused.problems:
                self._inputs.remember(workflow, input)
            raise
        self._inputs.remember(workflow, input)
        self._begun(run_id)
        return run_id

    async def preview(self, run: AnyRun, step: str, *, scope: Scope = "downstream") -> RetryPlan:
        """Return what a retry would do."""
        plan = await self._pool.preview_retry(run.workflow, run.id, step, scope=scope)
        return convert(plan, RetryPlan)

    async def retry(
        self,
        run: AnyRun,
        step: str,
        *,
        scope: Scope = "downstream",
        data: dict[str, Any] | None = None,
        keep_commits: bool = False,
        stepping: bool = False,
        allow_changed: bool = False,
    ) -> str:
        """Retry a run from a step; return its id when it moves again."""
        self.stay_busy()
        with self._sending(run):
            run_id = await self._pool.retry(
                run.workflow,
                run.id,
                step,
                scope=scope,
                data=data,
                keep_commits=keep_commits,
                stepping=stepping,
                allow_changed=allow_changed,
            )
        self._begun(run_id)
        return run_id

    async def resume(
        self,
        run: AnyRun,
        *,
        data: dict[str, Any] | None = None,
        stepping: bool = False,
        allow_changed: bool = False,
    ) -> str:
        """Go on with an interrupted or paused run; return its id when it moves again.

        ``data`` is merged over what its next step finds; ``stepping`` stops it again behind that step.
        """
        self.stay_busy()
        with self._sending(run):
            run_id = await self._pool.resume(
                run.workflow, run.id, data=data, stepping=stepping, allow_changed=allow_changed
            )
        self._begun(run_id)
        return run_id

    def stop_before(self, breakpoints: Breakpoints) -> None:
        """Have these breakpoints from now on, and remember them."""
        self.breakpoints = breakpoints
        self.remembered.put("breakpoints", breakpoints.listed())
        if self._runners is not None:
            self._runners.pool.stop_before(breakpoints.steps)
        self.tell(Change())

    async def signal(self, run: RunView, name: str, payload: Any, *, allow_changed: bool = False) -> str:
        """Send a signal that a run waits for; return its id when it has been delivered."""
        self.stay_busy()
        run_id = await self._pool.signal(run.workflow, run.id, name, payload, allow_changed=allow_changed)
        if run.step(name) is None:  # else it says what became of a commit
            self._inputs.remember(signal_key(run.workflow, name), payload)
        self._begun(run_id)
        return run_id

    def payloads(self, workflow: str, name: str) -> list[Any]:
        """Return the payloads that a signal was sent with from here, the latest first."""
        return self._inputs.of(signal_key(workflow, name))

    async def fork(self, run: RunView, step: str, *, data: dict[str, Any] | None = None) -> str:
        """Start a new run at a step of another one; return its id when it exists."""
        self.stay_busy()
        run_id = await self._pool.fork(run.workflow, run.id, step, data=data)
        self._begun(run_id)
        return run_id

    async def replay(self, run: RunView) -> ReplayReport:
        """Run the plain steps of a run again, as the code is now, and return what differs."""
        return unpacked(await self._pool.replay(run.workflow, run.id))

    async def delete(self, run_ids: Sequence[str]) -> Deleted:
        """Remove runs from the store; return which are gone, and why others are not."""
        self.stay_busy()
        return await self._pool.delete(run_ids)

    async def cancel(self, run: AnyRun) -> str:
        """End a run; return the status it has now: one in hand may still be on its way there."""
        self.stay_busy()
        return await self._pool.cancel(run.id)

    async def pause(self, run: RunView) -> str:
        """Stop a run before its next step; return the status it has now, as ``cancel``."""
        self.stay_busy()
        return await self._pool.pause(run.id)

    async def restart(self) -> None:
        """End the runner, whatever it does, and start another one."""
        self.become(runner="starting", note="restarting the runner…", death="", blocked=None)
        await self._pool.restart()

    @contextmanager
    def _sending(self, run: AnyRun) -> Iterator[None]:
        """Note that a run is being sent on, and with which load of its workflow it was."""
        self.sending[run.id] += 1
        try:
            yield
            self.sent_with[run.id] = self.loads[run.workflow]
        finally:
            self.sending[run.id] -= 1

    @property
    def _pool(self) -> RunnerPool:
        if self._runners is None:
            raise RuntimeError("a trace is only looked at; there is no runner")
        return self._runners.pool

    def _begun(self, run_id: str) -> None:
        self.stay_busy()
        self.become(in_hand=len(self._pool.runs_in_hand))
        self.tell(Change(runs=frozenset({run_id})))


def signal_key(workflow: str, name: str) -> str:
    """Return under which name the payloads of a signal are remembered."""
    return f"{workflow} / signal {name}"
