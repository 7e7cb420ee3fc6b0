"""What is taken out of the dashboard: exports, tests of recorded steps, copies of the whole."""

import asyncio
import json
import stat
import sys
import types
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from fake_desk import FakeDesk, completed, described, module, started, step_events
from msgspec.structs import replace

from flux_engine import FluxEngine, MemoryStorage, create_workflow, wait
from flux_engine.execution import Changes, ErrorInfo, Frame
from flux_engine.secrets import MASK
from flux_engine.testing import RecordingTraceSink
from flux_engine.trace.events import EventType, TraceEvent, decode_event
from flux_tui.app import FluxApp
from flux_tui.feed.trace import TraceNews
from flux_tui.model import fold
from flux_tui.model.export import EXPORT, events_of, export_run, header_of, sources_of
from flux_tui.model.run import RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.model.source import embed, source_lines
from flux_tui.model.step_test import Origin, has_waited, step_test
from flux_tui.model.stored import interrupted
from flux_tui.private_file import write_new
from flux_tui.trace_alone import TraceAlone

PARCEL = described("parcel", "pick", "pack", commit="pack")
NOWHERE = Path("/nowhere/shop")


async def recorded_run(flow, value):
    """Return a run as the dashboard knows it from its trace, and the trace."""
    sink = RecordingTraceSink()
    async with FluxEngine(storage=MemoryStorage(), trace=sink, default_retries=0) as engine:
        await engine.execute(flow, value)
    events = [decode_event(msgspec.json.encode(event)) for event in sink.events]
    view = None
    for event in events:
        view = fold.apply(view, event)
    return view, events


def folded(content):
    """Return the run of an exported file, read as any trace is."""
    return folded_events(map(decode_event, content.splitlines()))


def folded_events(events):
    """Return the run that events tell of."""
    view = None
    for event in events:
        view = fold.apply(view, event)
    return view


async def test_an_exported_run_is_the_run_without_its_secrets():
    """Steps, durations, data and errors are there; secrets are masked, and counted."""

    def charge(ctx):
        ctx.data.card = {"number": "4111", "cvc": "123"}
        ctx.data.at = [1, 2]

    def fail(ctx):
        raise RuntimeError("gateway said token=t0k3n")

    flow = create_workflow("shop").step("charge", charge).step("fail", fail)
    view, events = await recorded_run(flow, {"password": "hunter2", "n": 1})
    made = export_run(view, events, Secrets(), project=NOWHERE, now=0)
    text = made.content.decode()
    assert "hunter2" not in text
    assert "t0k3n" not in text
    assert made.masked == text.count(MASK) > 2
    again = folded(made.content)
    assert again.status == "failed"
    assert [step.status for step in again.steps] == ["completed", "failed"]
    assert again.data_after("charge") == {"card": {"number": "4111", "cvc": MASK}, "at": [1, 2]}
    assert again.input == {"password": MASK, "n": 1}
    assert again.step("fail").error.message == f"gateway said token={MASK}"


async def test_a_secret_is_masked_in_an_export_wherever_the_run_has_spilled_it():
    """Under another key, in an output, in an error; a word that might be any word stays readable."""

    def log_in(ctx):
        ctx.data.header = f'"{ctx.input["password"]}" of {ctx.input["user"]}'
        return [ctx.input["password"]]

    def fail(ctx):
        raise RuntimeError(f"refused {ctx.input['password']}, {ctx.input['pin']} is no secret")

    flow = create_workflow("shop").step("log in", log_in).step("fail", fail)
    view, events = await recorded_run(flow, {"password": 'hunter22"ß', "user": "ada", "pin": "secret"})
    made = export_run(view, events, Secrets(), project=NOWHERE, now=0)
    assert "hunter22" not in made.content.decode()
    again = folded(made.content)
    assert again.data_after("log in") == {"header": f'"{MASK}" of ada'}
    assert again.step("fail").error.message == f"refused {MASK}, secret is no secret"
    assert made.masked == made.content.decode().count(MASK)


async def test_secrets_stay_in_an_export_only_on_purpose():
    """Without a redaction the run is the very run."""
    flow = create_workflow("shop").step("a", lambda ctx: ctx.data.update({"token": "t0k3n"}))
    view, events = await recorded_run(flow, None)
    made = export_run(view, events, None, project=NOWHERE, now=0)
    assert made.masked == 0
    assert folded(made.content) == view


