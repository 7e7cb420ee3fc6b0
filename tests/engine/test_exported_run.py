"""A run that becomes one again from what its trace told, and one that was masked on the way."""

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from flux_engine import (
    FluxEngine,
    FluxSilentLogger,
    MaskedRunError,
    MemoryStorage,
    StorageError,
    create_workflow,
    fixed,
    import_exported,
    wait,
)
from flux_engine.exported_run import EXPORT, read_exported
from flux_engine.large_values import read_journal
from flux_engine.masked import is_masked
from flux_engine.testing import ManualClock, RecordingTraceSink
from flux_engine.trace.events import TraceEvent, decode_event, encode_event
from flux_engine.trace.retold import retold

OWN = {"owner": None, "fence": 0, "lease_until": None, "request": None, "idempotency_key": None}


@dataclasses.dataclass
class Box:
    """Something of the user's own."""

    weight: Decimal


def fails(ctx):
    raise ValueError(f"no luck with {ctx.attempt}")


def fails_once(ctx):
    ctx.data.tried = ctx.attempt
    if ctx.attempt == 1:
        raise ConnectionError("later")
    return ctx.attempt


def packs(ctx):
    ctx.data.box = Box(Decimal("1.50"))
    ctx.data.at = datetime(2026, 1, 2, tzinfo=UTC)
    ctx.data.large = "x" * 70_000


TRIED = create_workflow("tried").step("pack", packs).step("try", fails_once, retries=1, backoff=fixed(2.0))
SENT = (
    create_workflow("sent")
    .step("pack", packs)
    .step("skip", packs, when=lambda ctx: False)
    .step("ask", lambda ctx: wait("answer", timeout=60))
    .commit("send", lambda ctx: ctx.data.update(said=ctx.signals["answer"]))
)
TAKEN_BACK = (
    create_workflow("taken-back")
    .commit("charge", packs, compensate=lambda ctx: None)
    .commit("reserve", packs, compensate=fails)
    .step("ship", fails)
)
JOINED = (
    create_workflow("joined")
    .step("a", lambda ctx: ctx.data.update(a=1), after=())
    .step("b", lambda ctx: ctx.data.update(b=1), after=())
    .step("c", lambda ctx: ctx.data.a + ctx.data.b, after=("a", "b"))
)


async def retried(engine):
    """A step sent back with other data, after it failed."""
    await engine.execute(TRIED, run_id="r")
    await engine.retry_step(TRIED, "r", "try", data={"tried": 7}, scope="only")


async def signalled(engine):
    await engine.execute(SENT, run_id="r")
    await engine.signal(SENT, "r", "answer", {"yes": True})


async def cancelled(engine):
    await engine.execute(SENT, run_id="r")
    await engine.cancel("r")


SCENES = {
    "retries": lambda engine: engine.execute(TRIED, run_id="r"),
    "a retry with an edit": retried,
    "a wait": lambda engine: engine.execute(SENT, run_id="r"),
    "a signal": signalled,
    "a cancelled wait": cancelled,
    "compensation": lambda engine: engine.execute(TAKEN_BACK, run_id="r"),
    "concurrent steps": lambda engine: engine.execute(JOINED, run_id="r"),
}


async def made(scene):
    """Return the store and the events of a run."""
    storage, sink = MemoryStorage(), RecordingTraceSink()
    async with engine_on(storage, sink) as engine:
        await scene(engine)
    return storage, [decode_event(encode_event(event)) for event in sink.events]


def engine_on(storage, sink=None):
    clock = ManualClock(auto=True)
    return FluxEngine(storage=storage, trace=sink, clock=clock, default_retries=0, logger=FluxSilentLogger())


def written(path, told, **header):
    """Write events as an exported run, of which ``header`` is said."""
    said = {"format": 1, "exact": True, "events": len(told), **header}
    first = TraceEvent(type=EXPORT, timestamp=0, workflow_id="r", workflow_name="x", meta=said)
    path.write_bytes(b"".join(encode_event(event) for event in (first, *told)))
    return path


def seen(value):
    """Return a record or entry with its JSON read, since the order of keys means nothing."""
    fields = msgspec.to_builtins(value)
    texts = ("input", "graph", "output", "changes", "error", "detail")
    return fields | {key: msgspec.json.decode(fields[key]) for key in texts if fields.get(key) is not None}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
