"""Runs that are about to be deleted: hidden at once, and removed from the store when undo ends.

As long as that takes nothing has happened to them. A dashboard that is killed meanwhile leaves them as they
were; one that is closed carries the deletion out first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from flux_tui.model.runs import RunsModel
from flux_tui.news import Notice
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import Deleted

UNDO_SECONDS: Final = 6.0
"""How long a deletion can be undone."""

AT_ONCE: Final = 200
"""How many runs the runner is asked to delete with one request."""

SHOWN: Final = 3
"""How many reasons are told when runs could not be deleted."""

LAST_DELETIONS: Final = 4.0
"""Seconds that the end of the program waits for the runner to delete what was deleted last."""

Batch = tuple[str, ...]


class Deletions:
    """Deletes runs with ``delete`` after a while.

    ``forget`` is told which are gone, ``notify`` what went wrong, and ``changed`` is called with the runs
    that were hidden or are shown again.
    """

    def __init__(
        self,
        runs: RunsModel,
        delete: Callable[[Sequence[str]], Awaitable[Deleted]],
        forget: Callable[[Iterable[str]], None],
        changed: Callable[[Batch], None],
        notify: Callable[[Notice], None],
    ) -> None:
        self._runs = runs
        self._delete = delete
        self._forget = forget
        self._changed = changed
        self._notify = notify
        self._waiting: dict[asyncio.Task[None], Batch] = {}
        self._under_way: dict[asyncio.Task[None], Batch] = {}

    @property
    def last(self) -> Batch:
        """The runs whose deletion ``undo`` would take back."""
        return next(reversed(self._waiting.values()), ())

    def put_off(self, run_ids: Iterable[str]) -> None:
        """Hide runs, and delete them when ``UNDO_SECONDS`` have passed."""
        batch = tuple(run_ids)
        task = asyncio.create_task(self._wait(batch), name="deletion")
        self._waiting[task] = batch
        self._hide(batch)

    def undo(self) -> Batch:
        """Take back the latest deletion that has not been carried out; return its runs."""
        if not self._waiting:
            return ()
        task, batch = self._waiting.popitem()
        task.cancel()
        self._hide(batch)
        return batch

    async def carry_out_all(self) -> None:
        """Delete all that waits, without waiting any longer."""
        for task, batch in tuple(self._waiting.items()):
            task.cancel()
            del self._waiting[task]
            self._under_way[asyncio.create_task(self._carry_out(batch))] = batch
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _wait(self, batch: Batch) -> None:
        await asyncio.sleep(UNDO_SECONDS)
        task = asyncio.current_task()
        if task in self._waiting:
            self._under_way[task] = self._waiting.pop(task)
        await self._carry_out(batch)

    async def _carry_out(self, batch: Batch) -> None:
        refused: dict[str, str] = {}
        for start in range(0, len(batch), AT_ONCE):
            some = batch[start : start + AT_ONCE]
            try:
                answer = await self._delete(some)
            except RunnerRefused as no:
                refused |= dict.fromkeys(some, no.message)
            else:
                self._forget(answer.deleted)
                refused |= answer.refused
        self._under_way = {task: each for task, each in self._under_way.items() if each is not batch}
        self._hide(batch)
        if refused:
            self._notify(_not_deleted(refused))

    def _hide(self, changed: Batch) -> None:
        """Hide what is still to be deleted, and nothing else."""
        batches = (*self._waiting.values(), *self._under_way.values())
        self._runs.hide(run_id for batch in batches for run_id in batch)
        self._changed(changed)


def _not_deleted(refused: dict[str, str]) -> Notice:
    reasons = list(dict.fromkeys(refused.values()))
    more = f"\nand {len(reasons) - SHOWN} more reasons" if len(reasons) > SHOWN else ""
    count = "A run was" if len(refused) == 1 else f"{len(refused)} runs were"
    return Notice(title=f"{count} not deleted", text="\n".join(reasons[:SHOWN]) + more, severity="error")
