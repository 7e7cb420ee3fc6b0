"""A project as the server has it: its modules as they are now, its runner, and its runs.

User code runs in the runner's process, as it does for the dashboard; without a runner it is imported in a
process of its own and never run. Nothing here knows the protocol.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Self, TypeVar

from msgspec import Struct

from flux_engine import FluxEngine
from flux_engine.execution import WorkflowState
from flux_engine.secrets import registered
from flux_tui.cli.errors import UsageError
from flux_tui.cli.lookup import find_run
from flux_tui.doctor.modules import LoadedApart, load_apart
from flux_tui.feed.modules import Digests, digests, watched_folders
from flux_tui.model.secrets import Secrets
from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.messages import ModuleInfo, Problem
from flux_tui.runner.pool import RunnerPool
from flux_tui.runner.pool_events import PoolEvent, Reloaded, RunEnded, RunnerDied
from flux_tui.settings import Settings
from flux_tui.workspace import make_folders, open_for_looking

Value = TypeVar("Value")

LOADING_SECONDS: Final = 30.0
_GLANCE: Final = 0.05


class Loaded(Struct, frozen=True, kw_only=True):
    """The modules after the last load. ``stale`` are workflows that still run on their last good code."""

    modules: tuple[ModuleInfo, ...] = ()
    stale: tuple[str, ...] = ()


class Workshop:
    """Enter it with ``async with``: then the runner is there, unless ``read_only`` asks for none."""

    def __init__(self, settings: Settings, paths: Sequence[Path], *, read_only: bool = False) -> None:
        self.settings = settings
        self.read_only = read_only
        self.secrets = Secrets(settings.redact)
        self._paths = tuple(paths)
        self._pool: RunnerPool | None = None
        self._loaded = Loaded()
        self._files: set[Path] = set()
        self._digests: Digests | None = None
        self._ends: dict[str, str] = {}
        self._news = asyncio.Event()
        self._refreshing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        if not self.read_only:
            make_folders(self.settings)
            self._pool = RunnerPool(self._config(), self._told)
            self._digests = await asyncio.to_thread(self._look)
            await self._pool.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            await self._pool.stop()

    @property
    def pool(self) -> RunnerPool:
        """The runners. Raises ``UsageError`` where there are none."""
        if self._pool is None:
            raise UsageError("this server is read-only: it has no runner")
        return self._pool

    async def modules(self) -> Loaded:
        """Return the modules, loaded anew if one of their files has changed since."""
        async with self._refreshing:
            seen = await asyncio.to_thread(self._look)
            if self._pool is None:
                if seen != self._digests:
                    self._digests = seen
                    self._take(await asyncio.to_thread(load_apart, self.settings, self._paths))
            else:
                await self._refresh(self._pool, seen)
            return self._loaded

    async def ask(self, question: Callable[[FluxEngine], Awaitable[Value]]) -> Value:
        """Ask an engine that only reads the store. Raises ``UsageError`` where there is none yet."""
        if not self.settings.db.exists():
            raise UsageError(f"there is no store at {self.settings.db} yet: no run was made here")
        async with open_for_looking(self.settings) as engine:
            return await question(engine)

    async def run_of(self, beginning: str) -> WorkflowState:
        """Return the run whose id is, or begins with, ``beginning``. Raises ``UsageError``."""
        return await self.ask(lambda engine: find_run(engine, beginning))

    def begins(self, run_id: str) -> None:
        """Forget how the run ended before: it is about to be sent on."""
        self._ends.pop(run_id, None)

    async def ended(self, run_id: str, seconds: float) -> str | None:
        """Wait until the run goes no further; return why it was left, empty where the store tells all.

        It is ``None`` when the run goes on after so many seconds.
        """
        deadline = time.monotonic() + seconds
        while run_id not in self._ends:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
        return self._ends[run_id]

    async def _refresh(self, pool: RunnerPool, seen: Digests) -> None:
        """Have the runner load what has changed, and wait for the end of a load under way."""
        if seen != self._digests:
            self._digests = seen
            await pool.reload()
        deadline = time.monotonic() + LOADING_SECONDS
        while pool.is_loading:
            if time.monotonic() > deadline:
                raise UsageError(f"the modules are still being imported after {LOADING_SECONDS:.0f} s")
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _GLANCE)

    def _look(self) -> Digests:
        return digests(watched_folders(self._paths, self._files) | {file.parent for file in self._files})

    def _take(self, loaded: LoadedApart) -> None:
        registered.add(loaded.secrets)
        modules = loaded.modules
        if modules is None:
            problem = Problem(kind="ProcessEnded", message=f"Importing it {loaded.ended}.", file=loaded.last)
            modules = (ModuleInfo(path=loaded.last, problem=problem),)
        self._loaded = Loaded(modules=modules)

    def _told(self, event: PoolEvent) -> None:
        match event:
            case Reloaded():
                self._loaded = Loaded(modules=event.modules, stale=event.stale)
                self._note_files({Path(file) for file in event.files})
            case RunEnded():
                self._ends[event.run_id] = event.error
            case RunnerDied():
                said = f"{event.description} Go on with the run: resume. Its last output:\n{event.output}"
                self._ends |= dict.fromkeys(event.run_ids, said.strip())
            case _:
                return
        self._news.set()

    def _note_files(self, files: set[Path]) -> None:
        """Watch the files that modules import too; what was imported just now is no change of theirs."""
        new = files - self._files
        self._files = files
        if self._digests is not None:
            self._digests = digests({file.parent for file in new}, self._digests) | self._digests

    def _config(self) -> RunnerConfig:
        return RunnerConfig(
            root=str(self.settings.project),
            db=self.settings.db.to_text(),
            trace=str(self.settings.trace),
            paths=tuple(map(str, self._paths)),
            default_retries=self.settings.default_retries,
            default_timeout=self.settings.default_timeout,
            redact_env=self.settings.redact_env,
        )
