"""Reading a trace while it is written: whole lines only, whatever happens to the file."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_engine.errors import StorageError
from flux_engine.trace.events import TraceEvent, encode_event
from flux_engine.trace.lines import TraceLines
from flux_engine.trace.reader import TraceReader, read_events
from flux_engine.trace.sinks import JsonFileTraceSink

FIXTURES = Path(__file__).parents[1] / "fixtures" / "gravito"


def line(step, **fields):
    """Return the line of one event."""
    return encode_event(TraceEvent(type="step:start", timestamp=1.0, step_name=step, **fields))


@pytest.fixture
def path(tmp_path):
    """Return the path of a trace that does not exist yet."""
    return tmp_path / "trace.ndjson"


@pytest.fixture
def reader(path):
    """Return a reader that is closed at the end."""
    reader = TraceReader(path)
    yield reader
    reader.close()


def append(path, data):
    """Write bytes at the end of a file."""
    with path.open("ab") as file:
        file.write(data)


def names(chunk):
    """Return the steps of a chunk."""
    return [placed.event.step_name for placed in chunk.events]


def everything(reader, max_bytes=1024):
    """Read until nothing is left and return the steps."""
    found = []
    while True:
        chunk = reader.read(max_bytes)
        found += names(chunk)
        if not chunk.more:
            return found


def follow(reader, enough, deadline=60):
    """Read again and again until there is enough."""
    found, end = [], time.monotonic() + deadline
    while not enough(found):
        assert time.monotonic() < end, f"only {len(found)} events"
        chunk = reader.read()
        found += chunk.events
        if not chunk.events:
            time.sleep(0.001)  # the writers need the processor
    return found


def test_events_are_read_as_they_are_written(reader, path):
    """Each read gives what is new, with the place of each event."""
    assert reader.read() == reader.read()
    append(path, line("a"))
    (first,) = reader.read().events
    assert (first.event.step_name, first.generation, first.offset, first.length) == (
        "a",
        0,
        0,
        len(line("a")) - 1,
    )
    assert reader.read().events == ()
    append(path, line("b") + line("c"))
    chunk = reader.read()
    assert names(chunk) == ["b", "c"]
    assert [placed.offset for placed in chunk.events] == [len(line("a")), len(line("a") + line("b"))]
    assert reader.offset == path.stat().st_size


def test_a_line_is_read_when_it_is_whole(reader, path):
    """A torn last line waits for its rest, byte by byte if need be."""
    data = line("ü💳")
    for cut in range(len(data)):
        append(path, data[cut : cut + 1])
        chunk = reader.read()
        assert names(chunk) == (["ü💳"] if cut == len(data) - 1 else [])
    assert reader.bad_lines == 0


@given(
    lines=st.lists(
        st.one_of(
            st.text(max_size=20).map(line),
            st.binary(max_size=20).map(lambda data: data.replace(b"\n", b" ") + b"\n"),
        ),
        max_size=12,
    ),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_how_the_bytes_arrive_makes_no_difference(lines, cuts):
    """However a trace is cut into pieces, it has the same events and bad lines at the same places."""
    data = b"".join(lines)
    events, bad = TraceLines().feed(data)
    pieces, found, found_bad, start, turn = TraceLines(), [], [], 0, 0
    while start < len(data):
        assert pieces.position == start
        size = cuts[turn % len(cuts)]
        some, some_bad = pieces.feed(data[start : start + size])
        found += some
        found_bad += some_bad
        start, turn = start + size, turn + 1
    assert (found, found_bad, pieces.offset) == (events, bad, len(data))
    assert all(data[each.offset : each.offset + each.length + 1] in lines for each in events)


@given(steps=st.lists(st.text(max_size=5), min_size=1, max_size=6), start=st.integers(0, 200))
def test_reading_begins_at_any_byte(tmp_path_factory, steps, start):
    """From a byte inside a line, reading goes on with the next line; beyond the end, from the beginning."""
    path = tmp_path_factory.mktemp("any") / "trace"
    data = b"".join(map(line, steps))
    path.write_bytes(data)
    reader = TraceReader(path, offset=start)
    found = reader.read()
    reader.close()
    whole = TraceLines().feed(data)[0]
    expected = [each for each in whole if each.offset >= start] if start <= len(data) else whole
    assert list(found.events) == expected
    assert reader.bad_lines == 0


def test_an_offset_of_another_reader_can_be_taken_up(reader, path):
    """``offset`` never lies inside a line."""
    append(path, line("a") + line("b")[:10])
    reader.read()
    append(path, line("b")[10:])
    other = TraceReader(path, offset=reader.offset)
    assert everything(other) == ["b"]
    other.close()


def test_garbage_is_counted_and_shown(reader, path):
    """A bad line is never fatal; the latest are kept with place, reason and beginning."""
    bad = [
        b"nonsense",
        b"\xff\xfe\x00",
        b'{"type":"step:start"',
        b"[1, 2]",
        b"5",
        b"null",
        b'{"timestamp": 1}',
        b'{"type": "step:start"}',
        b'{"type": 5, "timestamp": 1}',
        b'{"type": "x", "timestamp": "now"}',
        b'{"type": "x", "timestamp": 1e999}',
        b'{"type": "x", "timestamp": 1, "workflowId": null}',
        b'{"type": "x", "timestamp": 1, "error": "\xff"}',
        b'{"type": "x", "timestamp": 1, "data": ' + b"[" * 100_000 + b"}",
        b"\x00" * 5000,
    ]
    append(path, line("a") + b"".join(each + b"\n" for each in bad) + line("b"))
    chunk = reader.read()
    assert names(chunk) == ["a", "b"]
    assert chunk.bad_lines == reader.bad_lines == len(bad)
    assert len(reader.last_bad_lines) == 5
    last = reader.last_bad_lines[-2]
    assert last.excerpt.startswith('{"type": "x"')
    assert len(last.excerpt) < 500
    assert last.reason
    assert path.read_bytes()[last.offset :].startswith(b'{"type": "x", "timestamp": 1, "data"')
    assert reader.last_bad_lines[2].excerpt.endswith('"error": "\\xff"}')


def test_blank_lines_are_nothing(reader, path):
    """Neither events nor bad, and Windows line ends do no harm."""
    append(path, b"\n\r\n" + line("a")[:-1] + b"\r\n  \n" + line("b"))
    assert names(reader.read()) == ["a", "b"]
    assert reader.bad_lines == 0


def test_what_a_reader_does_not_know_it_passes_on(reader, path):
    """Types and fields of later versions are no errors."""
    append(path, b'{"type":"step:dream","timestamp":5,"workflowId":"1","mood":"blue"}\n')
    (found,) = reader.read().events
    assert found.event.type == "step:dream"


def test_a_read_takes_no_more_than_it_is_told(reader, path):
    """``more`` says that there is something to read at once; nothing is lost between reads."""
    append(path, b"".join(line(str(number)) for number in range(100)))
    first = reader.read(500)
    assert first.more
    assert 0 < len(first.events) < 20
    assert names(first) + everything(reader, 100) == [str(number) for number in range(100)]


def test_a_big_trace_costs_little_memory(reader, path):
    """What a read holds does not depend on the size of the file."""
    block = line("a", data="x" * 1000) * 1000
    for _ in range(20):
        append(path, block)
    tracemalloc.start()
    count, chunk = 0, reader.read(100_000)
    while chunk.more:
        count += len(chunk.events)
        chunk = reader.read(100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count + len(chunk.events) == 20_000
    assert peak < 2_000_000


def test_a_long_line_spans_many_reads(reader, path):
    """An event with megabytes of data is an event."""
    append(path, line("a") + line("big", data="x" * 3_000_000) + line("b"))
    assert everything(reader, 100_000) == ["a", "big", "b"]


def test_a_line_without_an_end_is_given_up(path):
    """Beyond a limit a line is bad, takes no more memory, and what follows it is read."""
    append(path, line("a") + b"x" * 5000 + b"\n" + line("b") + b"y" * 1200 + b"\n" + line("c"))
    for size in (300, 1_000_000):
        reader = TraceReader(path, longest_line=1000)
        assert everything(reader, size) == ["a", "b", "c"]
        assert [each.reason for each in reader.last_bad_lines] == ["longer than 1000 bytes"] * 2
        assert [each.offset for each in reader.last_bad_lines] == [
            len(line("a")),
            len(line("a") + line("b")) + 5001,
        ]
        reader.close()


def test_a_trace_that_is_emptied_is_read_from_its_beginning(reader, path):
    """The chunk says so, and later places belong to another generation."""
    append(path, line("a") + line("b"))
    reader.read()
    path.write_bytes(line("c"))
    chunk = reader.read()
    assert (names(chunk), chunk.restarted, chunk.events[0].generation) == (["c"], True, 1)
    path.write_bytes(b"")
    chunk = reader.read()
    assert (chunk.events, chunk.restarted) == ((), True)
    assert not reader.read().restarted
    append(path, line("d"))
    chunk = reader.read()
    assert (names(chunk), chunk.restarted) == (["d"], False)


def test_a_trace_that_was_emptied_and_has_grown_since_is_noticed(reader, path):
    """Between two reads the new content may become longer than the old one was."""
    append(path, line("a"))
    reader.read()
    path.write_bytes(line("b") * 10)
    chunk = reader.read()
    assert (names(chunk), chunk.restarted) == (["b"] * 10, True)


def test_a_renamed_trace_is_finished_before_the_new_one(reader, path):
    """Rotation loses nothing: not what was unread, nor what comes late to the old file."""
    append(path, line("a"))
    reader.read()
    append(path, line("b"))
    path.rename(path.with_name("trace.ndjson.1"))
    append(path, line("d"))
    found = [names(reader.read()), names(reader.read())]
    append(path.with_name("trace.ndjson.1"), line("c"))
    for _ in range(5):
        chunk = reader.read()
        found.append(names(chunk))
        assert not chunk.restarted
    assert [each for each in found if each] == [["b"], ["c"], ["d"]]
    assert reader.generation == 1


@pytest.mark.parametrize(
    ("end", "steps", "bad"), [(line("torn")[:20], ["next"], 1), (line("whole")[:-1], ["whole", "next"], 0)]
)
def test_a_renamed_trace_may_have_a_torn_end(reader, path, end, steps, bad):
    """It is bad if it is no event, and an event if only the newline is missing."""
    append(path, end)
    reader.read()
    path.rename(path.with_name("old"))
    append(path, line("next"))
    found = follow(reader, lambda found: len(found) == len(steps))
    assert [each.event.step_name for each in found] == steps
    assert reader.bad_lines == bad


def test_a_trace_may_be_renamed_twice_between_two_reads(reader, path):
    """The file in between is read before the newest one; an older one is not read again."""
    rotated = path.with_name("trace.ndjson.1")
    append(rotated, line("long ago"))
    append(path, line("a"))
    reader.read()
    path.replace(rotated)
    append(path, line("b"))
    os.utime(path, ns=(0, rotated.stat().st_mtime_ns + 1))
    path.replace(rotated)
    append(path, line("c"))
    found = follow(reader, lambda found: len(found) == 2)
    assert [(each.event.step_name, each.generation) for each in found] == [("b", 1), ("c", 2)]


def test_a_deleted_trace_may_come_again(reader, path):
    """Until then there is nothing new; then reading goes on with the new file."""
    append(path, line("a"))
    reader.read()
    path.unlink()
    assert [names(reader.read()) for _ in range(3)] == [[], [], []]
    append(path, line("b"))
    found = follow(reader, lambda found: found)
    assert [each.event.step_name for each in found] == ["b"]


def test_an_event_can_be_fetched_again(reader, path):
    """By its place, also from the file before a rotation; afterwards it is said to be gone."""
    append(path, line("a") + line("b"))
    first, second = reader.read().events
    assert reader.read_at(second.offset, second.length) == second.event
    path.rename(path.with_name("old"))
    append(path, line("c"))
    (third,) = follow(reader, lambda found: found)
    assert reader.read_at(first.offset, first.length, generation=first.generation) == first.event
    assert reader.read_at(third.offset, third.length, generation=third.generation) == third.event
    path.rename(path.with_name("older"))
    append(path, line("d"))
    follow(reader, lambda found: found)
    with pytest.raises(StorageError, match="no longer has the event"):
        reader.read_at(first.offset, first.length, generation=first.generation)


@pytest.mark.parametrize(("offset", "length"), [(0, 5), (3, 20), (10**6, 20), (-1, 5), (0, 10**6)])
def test_a_place_that_is_none_is_refused(reader, path, offset, length):
    """Only the place of a whole line gives an event."""
    append(path, line("a") + line("b"))
    reader.read()
    with pytest.raises(StorageError, match="no longer has the event"):
        reader.read_at(offset, length)


def test_a_place_is_refused_when_nothing_was_read(reader):
    """There is no file yet."""
    with pytest.raises(StorageError, match="no longer has the event"):
        reader.read_at(0, 5)


def test_a_folder_is_no_trace(tmp_path):
    """The message names the path and says what to do."""
    with pytest.raises(StorageError, match=r"cannot be read: Is a directory"):
        TraceReader(tmp_path).read()
    with pytest.raises(StorageError, match="cannot be read"):
        list(read_events(tmp_path / "none"))


@pytest.mark.parametrize("name", ["branching", "failures", "signals"])
def test_traces_of_the_ancestor_are_read(name):
    """Every line that ``@gravito/flux`` wrote is an event."""
    path = FIXTURES / f"{name}.ndjson"
    reader = TraceReader(path)
    chunk = reader.read()
    reader.close()
    assert len(chunk.events) == len(path.read_bytes().splitlines())
    assert reader.bad_lines == 0
    assert all(each.event.workflow_id and each.event.workflow_name for each in chunk.events)
    assert [each.event for each in chunk.events] == list(read_events(path))


def test_a_whole_trace_is_read_simply(path):
    """``read_events`` passes over bad lines and takes a last line without its newline."""
    path.write_bytes(line("a") + b"garbage\n" + line("b") + line("c")[:-1])
    assert [each.step_name for each in read_events(path)] == ["a", "b", "c"]
    path.write_bytes(line("a") + line("b")[:-5])
    assert [each.step_name for each in read_events(path)] == ["a"]


WRITER = """
import sys
from flux_engine.trace.events import TraceEvent
from flux_engine.trace.sinks import JsonFileTraceSink
path, name, count, size, limit = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
sink = JsonFileTraceSink(path, max_bytes=limit or None)
for number in range(count):
    sink.emit(TraceEvent(type="step:log", timestamp=1, workflow_id=name, step_index=number, meta="x" * size))
