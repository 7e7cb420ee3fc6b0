"""Doing one thing to many runs: a few at a time, until all are done or somebody says stop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from flux_tui.model.run import RunRowView
from flux_tui.runner.member import RunnerRefused

AT_ONCE: Final = 4
"""How many runs are asked for at the same time."""

Act = Callable[[RunRowView], Awaitable[object]]


class Failure(Struct, frozen=True, kw_only=True):
    """A run that was not acted on, and why."""

    run: RunRowView
    reason: str


class Progress:
    """How far it is. ``stop`` lets what is under way end, and begins nothing more."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done: list[str] = []
        self.failures: list[Failure] = []
        self.stopped = False

    @property
    def count(self) -> int:
        """How many runs were seen to."""
        return len(self.done) + len(self.failures)

    @property
    def fraction(self) -> float:
        """How much of all is done, from 0 to 1."""
        return self.count / self.total if self.total else 1.0

    def stop(self) -> None:
        """Begin with no further run."""
        self.stopped = True


async def carry_out(
    rows: Sequence[RunRowView], act: Act, progress: Progress, told: Callable[[], None] = lambda: None
) -> None:
    """Act on each run, ``AT_ONCE`` at a time; ``told`` is called after each. What is refused is noted."""
    waiting = iter(rows)
    await asyncio.gather(*(_some(waiting, act, progress, told) for _ in range(AT_ONCE)))


async def _some(
    waiting: Iterator[RunRowView], act: Act, progress: Progress, told: Callable[[], None]
) -> None:
    for row in waiting:
        try:
            await act(row)
        except RunnerRefused as refused:
            alone = f"{refused.changed} Sent on alone, with t or u, it asks whether to go on all the same."
            reason = refused.message if refused.changed is None else alone
            progress.failures.append(Failure(run=row, reason=reason))
        except Exception as error:  # noqa: BLE001 - shown with the run that it befell; the others go on
            progress.failures.append(Failure(run=row, reason=f"{type(error).__qualname__}: {error}"))
        else:
            progress.done.append(row.id)
        told()
        if progress.stopped:
            return
