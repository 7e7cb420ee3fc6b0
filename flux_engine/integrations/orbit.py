"""An engine as a part of an application core that has ``services``, ``hooks`` and a ``logger``.

from flux_engine.integrations.orbit import OrbitFlux

orbit = OrbitFlux(storage="sqlite", db_path="service.db", workflows=[order_flow])
await orbit.install(core)
await core.services["flux"].execute(order_flow, {"order_id": "A-1"})
"""

import functools
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

from flux_engine.arguments import Workflow, as_definition
from flux_engine.engine import FluxEngine
from flux_engine.errors import FluxError
from flux_engine.hooks import HookEvent, Hooks
from flux_engine.logger import FluxLogger
from flux_engine.storage.base import WorkflowStorage
from flux_engine.storage.memory import MemoryStorage
from flux_engine.storage.sqlite import SQLiteStorage

ACTIONS = {
    "step_start": "flux:step:start",
    "step_complete": "flux:step:complete",
    "step_error": "flux:step:error",
    "workflow_complete": "flux:workflow:complete",
    "workflow_error": "flux:workflow:error",
}
"""What the core's hooks are told, by the hook of the engine. Each is given one ``HookEvent``."""


class OrbitFlux:
    """Installs an engine into a core.

    Args:
        storage: ``"memory"``, ``"sqlite"``, or a store.
        db_path: the file of ``"sqlite"``.
        expose_as: the name of the engine among the core's services.
        workflows: those whose runs are recovered when it is installed.
        options: further arguments of ``FluxEngine``, such as ``default_retries=``; ``logger=`` goes before
            the core's.

    Of the core it needs ``services``, a mapping or an object with ``set(name, value)`` or
    ``singleton(name, factory)``, and ``hooks`` with ``do_action``, ``doAction`` or ``emit``, plain or async,
    called with a name and a ``HookEvent``; a ``logger`` is used when there is one.
    """

    def __init__(
        self,
        *,
        storage: str | WorkflowStorage = "memory",
        db_path: str | Path = ".flux/flux.db",
        expose_as: str = "flux",
        workflows: Iterable[Workflow[Any, Any]] = (),
        **options: Any,
    ) -> None:
        if "on" in options:
            raise TypeError("OrbitFlux gives the engine its hooks: use the core's, such as flux:step:error")
        self._storage = _storage_of(storage, db_path)
        self._expose_as = expose_as
        self._workflows = [as_definition(workflow) for workflow in workflows]
        self._options = options
        self._engine: FluxEngine | None = None

    @property
    def engine(self) -> FluxEngine:
        """The engine. Raises ``FluxError`` before ``install``."""
        if self._engine is None:
            raise FluxError("OrbitFlux has no engine yet: await install(core) first")
        return self._engine

    async def install(self, core: Any) -> FluxEngine:
        """Open the engine, make it a service of the core, and recover what was left. Returns the engine.

        Raises ``TypeError`` for a core that lacks what is needed, and ``StorageError``; then nothing is
        installed.
        """
        if self._engine is not None:
            raise FluxError("OrbitFlux is installed already: make another one for another core")
        expose, act = _service_setter(core), _action_caller(core)
        on = Hooks(**{hook: functools.partial(_tell, act, name) for hook, name in ACTIONS.items()})
        options = {"logger": _logger_of(core), **self._options}
        engine = FluxEngine(storage=self._storage, on=on, **options)
        await engine.init()
        expose(self._expose_as, engine)
        self._engine = engine
        await engine.recover(self._workflows)
        return engine

    boot = install

    async def close(self) -> None:
        """Hand back the runs in hand and close the engine. Calling it again does nothing."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()


def _tell(act: Callable[[str, HookEvent], Any], name: str, event: HookEvent) -> Any:
    return act(name, event)


def _storage_of(storage: str | WorkflowStorage, db_path: str | Path) -> WorkflowStorage:
    if isinstance(storage, WorkflowStorage):
        return storage
    if storage == "memory":
        return MemoryStorage()
    if storage == "sqlite":
        return SQLiteStorage(db_path)
    raise ValueError(f"storage is 'memory', 'sqlite' or a store, found {storage!r}")


def _service_setter(core: Any) -> Callable[[str, Any], Any]:
    services = getattr(core, "services", None)
    if isinstance(services, MutableMapping):
        return services.__setitem__
    if callable(put := getattr(services, "set", None)):
        return put  # type: ignore[no-any-return]
    if callable(single := getattr(services, "singleton", None)):
        return lambda name, engine: single(name, lambda *_: engine)
    raise TypeError(
        "expected a core with services: a mapping, or an object with set(name, value) or "
        f"singleton(name, factory); found {services!r}"
    )


def _action_caller(core: Any) -> Callable[[str, HookEvent], Any]:
    hooks = getattr(core, "hooks", None)
    for name in ("do_action", "doAction", "emit"):
        if callable(act := getattr(hooks, name, None)):
            return act  # type: ignore[no-any-return]
    raise TypeError(f"expected a core with hooks that have do_action, doAction or emit; found {hooks!r}")


def _logger_of(core: Any) -> FluxLogger | None:
    logger = getattr(core, "logger", None)
    return logger if logger is None or hasattr(logger, "warning") else _WarnLogger(logger)


class _WarnLogger:
    """A logger whose verb for a warning is ``warn``."""

    def __init__(self, logger: Any) -> None:
        self.debug: Callable[[str], None] = logger.debug
        self.info: Callable[[str], None] = logger.info
        self.warning: Callable[[str], None] = logger.warn
        self.error: Callable[[str], None] = logger.error
