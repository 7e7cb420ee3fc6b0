"""What a ``RunnerPool`` tells the dashboard: frozen values, two of them as the runners report them."""

from msgspec import Struct

from flux_tui.runner.messages import Blocked, ModuleInfo, Output


class Reloaded(Struct, frozen=True, kw_only=True):
    """The modules were loaded anew; new runs use them.

    ``milliseconds`` is from the request to now. ``files`` are the project's files that were imported.
    ``stale`` names the workflows whose module no longer loads: they run on its last good code.
    """

    modules: tuple[ModuleInfo, ...]
    milliseconds: float
    files: tuple[str, ...]
    stale: tuple[str, ...] = ()


class StillLoading(Struct, frozen=True, kw_only=True):
    """The import of a module has not come back for ``seconds``. A save or a restart replaces the runner."""

    path: str
    seconds: float


class RunnerDied(Struct, frozen=True, kw_only=True):
    """A runner ended on its own. ``run_ids`` are the runs it had in hand: they are interrupted now."""

    description: str
    output: str
    run_ids: tuple[str, ...] = ()


class RunnerRestarted(Struct, frozen=True, kw_only=True):
    """Another runner stands in for one that died or was killed."""


class RunBegan(Struct, frozen=True, kw_only=True):
    """A runner moves a run that nobody asked it to: its wait has run out."""

    run_id: str


class RunEnded(Struct, frozen=True, kw_only=True):
    """A run that this pool started goes no further: its status, or ``interrupted``."""

    run_id: str
    status: str
    error: str = ""


PoolEvent = Reloaded | StillLoading | RunnerDied | RunnerRestarted | Blocked | Output | RunBegan | RunEnded
