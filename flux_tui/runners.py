"""The runner's part of the desk: it follows the module files, and turns what the pool tells into state."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from flux_tui.feed.modules import watch_modules
from flux_tui.model.declared import declared, declared_in
from flux_tui.model.definitions import Definitions
from flux_tui.model.runs import RunsModel
from flux_tui.model.saves import reloaded_workflows
from flux_tui.news import Blockage, Notice
from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.messages import Blocked, Output
from flux_tui.runner.pool import RunnerPool
from flux_tui.runner.pool_events import (
    PoolEvent,
    Reloaded,
    RunBegan,
    RunEnded,
    RunnerDied,
    RunnerRestarted,
    StillLoading,
)
from flux_tui.settings import Settings

OUTPUT_SHOWN = 600
"""How many characters of a dead runner's output are told at once."""


class Owner(Protocol):
    """What the runners' news goes to: the desk."""

    definitions: Definitions
    runs: RunsModel
    loads: Counter[str]

    def become(self, **changes: Any) -> None:
        """Change the state."""

    def notify(self, notice: Notice) -> None:
        """Have the user told something once."""

    def stay_busy(self) -> None:
        """Look at trace and store often for a while."""


class Runners:
    """The pool of runners, and what was loaded in it."""

    def __init__(self, settings: Settings, paths: Sequence[Path], owner: Owner) -> None:
        self._owner = owner
        self._paths = tuple(paths)
        self._saved: frozenset[str] = frozenset()
        self._restarted = False
        self._files: set[Path] = set()
        config = RunnerConfig(
            root=str(settings.project),
            db=settings.db.to_text(),
            trace=str(settings.trace),
            paths=tuple(str(path) for path in paths),
            default_retries=settings.default_retries,
            default_timeout=settings.default_timeout,
            redact_env=settings.redact_env,
        )
        self.pool = RunnerPool(config, self._told)

    async def start(self) -> bool:
        """Start the first runner; return whether that could be done."""
        try:
            await self.pool.start()
        except OSError as error:
            self._owner.become(runner="dead", death=f"no runner can be started: {error}")
            return False
        return True

    async def watch(self) -> None:
        """Have the modules loaded anew whenever one of their files changes."""
        async for changed in watch_modules(self._paths, lambda: self._files):
            self._saved |= {str(path) for path in changed}
            await self.pool.reload()

    def _told(self, event: PoolEvent) -> None:
        match event:
            case Reloaded():
                self._reloaded(event)
            case StillLoading():
                name = Path(event.path).name
                text = f"{name} is still being imported after {event.seconds:.0f} s · K restarts the runner"
                self._owner.become(loading=text)
            case RunnerDied():
                self._died(event)
            case RunnerRestarted():
                self._restarted = True
                self._owner.become(
                    runner="starting", note="a new runner is starting", death="", loading="", blocked=None
                )
            case Blocked():
                self._owner.become(blocked=self._blockage(event))
            case Output():
                pass  # the modules' output comes with them, and a dead runner's last words with its end
            case RunBegan():
                self._owner.become(in_hand=len(self.pool.runs_in_hand))
                self._owner.stay_busy()
            case RunEnded():
                self._ended(event)

    def _reloaded(self, event: Reloaded) -> None:
        owner = self._owner
        first = not owner.definitions.modules and not self._saved
        self._files = {Path(file) for file in event.files}
        before, owner.definitions = owner.definitions, owner.definitions.loaded(list(event.modules))
        declared.add(name for flow in owner.definitions.workflows for name in declared_in(flow.raw))
        done = "restarted" if self._restarted else "" if first else what_was_done(self._saved)
        note = f"{done} in {event.milliseconds:.0f} ms" if done else ""
        if not self.pool.is_outdated:  # else what was saved meanwhile counts with the load that follows
            saved, self._saved = self._saved, frozenset()
            owner.loads.update(flow.name for flow in reloaded_workflows(before, owner.definitions, saved))
        self._restarted = False
        owner.become(runner="ready", note=note, death="", loading="", in_hand=len(self.pool.runs_in_hand))

    def _died(self, event: RunnerDied) -> None:
        runs = len(event.run_ids)
        text = event.description
        if runs == 1:
            text += " A run is interrupted: u goes on with it."
        elif runs:
            text += f" {runs} runs are interrupted: U goes on with all, u with one."
        if event.output:
            text += f"\n{event.output[-OUTPUT_SHOWN:]}"
        self._owner.become(runner="dead", death=event.description, blocked=None)
        self._owner.stay_busy()
        self._owner.notify(Notice(title="The runner died", text=text, severity="error", seconds=15.0))

    def _ended(self, event: RunEnded) -> None:
        self._owner.become(in_hand=len(self.pool.runs_in_hand))
        self._owner.stay_busy()
        if event.error:
            self._owner.notify(Notice(title="A run stopped", text=event.error, severity="error"))

    def _blockage(self, event: Blocked) -> Blockage | None:
        if not event.seconds:
            return None
        row = None if event.run_id is None else self._owner.runs.get(event.run_id)
        file_and_line = event.where.rsplit(":", 1)[0]
        return Blockage(
            seconds=event.seconds,
            workflow="" if row is None else row.workflow,
            step=event.step or "",
            where=file_and_line.replace("\\", "/").rsplit("/", 1)[-1],
        )


def what_was_done(changed: Iterable[str]) -> str:
    """Return what a load did, by the files that had changed: ``reloaded a.py``, ``removed b.py``."""
    there: dict[bool, set[str]] = {True: set(), False: set()}
    for file in changed:
        there[Path(file).exists()].add(Path(file).name)
    said = [
        f"{verb} {', '.join(sorted(names))}"
        for verb, names in (("reloaded", there[True]), ("removed", there[False] - there[True]))
        if names
    ]
    return ", ".join(said) or "reloaded all modules"
