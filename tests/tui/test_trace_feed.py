"""The feed of the trace: live, from any file, however broken."""

import os
import shutil
from pathlib import Path

import pytest

from flux_engine.trace.events import TraceEvent, encode_event
from flux_tui.feed import trace
from flux_tui.feed.trace import TraceFeed, TraceNews
from flux_tui.model.fold import apply

FIXTURES = Path(__file__).parent.parent / "fixtures" / "gravito"


def event(run_id: str, kind: str = "step:start", at: float = 1.0, **fields) -> bytes:
    """A line of the trace."""
    return encode_event(
        TraceEvent(type=kind, timestamp=at, workflow_id=run_id, workflow_name="order", **fields)
    )


def append(path: Path, *lines: bytes) -> None:
    """Write as another process would."""
    with path.open("ab") as file:
        file.write(b"".join(lines))


async def drain(feed: TraceFeed) -> TraceNews:
    """All there is to read now: until a few looks in a row bring nothing."""
    told: list[TraceNews] = []
    while any(news.events or news.more or news.bad for news in told[-3:]) or len(told) < 3:
        told.append(await feed.poll())
    return TraceNews(
        events=[each for news in told for each in news.events],
        rows=list({row.id: row for news in told for row in news.rows}.values()),
        reset=any(news.reset for news in told),
        bad=sum(news.bad for news in told),
    )


@pytest.fixture
def path(tmp_path):
    """Where the trace will be."""
    return tmp_path / "trace.ndjson"


@pytest.fixture
def feed(path):
    """A feed of it."""
    feed = TraceFeed(path)
    yield feed
    feed.close()


async def test_a_file_that_appears_and_grows_is_followed(feed, path):
    """A missing file is no problem; each look brings what is new, in order."""
    assert await feed.poll() == TraceNews()
    assert feed.problem is None
    append(path, event("a", "workflow:start"), event("a", step_name="x"))
    first = await feed.poll()
    assert [each.type for each in first.events] == ["workflow:start", "step:start"]
    assert [(row.id, row.status, row.current_step) for row in first.rows] == [("a", "running", "x")]
    assert (await feed.poll()).events == []
    append(path, event("a", "workflow:complete", 9.0))
    second = await feed.poll()
    assert [(row.status, row.duration) for row in second.rows] == [("completed", 8.0)]


async def test_a_torn_last_line_is_read_when_it_is_whole(feed, path):
    """Half a line is neither an event nor a bad line."""
    line = event("a", "workflow:start")
    append(path, line[:20])
    assert await feed.poll() == TraceNews()
    append(path, line[20:])
    assert len((await feed.poll()).events) == 1
    assert feed.bad_lines == 0


async def test_garbage_is_counted_and_shown_and_stops_nothing(feed, path):
    """Lines that are no events, binary ones too, leave the events around them whole."""
    good = event("a", "workflow:start")
    append(path, good, b"not json\n", b"\xff\xfe\x00\n", b"[1,2]\n", b"\n", b"[" * 50_000 + b"\n", good)
    news = await drain(feed)
    assert len(news.events) == 2
    assert news.bad == feed.bad_lines == 4
    assert (feed.last_bad[0].excerpt, feed.last_bad[0].offset) == ("not json", len(good))
    assert feed.last_bad[0].reason


async def test_the_events_of_a_run_are_read_again_from_the_file(feed, path):
    """Those of that run alone, in order, also when they lie far apart."""
    for n in range(50):
        append(path, event("a", at=n), event("b", at=n, meta={"text": "x" * n * 10}))
    await drain(feed)
    found = await feed.events_of("b")
    assert [each.timestamp for each in found] == list(range(50))
    assert {each.workflow_id for each in found} == {"b"}
    assert found[49].meta == {"text": "x" * 490}
    assert await feed.events_of("nobody") == []


async def test_a_truncated_file_is_begun_anew(feed, path):
    """What was told before is void, and says so."""
    append(path, event("a", "workflow:start"), event("a"))
    await feed.poll()
    path.write_bytes(b"")
    append(path, event("b", "workflow:start"))
    news = await feed.poll()
    assert news.reset
    assert [row.id for row in feed.rows] == ["b"]
    assert await feed.events_of("a") == []
    assert len(await feed.events_of("b")) == 1
    assert not (await feed.poll()).reset


