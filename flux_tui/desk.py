"""What the dashboard works with: feeds, runner and models, behind verbs and one callback. No Textual.

Everything happens on one event loop. What comes in from trace, store and runner is merged here and told
as a ``Change``; whoever listens asks the desk for what it needs then.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from flux_engine.storage.base import RunQuery
from flux_engine.trace.events import TraceEvent
from flux_tui.deletions import LAST_DELETIONS, Deletions
from flux_tui.feed.store import PAGE, StoreFeed
from flux_tui.feed.sweep import Sweep, missing
from flux_tui.feed.trace import TraceFeed, TraceNews
from flux_tui.model.census import Census
from flux_tui.model.definitions import Definitions
from flux_tui.model.filter import Filter
from flux_tui.model.run import LogLine, RunRowView, RunView
from flux_tui.model.runs import RunsModel
from flux_tui.model.secrets import Secrets
from flux_tui.news import Change, DeskState, Notice
from flux_tui.open_runs import OpenRuns
from flux_tui.pacing import TRACE_BUSY, TRACE_ELSEWHERE, TRACE_IDLE, TRACE_OLD, came
from flux_tui.paging import Failures, Paging, beginning_with
from flux_tui.recovering import tell_interrupted
from flux_tui.remembered import FILE, Remembered
from flux_tui.runners import Runners
from flux_tui.settings import Settings
from flux_tui.tasks import Tasks
from flux_tui.trace_alone import TraceAlone
from flux_tui.verbs import Verbs

SWEEP = 2.0
"""Seconds between two looks at older runs of the store for those that others have deleted."""

BUSY_FOR = 2.0
"""Seconds after the latest news for which the trace is looked at often."""


class Desk(Verbs):
    """A project at hand: its definitions, its runs, and the verbs that change something.

    ``loaded`` says that what was there at the start has been read. ``when_read`` is called then, and again
    when a long trace was gone through to its beginning. ``on_restate``: a Restate server moves the runs.
    """

    on_restate = False

    def __init__(
        self,
        settings: Settings,
        paths: Sequence[Path],
        *,
        trace_only: bool = False,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        memory = None if trace_only else settings.db.folder(settings.project) / FILE
        remembered = Remembered(memory, keep=not read_only)
        self.secrets = Secrets(settings.redact)
        super().__init__(remembered, self.secrets)
        self.settings = settings
        self.project = settings.project
        self.trace_only = trace_only
        self.read_only = read_only
        self.definitions = Definitions()
        self.runs = RunsModel()
        self.census = Census(self.runs)
        self.counts = self.census.counts
        self.state = DeskState(runner="off" if trace_only else "starting")
        self.when_read: Callable[[], object] = lambda: None
        self._unread = {"trace"} if trace_only else {"trace", "store"}
        self._clock = clock
        self._listener: Callable[[Change], None] = lambda _: None
        self.open_runs = OpenRuns(self.secrets)
        self._looked_at: str | None = None
        self._reading_older = False
        self._busy_until = 0.0
        self._told_of_old_at = 0.0
        self._only_elsewhere = False
        self._look = asyncio.Event()
        self._stir = asyncio.Event()
        self.deletions = Deletions(self.runs, self.delete, self.forget, self._hidden, self.notify)
        self._paging = asyncio.Lock()
        self._sweep = Sweep(self.runs)
        self._sweep_at = 0.0
        self._tasks = Tasks(self._failed)
        self._trace = TraceFeed(settings.trace)
        self._alone = TraceAlone(settings.trace) if trace_only else None
        self._store = None if trace_only else self._new_store()
        self.pages = Paging(self.runs)
        self.failures = Failures(self.runs, self._store, self.take)
        self._runners = None if trace_only else self._new_runners(paths)

    def _new_store(self) -> StoreFeed:
        return StoreFeed(self.settings.db)

    def _new_runners(self, paths: Sequence[Path]) -> Runners | None:
        return Runners(self.settings, paths, self)

    # Life

    def listen(self, tell: Callable[[Change], None]) -> None:
        """Have ``tell`` called with every change from now on, on the event loop."""
        self._listener = tell

    async def start(self) -> None:
        """Begin to follow trace, store and module files, and start the runner."""
        self._tasks.spawn(self._follow_trace())
        if self._store is not None:
            self._tasks.spawn(self._follow_store(self._store))
        if self._runners is not None:
            self._runners.pool.stop_before(self.breakpoints.steps)
            if await self._runners.start():
                self._tasks.spawn(self._runners.watch())

    async def stop(self) -> None:
        """Delete what was deleted last, stop following, and end the runner at a step boundary of its runs."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.deletions.carry_out_all(), LAST_DELETIONS)
        await self._tasks.end()
        if self._runners is not None:
            await self._runners.pool.stop()
        if self._store is not None:
            await self._store.close()
        self._trace.close()

    def _failed(self, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}"
        self.notify(Notice(title="A part of the dashboard stopped", text=text, severity="error"))

    # What there is

    def now(self) -> float:
        """Return the time in milliseconds since the epoch: in an exported run, that of its export."""
        stood = None if self._alone is None else self._alone.exported_at
        return self._clock() * 1000 if stood is None else stood

    @property
    def loaded(self) -> bool:
        """Whether the trace and the store were read once, so that whatever comes now is new."""
        return not self._unread

    @property
    def whole(self) -> bool:
        """Whether what the trace held before its end was gone through too."""
        return self._trace.whole

    def view(self, run_id: str) -> RunView | None:
        """Return a run that is open, or ``None`` while it is being read."""
        return self.open_runs.view(run_id)

    def events_of(self, run_id: str) -> Sequence[TraceEvent]:
        """Return the trace events of a run that is open."""
        return self.open_runs.events(run_id)

    def logs_of(self, run_id: str) -> Sequence[LogLine]:
        """Return what the steps of a run that is open printed and logged."""
        return self.open_runs.logs(run_id)

    @property
    def bad_lines(self) -> int:
        """How many lines of the trace could not be read."""
        return self._trace.bad_lines

    def latest(self, workflow: str) -> str | None:
        """Return the id of the newest run of a workflow, or ``None``."""
        return self.census.latest(workflow)

    def inputs(self, workflow: str) -> list[Any]:
        """Return the inputs that a workflow was run with, as far as they are known, the latest first."""
        latest = self.latest(workflow)
        view = None if latest is None else self.view(latest)
        return self._inputs.of(workflow, () if view is None else (view.input,))

    def look_at(self, run_id: str) -> None:
        """Open a run: what is not known of it yet is read, and told as a change."""
        self._looked_at = self.open_runs.kept = run_id
        self._tasks.spawn(self._opened(run_id))

    def filter(self, chosen: Filter) -> None:
        """Show only the runs that match; the store is asked for older ones that do."""
        if chosen == self.runs.filter:
            return
        self.runs.set_filter(chosen)
        self.pages.begin()
        if self._store is not None:
            self._tasks.spawn(self._read_page(self._store))

    def read_older(self) -> None:
        """Have the next page of older runs read, if the store has one."""
        if self._store is not None and self.pages.older and not self._reading_older:
            self._reading_older = True
            self._tasks.spawn(self._read_older(self._store))

    async def runs_beginning_with(self, text: str, limit: int) -> list[RunRowView]:
        """Return the newest runs whose id begins with a text, whether they were read before or not."""
        return await beginning_with(self.runs, self._store, text, limit)

    # The trace

    async def _follow_trace(self) -> None:
        seen: object = None
        while True:
            there = self._trace.mark()
            if there is None or there != seen:
                news = await self._trace.poll()
                await asyncio.sleep(0)  # for a key that came meanwhile
                if self._trace.at_end:
                    self._was_read("trace")
                self._take_trace(news)
                seen = None if news.more else there
                if news.more:
                    continue
            if self._busy:
                await asyncio.sleep(TRACE_ELSEWHERE if self._only_elsewhere else TRACE_BUSY)
            else:
                await came(self._stir, TRACE_IDLE)
                self._stir.clear()

    def _take_trace(self, news: TraceNews) -> None:
        if news.reset:
            self.runs.forget_trace()
            self.open_runs.forget_trace()
        if self._trace.problem is not None and self.trace_only:
            self.become(note=self._trace.problem)
        if not (news.events or news.rows or news.reset or news.whole):
            return
        self.stay_busy()
        self.forget(news.deleted)
        for event in news.events:
            self.open_runs.take(event)
        self.census.count(news.rows)
        self.runs.merge_trace(news.rows)
        if self._alone is not None:
            note = self._alone.take(news, self.counts)
            self.definitions = self._alone.definitions if self.loaded else self.definitions
            if note is not None:
                self.become(note=note)
        if news.whole:
            self._tasks.spawn(self._read_whole())
        runs = frozenset(event.workflow_id for event in news.events)
        self._only_elsewhere = bool(runs) and self._looked_at not in runs and not self.state.in_hand
        if runs or news.reset or news.whole or self.now() >= self._told_of_old_at + TRACE_OLD * 1000:
            self._told_of_old_at = self.now()
            self.tell(Change(runs=runs))

    async def _read_whole(self) -> None:
        """Read open runs again of which the trace turned out to have more, before its end."""
        for run_id in self.open_runs.ids:
            if self._trace.count(run_id) > len(self.open_runs.events(run_id)):
                await self._read_trace(run_id)
                self.tell(Change(runs=frozenset({run_id})))
        self.when_read()

    def stay_busy(self) -> None:
        """Look at trace and store often for a while."""
        self._busy_until = self._clock() + BUSY_FOR
        self._look.set()
        self._stir.set()

    @property
    def _busy(self) -> bool:
        return self.runs.running > 0 or self._clock() < self._busy_until

    async def _opened(self, run_id: str) -> None:
        await self.read(run_id)
        self.tell(Change(runs=frozenset({run_id})))

    async def stored(self, query: RunQuery) -> list[RunRowView]:
        """Return the runs of the store that a query asks for."""
        return [] if self._store is None else await self._store.page(query)

    async def read(self, run_id: str) -> RunView | None:
        """Read what trace and store have of a run, and keep it open; ``None`` when there is nothing."""
        if run_id not in self.open_runs or not self.open_runs.events(run_id):
            await self._read_trace(run_id)
        if self._store is not None:
            await self._read_stored(self._store, run_id)
        return self.open_runs.view(run_id)

    async def _read_trace(self, run_id: str) -> None:
        reading = self.open_runs.reading()
        async for events in self._trace.pieces_of(run_id):
            reading.take(events)
        self.open_runs.put_read(run_id, reading)

    # The store

    async def _follow_store(self, store: StoreFeed) -> None:
        while True:
            if await store.poll():
                await self._read_page(store)
                self._sweep.begin()
            if self._sweep.is_due and self.now() >= self._sweep_at:
                await self._sweep_on(store)
            if "store" in self._unread:
                self._was_read("store")
                self._tasks.spawn(tell_interrupted(self))
            self.become(store_problem=store.problem)
            if await came(self._look, store.rest(busy=self._busy)):
                self._look.clear()
                await asyncio.sleep(store.rest(busy=True))

    async def _read_stored(self, store: StoreFeed, run_id: str) -> bool:
        view = await store.run(run_id)
        return self.open_runs.put_stored(run_id, view, reached=store.problem is None)

    async def _read_page(self, store: StoreFeed) -> None:
        async with self._paging:
            await self._take_page(store)

    async def _take_page(self, store: StoreFeed) -> None:
        chosen = self.runs.filter
        rows = await store.page(chosen)
        if not chosen and store.exists and store.problem is None:
            self.forget(missing(self.runs, rows, before=None, is_last=len(rows) < PAGE))
        if chosen is self.runs.filter:
            self.pages.top(rows)
        self.census.count(rows)
        changed = {row.id for row in rows if self.runs.merge_store([row])}
        run_id = self._looked_at
        if run_id is not None and await self._read_stored(store, run_id):
            changed.add(run_id)
        if changed:
            self.tell(Change(runs=frozenset(changed)))
        if self.pages.wanting:
            self.read_older()

    async def _sweep_on(self, store: StoreFeed) -> None:
        """Look at one more page for what has changed in it, and what was deleted by others."""
        async with self._paging:
            rows, gone = await self._sweep.look(store)
            self.forget(gone)
            if self.runs.merge_store(rows):
                self.tell(Change())
        self._sweep_at = self.now() + SWEEP * 1000

    async def _read_older(self, store: StoreFeed) -> None:
        try:
            async with self._paging:
                await self.pages.read(store, self.take)
        finally:
            self._reading_older = False
        if self.pages.wanting:
            self.read_older()

    def take(self, rows: Sequence[RunRowView]) -> None:
        """Take a page of the store into the list."""
        self.census.count(rows)
        if self.runs.merge_store(rows):
            self.tell(Change())

    def forget(self, run_ids: Iterable[str]) -> None:
        """Forget runs that were deleted, and tell so."""
        gone = [row for run_id in run_ids if (row := self.runs.get(run_id)) is not None]
        for row in gone:
            self.runs.remove(row.id)
            self.open_runs.forget(row.id)
            self.census.forget(row)
        if gone:
            ids = frozenset(row.id for row in gone)
            self.tell(Change(runs=ids, gone=ids))

    def _hidden(self, run_ids: Sequence[str]) -> None:
        self.tell(Change(runs=frozenset(run_ids), gone=self.runs.hidden.intersection(run_ids)))

    # Telling

    def _was_read(self, source: str) -> None:
        if source in self._unread:
            self._unread.remove(source)
            if self._alone is not None:
                self.definitions = self._alone.definitions
            self.tell(Change())
            if self.loaded:
                self.when_read()

    def become(self, **changes: Any) -> None:
        """Change the state, and tell so."""
        state = replace(self.state, **changes)
        if state != self.state or "runner" in changes:
            self.state = state
            self.tell(Change())

    def tell(self, change: Change) -> None:
        """Tell a change to whoever listens."""
        self._listener(change)

    def notify(self, notice: Notice) -> None:
        """Have the user told something once."""
        self.tell(Change(notice=notice))
