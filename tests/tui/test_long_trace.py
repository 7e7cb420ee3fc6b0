"""A trace that is long when it is opened: its end comes first, and in the end all of it is known."""

import random
from pathlib import Path

import pytest

from flux_engine.trace.events import TraceEvent, encode_event
from flux_tui.desk import Desk
from flux_tui.feed import history, trace
from flux_tui.feed.trace import TraceFeed, TraceNews
from flux_tui.settings import Settings

GRAPH = {"name": "order", "steps": [{"name": "pack"}], "edges": []}


def event(run_id: str, kind: str, at: float, **fields) -> bytes:
    """A line of the trace."""
    return encode_event(
        TraceEvent(type=kind, timestamp=at, workflow_id=run_id, workflow_name="order", **fields)
    )


def run(number: int) -> list[bytes]:
    """The lines of a run; every third fails, every fifth is still on its way."""
    run_id, at = f"run-{number:03}", number * 10.0
    lines = [
        event(run_id, "workflow:start", at, graph=GRAPH, input={"n": number}),
        event(run_id, "step:start", at + 1, step_name="pack"),
        event(run_id, "step:log", at + 2, step_name="pack", meta={"text": "…" * 9, "stream": "stdout"}),
    ]
    if number % 3 == 0:
        error = {
            "error": "ValueError: too small",
            "meta": {"exception": {"type": "ValueError", "message": "too small"}},
        }
        lines += [
            event(run_id, "step:error", at + 3, step_name="pack", **error),
            event(run_id, "workflow:error", at + 4, duration=4.0, **error),
        ]
    elif number % 5:
        lines += [
            event(
                run_id, "step:complete", at + 3, step_name="pack", changes={"set": {"n": 1}, "deleted": []}
            ),
            event(run_id, "workflow:complete", at + 4, duration=4.0, data={"n": 1}),
        ]
    return lines


def interleaved(runs: int, seed: int = 1) -> list[bytes]:
    """The lines of many runs, those of each in order, among them lines that are no events."""
    chance = random.Random(seed)  # noqa: S311 - a shuffle
    queues = [run(number) for number in range(runs)]
    lines = []
    while any(queues):
        first = next(place for place, queue in enumerate(queues) if queue)
        queue = chance.choice([queue for queue in queues[first : first + 6] if queue])
        lines.append(queue.pop(0))
        if chance.random() < 0.05:
            lines.append(chance.choice([b"not json\n", b"\xff\x00\n", b"[1]\n", b"\n", b'{"type": 1}\n']))
    return lines


async def read(feed: TraceFeed) -> list[TraceNews]:
    """All there is to read now."""
    told = [await feed.poll()]
    while told[-1].more:
        told.append(await feed.poll())
    return told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the trace is."""
    return tmp_path / "trace.ndjson"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Have some thousand bytes be a long trace."""
    monkeypatch.setattr(trace, "END", 2000)
    monkeypatch.setattr(trace, "PIECE", 700)
    monkeypatch.setattr(history, "SLICE", 500)


async def whole_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> TraceFeed:
    """The trace, read from its beginning to its end."""
    with monkeypatch.context() as patch:
        patch.setattr(trace, "END", 10_000_000)
        feed = TraceFeed(path)
        await read(feed)
    return feed


@pytest.mark.parametrize("seed", range(5))
async def test_all_is_known_in_the_end(path, monkeypatch, seed):
    """Rows, events and bad lines are the same as when the trace is read from its beginning."""
    path.write_bytes(b"".join(interleaved(60, seed)))
    expected = await whole_at_once(path, monkeypatch)
    feed = TraceFeed(path)
    told = await read(feed)
    assert feed.whole
    assert {row.id: row for row in feed.rows} == {row.id: row for row in expected.rows}
    last = {row.id: row for news in told for row in news.rows}
    assert last == {row.id: row for row in expected.rows}
    for row in expected.rows:
        assert await feed.events_of(row.id) == await expected.events_of(row.id)
        assert feed.count(row.id) == expected.count(row.id)
    assert feed.bad_lines == sum(news.bad for news in told) == expected.bad_lines
    assert feed.progress == (path.stat().st_size, path.stat().st_size)
    feed.close()
    expected.close()