async def test_an_export_says_whether_its_values_are_those_of_the_run():
    """A secret that was masked, or a path that was shortened, is no value; errors have none."""
    here = str(Path(__file__).parent)

    def works(ctx):
        ctx.data.file = f"{here}/invoice.pdf"

    def fails(ctx):
        raise RuntimeError(f"token=t0k3n in {here}/invoice.pdf")

    async def said_of(flow, value, secrets):
        view, events = await recorded_run(flow, value)
        made = export_run(view, events, secrets, project=Path(here), now=0)
        return header_of(made.content.splitlines()[0])["exact"], made.content.decode()

    plain = create_workflow("shop").step("fail", fails)
    assert (await said_of(plain, {"n": 1}, Secrets()))[0]
    assert not (await said_of(plain, {"token": "t0k3n"}, Secrets()))[0]
    placed = create_workflow("shop").step("work", works).step("fail", fails)
    assert not (await said_of(placed, {"n": 1}, Secrets()))[0]
    exact, text = await said_of(placed, {"token": "t0k3n"}, None)
    assert exact
    again = folded(text.encode())
    assert again.data_after("work") == {"file": f"{here}/invoice.pdf"}
    assert again.step("fail").error.message == "token=t0k3n in invoice.pdf"


def test_an_export_of_what_the_ancestor_told_is_no_run_to_go_on_with():
    """It does not tell what the steps changed."""
    base = {"workflow_id": "a1", "workflow_name": "shop"}
    events = [
        TraceEvent(type=EventType.WORKFLOW_START, timestamp=50.0, **base),
        TraceEvent(type=EventType.STEP_START, timestamp=51.0, step_name="one", step_index=0, **base),
        TraceEvent(type=EventType.STEP_COMPLETE, timestamp=52.0, step_name="one", step_index=0, **base),
        TraceEvent(type=EventType.WORKFLOW_COMPLETE, timestamp=53.0, **base),
    ]
    assert not export_run(folded_events(events), events, None, project=NOWHERE, now=0).exact


async def test_an_export_has_the_code_and_no_absolute_path():
    """The handlers' lines travel along; their file is named as the project sees it."""

    def handler(ctx):
        return "here"

    view, events = await recorded_run(create_workflow("shop").step("a", handler), None)
    made = export_run(view, events, Secrets(), project=Path(__file__).parent, now=0)
    assert str(Path(__file__).parent) not in made.content.decode()
    header = header_of(made.content.splitlines()[0])
    [(file, first, lines)] = list(sources_of(header))
    assert file == Path(__file__).name
    assert "def handler(ctx):" in lines[0]
    embed("elsewhere/test.py", first, lines)
    assert source_lines("elsewhere/test.py")[first - 1] == lines[0]


def test_a_run_that_only_the_store_knows_is_exported_as_it_stands():
    """Events are made from what is known of each step."""
    error = ErrorInfo(type="ValueError", message="no", frames=(Frame(file="f.py", line=1, function="f"),))
    run = RunView(
        id="a1",
        workflow="shop",
        status="failed",
        input={"n": 1},
        started_at=0.0,
        updated_at=40.0,
        ended_at=40.0,
        error=error,
        steps=(
            StepView(
                name="one",
                status="completed",
                attempt=1,
                started_at=0.0,
                ended_at=10.0,
                duration=10.0,
                changes=Changes(set={"x": 1}),
                output=[1],
            ),
            StepView(name="two", index=1, status="skipped", reason="no need", started_at=11.0, ended_at=11.0),
            StepView(
                name="three",
                index=2,
                status="failed",
                attempt=2,
                started_at=12.0,
                ended_at=40.0,
                duration=28.0,
                error=error,
                edit=Changes(set={"y": 2}),
            ),
        ),
    )
    made = export_run(run, [], Secrets(), project=NOWHERE, now=0)
    again = folded(made.content)
    assert [(step.name, step.status) for step in again.steps] == [
        ("one", "completed"),
        ("two", "skipped"),
        ("three", "failed"),
    ]
    assert again.data_before("three") == {"x": 1, "y": 2}
    assert (again.status, again.error, again.input) == ("failed", error, {"n": 1})
    assert len(list(events_of(run))) == 8