"""


def writer(path, name, count, size, limit=0):
    """Start a process that writes events."""
    arguments = [
        sys.executable,
        "-c",
        textwrap.dedent(WRITER),
        str(path),
        name,
        str(count),
        str(size),
        str(limit),
    ]
    return subprocess.Popen(arguments)


def test_two_writers_are_followed_while_they_write(reader, path):
    """Every event of both arrives once, in each writer's order."""
    processes = [writer(path, name, 500, 2000) for name in "ab"]
    found = follow(reader, lambda found: len(found) >= 1000)
    assert [process.wait(60) for process in processes] == [0, 0]
    for name in "ab":
        assert [each.event.step_index for each in found if each.event.workflow_id == name] == list(range(500))
    assert reader.bad_lines == 0


def test_rotation_is_followed_while_it_happens(reader, path):
    """A follower sees every event once although two writers rename the file under it."""
    path.touch()
    reader.read()  # it follows from the first file on
    processes = [writer(path, name, 300, 200, 100_000) for name in "ab"]
    found = follow(reader, lambda found: len(found) >= 600)
    assert [process.wait(60) for process in processes] == [0, 0]
    for name in "ab":
        assert sorted(each.event.step_index for each in found if each.event.workflow_id == name) == list(
            range(300)
        )
    assert reader.generation == 1


def test_a_writer_killed_in_the_middle_costs_one_line_at_most(reader, path):
    """The reader goes on with whoever writes next."""
    victim = writer(path, "victim", 10**9, 200_000)
    found = follow(reader, lambda found: len(found) >= 5)
    victim.send_signal(signal.SIGKILL)
    victim.wait(60)
    append(path, b'{"type":"step:lo')
    sink = JsonFileTraceSink(path)
    sink.emit(TraceEvent(type="step:log", timestamp=1.0, workflow_id="next"))
    sink.close()
    found += follow(reader, lambda found: any(each.event.workflow_id == "next" for each in found))
    numbers = [each.event.step_index for each in found if each.event.workflow_id == "victim"]
    assert numbers == list(range(len(numbers)))
    assert reader.bad_lines == 1