async def test_what_a_trace_tells_is_what_the_store_has(scene):
    """Input, graph and every attempt, with its data, output, error and place."""
    storage, events = await made(scene)
    record, entries = retold(events)
    kept = await storage.find("r")
    assert seen(record) == seen(replace(kept, **OWN))
    assert [seen(entry) for entry in entries] == [seen(each) for each in await read_journal(storage, "r")]


async def test_an_imported_run_goes_on_where_it_was(tmp_path):
    """In another store, with values of the same types, by what it was waiting for."""
    _, events = await made(SCENES["a wait"])
    target = MemoryStorage()
    report = await import_exported(written(tmp_path / "r.flux", events), target)
    assert (report.imported, report.skipped, report.problems) == (("r",), (), ())
    async with engine_on(target) as engine:
        result = await engine.signal(SENT, "r", "answer", "yes")
        assert (result.status, result.data.said, result.data.box) == (
            "completed",
            "yes",
            Box(Decimal("1.50")),
        )


async def test_an_id_that_is_taken_is_skipped_or_replaced(tmp_path):
    """As with the runs of another store."""
    storage, events = await made(SCENES["a wait"])
    path = written(tmp_path / "r.flux", events)
    async with engine_on(storage) as engine:
        await engine.cancel("r")
        assert (await import_exported(path, storage)).skipped == ("r",)
        assert (await engine.get("r")).status == "cancelled"
        assert (await import_exported(path, storage, overwrite=True)).imported == ("r",)
        assert (await engine.get("r")).status == "suspended"


async def test_a_masked_run_is_looked_at_and_goes_nowhere(tmp_path):
    """No mask becomes a value: whatever would go on with it says how to come by a whole one."""
    _, events = await made(SCENES["a wait"])
    storage = MemoryStorage()
    await import_exported(written(tmp_path / "r.flux", events, exact=False), storage)
    assert is_masked(await storage.find("r"))
    async with engine_on(storage) as engine:
        assert (await engine.get("r")).step("ask").status == "suspended"
        for act in (
            lambda: engine.signal(SENT, "r", "answer"),
            lambda: engine.retry_step(SENT, "r", "pack"),
            lambda: engine.preview_retry(SENT, "r", "pack"),
            lambda: engine.resume(SENT, "r"),
            lambda: engine.fork(SENT, "r", "ask"),
            lambda: engine.replay(SENT, "r"),
        ):
            with pytest.raises(MaskedRunError, match="flux export r --reveal"):
                await act()
        assert await engine.replay_all(SENT, status=None) == []
        await engine.recover([SENT])
        await engine.delete("r")


async def test_a_masked_run_that_was_interrupted_is_not_recovered(tmp_path):
    """It counts as running with nobody who has it, for ever."""
    _, events = await made(SCENES["retries"])
    left = [event for event in events if event.type != "workflow:complete"]
    storage = MemoryStorage()
    await import_exported(written(tmp_path / "r.flux", left, exact=False), storage)
    async with engine_on(storage) as engine:
        assert (await engine.get("r")).interrupted
        assert await engine.recover([TRIED]) == []


async def test_a_file_that_cannot_be_trusted_is_refused_with_what_to_do(tmp_path):
    """Cut off, damaged, of a format to come, of a run that was moving, or something else."""
    _, events = await made(SCENES["retries"])
    path = tmp_path / "r.flux"
    for told, header, said in (
        (
            events[:-1],
            {"events": len(events)},
            f"is cut off: it has {len(events) - 1} of {len(events)} events",
        ),
        (events, {"format": 2}, "has format 2"),
        (events, {"ended": False}, "was under way"),
        (events[1:], {}, "do not begin with its start"),
        ([events[0], replace(events[1], step_name="other")], {}, "cannot be understood"),
    ):
        with pytest.raises(StorageError, match=said):
            read_exported(written(path, told, **header))
    for text, said in (
        (b"", "no exported run"),
        (encode_event(events[0]), "no exported run"),
        (written(path, events).read_bytes() + b"{", "damaged in line"),
    ):
        path.write_bytes(text)
        with pytest.raises(StorageError, match=said):
            read_exported(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read_exported(tmp_path / "nowhere.flux")