async def test_a_file_cut_and_longer_again_is_begun_anew_too(feed, path):
    """The size alone does not tell."""
    append(path, event("a", "workflow:start"))
    await feed.poll()
    path.write_bytes(event("b", "workflow:start", 2.0) * 3)
    news = await feed.poll()
    assert news.reset
    assert len(news.events) == 3


async def test_a_rotated_file_is_followed_into_the_next_one(feed, path):
    """Nothing is lost at the turn, and the runs of the file that was moved away can still be read."""
    append(path, event("a", "workflow:start"))
    await feed.poll()
    append(path, event("a", at=5.0))
    path.rename(path.with_suffix(".1"))
    append(path, event("a", "workflow:complete", 7.0), event("b", "workflow:start"))
    told = await drain(feed)
    assert [each.timestamp for each in told.events] == [5.0, 7.0, 1.0]
    assert len(await feed.events_of("a")) == 3


async def test_a_deleted_file_may_come_again(feed, path):
    """Its runs stay listed meanwhile."""
    append(path, event("a", "workflow:start"))
    await feed.poll()
    path.unlink()
    assert await feed.poll() == TraceNews()
    append(path, event("b", "workflow:start"))
    assert [row.id for row in (await drain(feed)).rows] == ["b"]
    assert {row.id for row in feed.rows} == {"a", "b"}


async def test_what_cannot_be_read_is_a_problem_until_it_can(feed, path):
    """The message names the file and the reason, and goes away with it."""
    path.mkdir()
    assert await feed.poll() == TraceNews()
    assert feed.problem is not None
    assert str(path) in feed.problem
    assert "Is a directory" in feed.problem
    path.rmdir()
    append(path, event("a", "workflow:start"))
    assert len((await feed.poll()).events) == 1
    assert feed.problem is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read_is_a_problem(feed, path):
    """Permissions included."""
    append(path, event("a"))
    path.chmod(0)
    await feed.poll()
    assert "Permission denied" in (feed.problem or "")


async def test_a_big_file_is_read_in_pieces(feed, path, monkeypatch):
    """Each look is bounded, says that there is more, and how far it has come."""
    monkeypatch.setattr(trace, "PIECE", 1000)
    append(path, *(event("a", at=n) for n in range(100)))
    news = await feed.poll()
    assert news.more
    read, size = feed.progress
    assert 0 < read <= 1000 < size == path.stat().st_size
    rest = await drain(feed)
    assert len(news.events) + len(rest.events) == 100
    assert feed.progress == (size, size)
    assert len(await feed.events_of("a")) == 100


@pytest.mark.parametrize("name", ["branching", "failures", "signals"])
async def test_the_rows_of_a_trace_say_the_same_as_its_runs(feed, path, name):
    """Rows are kept without folding, and agree with the fold."""
    shutil.copyfile(FIXTURES / f"{name}.ndjson", path)
    await drain(feed)
    for row in feed.rows:
        view = None
        for each in await feed.events_of(row.id):
            view = apply(view, each)
        assert view is not None
        assert (row.workflow, row.status, row.started_at) == (view.workflow, view.status, view.started_at)
        assert (row.duration, row.updated_at) == (view.took, view.updated_at)
        assert (row.error is None) == (view.error is None)


async def test_standard_input_is_kept_in_memory_up_to_a_bound(monkeypatch):
    """The latest events of a run stay, the dropped ones are counted; a torn last line is read at the end."""
    monkeypatch.setattr(trace, "EVENTS_OF_A_RUN", 5)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        feed = TraceFeed("-", stream=stream)
        with os.fdopen(writing, "wb") as file:
            file.write(b"".join(event("a", at=n) for n in range(8)) + event("b").rstrip())
        told = []
        while len(told) < 9:
            told += (await feed.poll()).events
        assert [each.timestamp for each in await feed.events_of("a")] == [3, 4, 5, 6, 7]
        assert (feed.dropped("a"), feed.dropped("b")) == (3, 0)
        assert feed.progress is None
        feed.close()