def test_an_exported_fork_has_the_steps_that_were_copied_into_it():
    """Its trace has nothing of them; they stand at its beginning."""
    graph = {"steps": [{"name": "one", "index": 0}, {"name": "two", "index": 1}], "edges": [["one", "two"]]}
    base = {"workflow_id": "new", "workflow_name": "shop"}
    forked = {"forkedFrom": "old", "fromStep": "two"}
    events = [
        TraceEvent(type=EventType.WORKFLOW_START, timestamp=50.0, graph=graph, meta=forked, **base),
        TraceEvent(type=EventType.STEP_START, timestamp=51.0, step_name="two", step_index=1, **base),
    ]
    copied = StepView(
        name="one",
        status="completed",
        started_at=1.0,
        ended_at=2.0,
        duration=1.0,
        changes=Changes(set={"x": 1}),
    )
    run = folded_events(events)
    run = replace(run, steps=(copied, run.steps[1]))
    again = folded(export_run(run, events, Secrets(), project=NOWHERE, now=0).content)
    assert [step.status for step in again.steps] == ["completed", "running"]
    assert again.data_before("two") == {"x": 1}
    assert again.started_at == 50.0


def test_an_exported_run_whose_process_died_is_interrupted_there_too():
    """Its trace only ends; the store knows that nobody goes on with it."""
    graph = {"steps": [{"name": "one", "index": 0}], "edges": []}
    base = {"workflow_id": "a1", "workflow_name": "shop"}
    events = [
        TraceEvent(type=EventType.WORKFLOW_START, timestamp=50.0, graph=graph, **base),
        TraceEvent(type=EventType.STEP_START, timestamp=51.0, step_name="one", **base),
    ]
    running = folded_events(events)
    assert folded(export_run(running, events, Secrets(), project=NOWHERE, now=0).content).status == "running"
    died = interrupted(running)
    again = folded(export_run(died, events, Secrets(), project=NOWHERE, now=0).content)
    assert (again.status, again.steps[0].status) == ("interrupted", "interrupted")


def test_the_clock_of_an_exported_run_stands_still():
    """A step that was in progress did not go on in the file."""
    alone = TraceAlone(Path("run.flux"))
    header = TraceEvent(type=EXPORT, timestamp=90_000.0, workflow_id="a1", meta={"redacted": True})
    said = alone.take(TraceNews(events=[header]), ())
    assert alone.exported_at == 90_000.0
    assert said.startswith("an exported run as it stood 01 Jan")
    assert TraceAlone(Path("trace.ndjson")).exported_at is None


def test_other_files_are_no_exports():
    """A header is read from nothing but an export."""
    assert header_of(b"not json") is None
    assert header_of(b'{"type":"workflow:start","timestamp":1}') is None
    assert list(sources_of({"sources": {"f.py": [[1], "x", [1, ["a"]]]}})) == [("f.py", 1, ("a",))]


