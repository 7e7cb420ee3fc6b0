"""A new version of a definition while runs are in flight and old and new processes work side by side."""

import asyncio

import pytest
from places import OPTIONS, until
from restate_service import Services

from flux_engine import (
    DefinitionChangedError,
    FluxEngine,
    FluxSilentLogger,
    PostgresStorage,
    SQLiteStorage,
    create_workflow,
    wait,
)


def old(name):
    """Return the definition that is in use."""
    return create_workflow(name).step("ask", lambda ctx: wait("go")).step("pay", lambda ctx: "old")


def longer(name):
    """Return one with a step more at its end, and other code."""
    return (
        create_workflow(name)
        .step("ask", lambda ctx: wait("go"))
        .step("pay", lambda ctx: "new")
        .step("thank", lambda ctx: None)
    )


def stricter(name):
    """Return one with a step more at its beginning."""
    return (
        create_workflow(name)
        .step("check", lambda ctx: None)
        .step("ask", lambda ctx: wait("go"))
        .step("pay", lambda ctx: "new")
    )


@pytest.fixture(params=["sqlite", "postgres"])
async def hosts(request, tmp_path):
    """Two engines on one store."""

    def engine():
        storage = (
            SQLiteStorage(tmp_path / "flux.db")
            if request.param == "sqlite"
            else PostgresStorage(request.getfixturevalue("postgres_dsn"))
        )
        return FluxEngine(storage=storage, logger=FluxSilentLogger(), **OPTIONS)

    async with engine() as one, engine() as other:
        yield one, other


async def test_a_run_goes_on_with_the_code_of_whoever_takes_it(hosts):
    """An old process that is still there finishes a run of the new version without the new step."""
    before, after = hosts
    begun_old = await before.execute(old("order"))
    begun_new = await after.execute(longer("order"))
    finished_new = await after.signal(longer("order"), begun_old.id, "go")
    assert [step.name for step in finished_new.history] == ["ask", "pay", "thank"]
    assert finished_new.status == "completed"
    finished_old = await before.signal(old("order"), begun_new.id, "go")
    assert [(step.name, step.output) for step in finished_old.history][:2] == [("ask", None), ("pay", "old")]
    assert finished_old.status == "completed"
    assert "thank" not in [step.name for step in finished_old.history if step.status == "completed"]


async def test_a_process_leaves_alone_what_it_cannot_go_on_with(hosts):
    """A step before the place of a run came or went: refused, in both directions; the right one goes on."""
    before, after = hosts
    begun_old = await before.execute(old("order"))
    begun_new = await after.execute(stricter("order"))
    with pytest.raises(DefinitionChangedError, match="added: check"):
        await after.signal(stricter("order"), begun_old.id, "go")
    with pytest.raises(DefinitionChangedError, match="removed: check"):
        await before.signal(old("order"), begun_new.id, "go")
    assert (await before.signal(old("order"), begun_old.id, "go")).status == "completed"
    assert (await after.signal(stricter("order"), begun_new.id, "go")).status == "completed"
    once_more = await before.execute(old("order"))
    insisting = await after.signal(stricter("order"), once_more.id, "go", allow_changed=True)
    assert insisting.status == "completed"


async def test_what_was_left_by_a_version_is_recovered_by_it_alone(hosts):
    """Recovery passes by, and a delivery of its message is refused."""
    before, after = hosts
    going = asyncio.Event()

    def flow(*first):
        async def pay(ctx):
            going.set()
            await asyncio.sleep(0.05 if ctx.attempt > 1 else 60)

        made = create_workflow("order")
        for step in first:
            made = made.step(step, lambda ctx: None)
        return made.step("price", lambda ctx: None).step("pay", pay)

    begun = asyncio.create_task(before.execute(flow(), idempotency_key="A-1"))
    await going.wait()
    begun.cancel()
    await asyncio.gather(begun, return_exceptions=True)
    assert await after.recover([flow("check")]) == []
    with pytest.raises(DefinitionChangedError):
        await after.execute(flow("check"), idempotency_key="A-1")
    assert (await before.execute(flow(), idempotency_key="A-1")).status == "completed"


async def test_under_a_new_name_both_versions_go_on(hosts):
    """Processes of the new release have both definitions."""
    before, after = hosts
    begun_old = await before.execute(old("order"))
    begun_new = await after.execute(stricter("order-2"))
    assert (await after.signal(old("order"), begun_old.id, "go")).status == "completed"
    assert (await after.signal(stricter("order-2"), begun_new.id, "go")).status == "completed"


async def test_on_restate_runs_stay_with_the_version_that_they_began_with(restate_server, tmp_path, run_id):
    """A second version at an address of its own takes new runs; those in flight end where they began."""
    name = f"rollout-{run_id}"
    async with Services(restate_server, tmp_path) as services:
        await services.serve(old(name), **OPTIONS)
        first = await services.client.start(name)
        await services.until(first, "suspended")
        await services.serve(stricter(name), **OPTIONS)
        second = await services.client.start(name)
        await services.until(second, "suspended")
        ends = []
        for each in (first, second):
            await services.client.signal(each, "go")
            ends.append(await services.until(each, "completed"))
    assert [[step.name for step in run.history] for run in ends] == [["ask", "pay"], ["check", "ask", "pay"]]
    assert [run.step("pay").output for run in ends] == ["old", "new"]


async def test_a_process_that_is_told_to_end_hands_its_runs_to_the_next_version(hosts):
    """What it had in hand is free at once, and goes on elsewhere without a lease to wait for."""
    before, after = hosts
    paid, going = [], asyncio.Event()

    async def pay(ctx):
        paid.append(ctx.attempt)
        going.set()
        await asyncio.sleep(0.1)

    def flow(thanks):
        return create_workflow("order").step("pay", pay).step("thank", lambda ctx: thanks)

    begun = asyncio.create_task(before.execute(flow("old"), run_id="r"))
    await going.wait()
    await before.close()
    await asyncio.gather(begun, return_exceptions=True)
    await after.recover([flow("new")])

    async def ended():
        run = await after.get("r")
        return run if run.status == "completed" else None

    run = await until(ended, "the run to end")
    assert run.step("thank").output == "new"