async def test_the_end_comes_first(path):
    """The newest runs are told before any other, and of what lies before only rows are."""
    path.write_bytes(b"".join(line for number in range(60) for line in run(number)))
    feed = TraceFeed(path)
    told = await read(feed)
    first = next(place for place, news in enumerate(told) if any(row.id == "run-000" for row in news.rows))
    newest = next(place for place, news in enumerate(told) if any(row.id == "run-059" for row in news.rows))
    assert newest < first
    assert all(not news.events for news in told[first:])
    assert [news.whole for news in told].count(True) == 1
    feed.close()


async def test_what_comes_meanwhile_counts(path):
    """An old run that goes on while the past is gone through stands as its latest event says."""
    path.write_bytes(b"".join(line for number in range(60) for line in run(number)))
    feed = TraceFeed(path)
    while not feed.at_end:
        await feed.poll()
    with path.open("ab") as file:
        file.write(
            event("run-003", "workflow:start", 9000.0, graph=GRAPH, meta={"retry": True, "fromStep": "pack"})
        )
        file.write(event("run-004", "workflow:delete", 9001.0))
    told = await read(feed)
    row = next(row for row in feed.rows if row.id == "run-003")
    assert (row.status, row.error, row.started_at) == ("running", None, 30.0)
    assert len(await feed.events_of("run-003")) == 6
    assert "run-004" not in {row.id for row in feed.rows}
    assert "run-004" in [run_id for news in told for run_id in news.deleted]
    feed.close()


async def test_a_trace_emptied_meanwhile_is_begun_anew(path):
    """Nothing of its past is left."""
    path.write_bytes(b"".join(line for number in range(60) for line in run(number)))
    feed = TraceFeed(path)
    while not feed.at_end:
        await feed.poll()
    await feed.poll()
    path.write_bytes(event("new", "workflow:start", 1.0))
    assert any(news.reset for news in await read(feed))
    assert [row.id for row in feed.rows] == ["new"]
    assert feed.whole
    feed.close()


async def test_a_trace_renamed_meanwhile_is_gone_through_to_its_beginning(path):
    """Its past is still there under another name."""
    path.write_bytes(b"".join(line for number in range(60) for line in run(number)))
    feed = TraceFeed(path)
    while not feed.at_end:
        await feed.poll()
    path.rename(path.with_name("trace.ndjson.1"))
    path.write_bytes(event("new", "workflow:start", 1.0))
    await read(feed)
    while "new" not in {row.id for row in feed.rows}:
        await feed.poll()
    assert len(feed.rows) == 61
    assert len(await feed.events_of("run-001")) == 5
    feed.close()


async def test_an_open_run_gets_the_beginning_that_lies_before_the_end(tmp_path, path):
    """A run that is looked at before its beginning was found is read again when it is."""
    lines = [line for number in range(60) for line in run(number)]
    begun = event("long", "workflow:start", 5.0, graph=GRAPH, input="the input")
    path.write_bytes(begun + b"".join(lines) + event("long", "step:start", 900.0, step_name="pack"))
    desk = Desk(Settings(project=tmp_path, trace=path).anchored(), [], trace_only=True)
    heard = []
    desk.listen(heard.append)
    feed = desk._trace
    while not feed.at_end:
        desk._take_trace(await feed.poll())
    early = await desk.read("long")
    assert early is not None
    assert early.input is None
    while not feed.whole:
        desk._take_trace(await feed.poll())
    await desk._read_whole()
    view = desk.view("long")
    assert view is not None
    assert (view.input, view.started_at) == ("the input", 5.0)
    assert heard[-1].runs == {"long"}
    await desk.stop()
