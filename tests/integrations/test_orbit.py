"""An engine as a part of an application core."""

import asyncio
from types import SimpleNamespace

import pytest

from flux_engine import (
    FluxError,
    FluxSilentLogger,
    MemoryStorage,
    StorageError,
    create_workflow,
)
from flux_engine.integrations.orbit import OrbitFlux


class Hooks:
    def __init__(self, name, *, is_async=False):
        self.told = []
        setattr(self, name, self.tell_later if is_async else self.tell)

    def tell(self, name, event):
        self.told.append((name, event))

    async def tell_later(self, name, event):
        self.told.append((name, event))

    def names(self):
        return [(name, event.step) for name, event in self.told]


class Container:
    """Services with ``set`` and ``get``."""

    def __init__(self):
        self.things = {}

    def set(self, name, thing):
        self.things[name] = thing

    def get(self, name):
        return self.things[name]


class Singletons:
    """Services that are made when they are asked for."""

    def __init__(self):
        self.factories = {}

    def singleton(self, name, factory):
        self.factories[name] = factory

    def get(self, name):
        return self.factories[name](self)


def make_core(services=None, hooks=None, logger=None):
    return SimpleNamespace(
        services={} if services is None else services,
        hooks=hooks or Hooks("do_action"),
        logger=logger or FluxSilentLogger(),
    )


def explode(ctx):
    raise ValueError("unpaid")


good = create_workflow("good").step("one", lambda ctx: 1)
bad = create_workflow("bad").step("one", explode, retries=0)


@pytest.mark.parametrize("services", [dict, Container, Singletons])
async def test_the_engine_is_a_service_of_the_core(services):
    """Whatever kind of services the core has."""
    core = make_core(services())
    orbit = OrbitFlux(expose_as="workflows")
    engine = await orbit.install(core)
    assert core.services.get("workflows") is engine is orbit.engine
    assert (await engine.execute(good)).ok
    await orbit.close()


@pytest.mark.parametrize(
    ("name", "is_async"), [("do_action", False), ("doAction", False), ("emit", False), ("emit", True)]
)
async def test_the_hooks_of_the_core_are_told(name, is_async):
    """By the names of the ancestor, plain or async, each with the event."""
    hooks = Hooks(name, is_async=is_async)
    orbit = OrbitFlux()
    engine = await orbit.install(make_core(hooks=hooks))
    await engine.execute(good, run_id="g")
    await engine.execute(bad)
    assert hooks.names() == [
        ("flux:step:start", "one"),
        ("flux:step:complete", "one"),
        ("flux:workflow:complete", None),
        ("flux:step:start", "one"),
        ("flux:step:error", "one"),
        ("flux:workflow:error", None),
    ]
    assert (hooks.told[1][1].run_id, hooks.told[1][1].output) == ("g", 1)
    assert "unpaid" in hooks.told[-1][1].error
    await orbit.close()


async def test_a_hook_that_fails_breaks_no_run():
    """It is told to the core's logger, one of those that say ``warn``."""
    said = []
    logger = SimpleNamespace(debug=said.append, info=said.append, warn=said.append, error=said.append)
    core = make_core(logger=logger)
    core.hooks = SimpleNamespace(do_action=lambda name, event: 1 / 0)
    orbit = OrbitFlux()
    engine = await orbit.boot(core)
    assert (await engine.execute(good)).ok
    assert "hook step_start failed: ZeroDivisionError" in said[0]
    await orbit.close()


async def test_runs_in_sqlite_outlive_the_engine(tmp_path):
    """And what was left in the middle is recovered when it is installed again."""
    path = tmp_path / "deep" / "flux.db"
    orbit = OrbitFlux(storage="sqlite", db_path=path, workflows=[good])
    await (await orbit.install(make_core())).execute(good, run_id="kept")
    await orbit.close()
    orbit = OrbitFlux(storage="sqlite", db_path=path, workflows=[good])
    engine = await orbit.install(make_core())
    assert (await engine.get("kept")).status == "completed"
    await orbit.close()
    await orbit.close()


async def test_a_store_can_be_given_and_options_go_to_the_engine():
    """Such as the number of retries."""
    storage = MemoryStorage()
    orbit = OrbitFlux(storage=storage, default_retries=2)
    engine = await orbit.install(make_core())
    assert engine._storage is storage
    assert engine._services.default_retries == 2
    await orbit.close()


@pytest.mark.parametrize(
    ("core", "told"),
    [
        (SimpleNamespace(hooks=Hooks("emit")), "a core with services"),
        (SimpleNamespace(services={}, hooks=SimpleNamespace(on=print)), "do_action, doAction or emit"),
    ],
)
async def test_a_core_that_lacks_something_is_refused(core, told):
    """With what it needs; nothing is installed."""
    with pytest.raises(TypeError, match=told):
        await OrbitFlux().install(core)
    assert getattr(core, "services", {}) == {}


async def test_mistakes_are_told(tmp_path):
    """An unknown storage, an engine that is not there, a second installation, hooks of the caller's own."""
    with pytest.raises(ValueError, match="'memory', 'sqlite' or a store, found 'redis'"):
        OrbitFlux(storage="redis")
    with pytest.raises(TypeError, match="gives the engine its hooks"):
        OrbitFlux(on=None)
    orbit = OrbitFlux()
    with pytest.raises(FluxError, match="await install"):
        orbit.engine  # noqa: B018 - it is a property
    await orbit.install(make_core())
    with pytest.raises(FluxError, match="installed already"):
        await orbit.install(make_core())
    await orbit.close()


async def test_a_store_that_cannot_be_opened_installs_nothing(tmp_path):
    """The core stays as it was."""
    (tmp_path / "flux.db").write_bytes(b"no database" * 1000)
    core = make_core()
    with pytest.raises(StorageError):
        await OrbitFlux(storage="sqlite", db_path=tmp_path / "flux.db").install(core)
    assert core.services == {}


async def test_an_interrupted_run_is_recovered():
    """What a core left in the middle goes on with the next one."""
    storage, begun, gate = MemoryStorage(), asyncio.Event(), asyncio.Event()

    async def hold(ctx):
        begun.set()
        await gate.wait()

    flow = create_workflow("held").step("hold", hold)
    orbit = OrbitFlux(storage=storage, stop_grace=0)
    engine = await orbit.install(make_core())
    run = asyncio.ensure_future(engine.execute(flow, run_id="held"))
    await begun.wait()
    await orbit.close()
    assert (await run).status == "running"
    gate.set()
    core = make_core()
    orbit = OrbitFlux(storage=storage, workflows=[flow])
    engine = await orbit.install(core)
    async with asyncio.timeout(10):
        while (await engine.get("held")).status != "completed":
            await asyncio.sleep(0)
    await orbit.close()