def test_files_are_written_whole_and_privately(tmp_path):
    """An existing file is replaced only on purpose."""
    path = tmp_path / "run.flux"
    write_new(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_new(path, b"two")
    assert path.read_bytes() == b"one"
    write_new(path, b"two", replace=True)
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def shop_module(**functions):
    """Return an importable module with a workflow of these steps."""
    made = types.ModuleType("recorded_shop")
    flow = create_workflow("shop")
    for name, function in functions.items():
        flow.step(name, function)
    made.flow = flow
    sys.modules["recorded_shop"] = made
    return made


def run_tests(text):
    """Run the tests of a Python text; return their names."""
    space = {}
    exec(compile(text, "test_of_step.py", "exec"), space)  # noqa: S102
    names = [name for name in space if name.startswith("test_")]
    for name in names:
        space[name]()
    return names


async def test_a_step_becomes_a_test_that_passes_as_it_was_recorded():
    """Data with types, outputs and results are in it; it fails when the handler does something else."""

    def fetch(ctx):
        ctx.data.price = Decimal("12.50")
        return {"n": 2}

    def total(ctx):
        ctx.data.total = ctx.data.price * ctx.outputs["fetch"]["n"]
        return "done"

    shop = shop_module(fetch=fetch, total=total)
    view, _ = await recorded_run(shop.flow, {"order": "o'1"})
    origin = Origin(module="recorded_shop", variable="flow", file="recorded_shop.py")
    text = step_test(view, view.step("total"), origin, {}, Secrets())
    assert await asyncio.to_thread(run_tests, text) == [f"test_total_of_run_{view.id[:8]}"]
    shop_module(fetch=fetch, total=lambda ctx: "done")
    with pytest.raises(AssertionError):
        await asyncio.to_thread(run_tests, text)


async def test_a_step_that_waited_becomes_a_test_that_it_waits():
    """What it was sent is no result of its handler."""
    shop = shop_module(ask=lambda ctx: wait("ok"))
    sink = RecordingTraceSink()
    async with FluxEngine(storage=MemoryStorage(), trace=sink) as engine:
        run = await engine.execute(shop.flow)
        await engine.signal(shop.flow, run.id, "ok", {"by": "ann"})
    events = [decode_event(msgspec.json.encode(event)) for event in sink.events]
    view = folded_events(events)
    assert view.step("ask").output == {"by": "ann"}
    assert has_waited(events, "ask")
    origin = Origin(module="recorded_shop", variable="flow", file="recorded_shop.py")
    text = step_test(view, view.step("ask"), origin, {}, Secrets(), waited=True)
    assert await asyncio.to_thread(run_tests, text) == [f"test_ask_of_run_{view.id[:8]}"]


async def test_a_failed_step_becomes_a_test_of_its_repair():
    """It fails until the handler copes with the data that it failed on."""

    def broken(ctx):
        raise LookupError("no such order")

    shop = shop_module(find=broken)
    view, _ = await recorded_run(shop.flow, None)
    origin = Origin(module="recorded_shop", variable="flow", file="recorded_shop.py")
    text = step_test(view, view.step("find"), origin, {}, Secrets())
    assert "# in the run: LookupError: no such order" in text
    with pytest.raises(Exception, match="no such order"):
        await asyncio.to_thread(run_tests, text)
    shop_module(find=lambda ctx: "found")
    await asyncio.to_thread(run_tests, text)


@pytest.mark.parametrize("name", ['it"""s', "a b/c", "名前", "\\n", "x'y"])
def test_any_name_makes_a_text_that_compiles(name):
    """Names and values are data: none of them can break out of the text."""
    step = StepView(
        name=name, status="completed", changes=Changes(set={name: [name] * 40}), output=name, commit=True
    )
    run = RunView(id="3f2a", workflow=name, input={name: name, "token": "t"}, steps=(step,))
    origin = Origin(module="m", variable="flow", file="m.py")
    text = step_test(run, step, origin, {name: name}, Secrets())
    compile(text, "t", "exec")
    assert MASK in text


async def test_keys_copy_and_export_what_is_looked_at(tmp_path):
    """``Y`` copies the run from the list and all data from its tab; ``W`` writes a file without secrets."""
    desk = FakeDesk()
    desk.project = tmp_path
    copied = []
    app = FluxApp(desk)
    app.copy_to_clipboard = copied.append
    async with app.run_test(size=(120, 36)) as pilot:
        desk.load(module("parcel.py", PARCEL))
        first = started("aaa", PARCEL)
        desk.trace(first, *step_events(first, ["pick", "pack"]), completed(first))
        await pilot.pause()
        await pilot.press("2", "Y")
        await pilot.pause()
        assert json.loads(copied[-1])["status"] == "completed"
        await pilot.press("D", "3", "Y")
        await pilot.pause()
        assert json.loads(copied[-1]) == {"pick": 0, "pack": 1}
        await pilot.press("ctrl+y")
        await pilot.pause()
        assert "run_step_sync(" in copied[-1]
        await pilot.press("W")
        await pilot.pause()
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
    [written] = tmp_path.iterdir()
    assert written.name == "parcel-aaa.flux"
    assert folded(written.read_bytes()).status == "completed"


async def test_an_export_is_opened_with_its_code_and_says_what_it_is():
    """The header of the screen tells that it is read-only, and whether secrets are masked."""
    desk = FakeDesk(trace_only=True)
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        meta = {"redacted": True, "sources": {"far/away.py": [[3, ["async def pick(ctx):", "    ..."]]]}}
        header = TraceEvent(type=EXPORT, timestamp=0, meta=meta, workflow_id="aaa", workflow_name="parcel")
        desk.trace(header, started("aaa", PARCEL))
        await pilot.pause()
        assert "an exported run, its secrets masked" in desk.state.note
        assert source_lines("far/away.py")[2] == "async def pick(ctx):"
    assert EventType.WORKFLOW_START != EXPORT
