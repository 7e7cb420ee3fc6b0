"""Trace sinks: every event becomes one whole line, whoever else writes, renames or deletes the file."""

import asyncio
import errno
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading

import msgspec
import pytest

from flux_engine.errors import StorageError
from flux_engine.trace import file_sink
from flux_engine.trace.events import TraceEvent
from flux_engine.trace.reader import read_events
from flux_engine.trace.sinks import (
    CallbackTraceSink,
    FluxTraceSink,
    JsonFileTraceSink,
    LoggingTraceSink,
    MultiTraceSink,
)


def event(step="a", **fields):
    """Return an event of one step."""
    return TraceEvent(type="step:start", timestamp=1.0, workflow_id="1", step_name=step, **fields)


def steps(path):
    """Return the steps that a trace file tells of."""
    return [each.step_name for each in read_events(path)]


@pytest.fixture
def path(tmp_path):
    """Return the path of a trace in a folder that does not exist yet."""
    return tmp_path / "new" / "trace.ndjson"


@pytest.fixture
def sink(path):
    """Return a sink that is closed at the end."""
    sink = JsonFileTraceSink(path)
    yield sink
    sink.close()


WRITER = """
import sys
from flux_engine.trace.events import TraceEvent
from flux_engine.trace.sinks import JsonFileTraceSink
name, count, size = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sink = JsonFileTraceSink(sys.argv[1], max_bytes=int(sys.argv[5]) if sys.argv[5:] else None)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    sink.emit(TraceEvent(type="step:log", timestamp=1, workflow_id=name, step_index=number, meta="x" * size))
"""


def writer(path, name, count, size, *more):
    """Start a process that writes as soon as it is given a line."""
    arguments = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), name, str(count), str(size), *more]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def run_together(processes):
    """Let all writers go at once and wait for their ends."""
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_each_event_is_a_line_at_once(sink, path):
    """A reader sees an event as soon as ``emit`` returns, without a flush."""
    sink.emit(event("a"))
    assert path.read_bytes().endswith(b"\n")
    assert steps(path) == ["a"]
    sink.emit(event("b"))
    assert steps(path) == ["a", "b"]


def test_making_a_sink_touches_nothing(path):
    """A sink in a module that is only imported leaves no files."""
    JsonFileTraceSink(path, reset=True)
    assert not path.parent.exists()


def test_file_and_folder_are_for_the_user_alone(sink, path):
    """Inputs and data can hold secrets."""
    sink.emit(event())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_trace_is_continued_unless_reset(tmp_path):
    """A second sink appends; with ``reset`` its first event, and only that, empties the file."""
    path = tmp_path / "trace.ndjson"
    for reset, expected in ((False, ["a"]), (False, ["a", "a"]), (True, ["a", "b"])):
        sink = JsonFileTraceSink(path, reset=reset)
        sink.emit(event("a"))
        sink.close()
        if reset:
            sink.emit(event("b"))
            sink.close()
        assert steps(path) == expected


def test_closing_twice_and_going_on_are_fine(sink, path):
    """``close`` can be called again, and the next event opens the file again."""
    sink.close()
    sink.emit(event("a"))
    sink.close()
    sink.close()
    sink.emit(event("b"))
    assert steps(path) == ["a", "b"]


def test_a_torn_last_line_does_not_spoil_the_next(sink, path):
    """After a writer that died in the middle of a line, the next event has a line of its own."""
    path.parent.mkdir()
    path.write_bytes(b'{"type":"step:st')
    sink.emit(event("a"))
    with path.open("ab") as other:
        other.write(b'{"torn')
    sink.emit(event("b"))
    sink.emit(event("c"))
    assert steps(path) == ["a", "b", "c"]
    assert path.read_bytes().count(b"\n") == 5


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_is_gone_is_begun_again(sink, path, replace):
    """Deleting or replacing the file under a writer costs no later event."""
    sink.emit(event("a"))
    path.unlink()
    if replace:
        path.write_bytes(b"")
    sink.emit(event("b"))
    assert steps(path) == ["b"]


def test_a_folder_that_is_gone_is_made_again(sink, path):
    """Cleaning up while a program runs does not stop its trace."""
    sink.emit(event("a"))
    path.unlink()
    path.parent.rmdir()
    sink.emit(event("b"))
    assert steps(path) == ["b"]


def test_a_file_that_is_emptied_goes_on_at_its_beginning(sink, path):
    """Truncation by another program leaves no hole of zero bytes."""
    sink.emit(event("a"))
    os.truncate(path, 0)
    sink.emit(event("b"))
    assert steps(path) == ["b"]
    assert path.read_bytes().startswith(b"{")


def test_several_processes_write_whole_lines(path):
    """Lines of several processes, short and long, never interleave and keep each writer's order."""
    sizes = {"a": 10, "b": 300, "c": 70_000}
    run_together([writer(path, name, 300, size) for name, size in sizes.items()])
    lines = path.read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=TraceEvent) for line in lines if line]
    for name, size in sizes.items():
        mine = [each for each in found if each.workflow_id == name]
        assert [each.step_index for each in mine] == list(range(300))
        assert all(each.meta == "x" * size for each in mine)


def test_a_writer_that_is_killed_spoils_no_line_of_others(path):
    """A kill -9 in the middle of everything leaves at most one bad line, the last of the one who died."""
    victim = writer(path, "victim", 10**9, 300_000)
    victim.stdin.write(b"go\n")
    victim.stdin.flush()
    sink = JsonFileTraceSink(path)
    for number in range(200):
        sink.emit(event(str(number)))
        if number == 50:
            while path.stat().st_size < 3_000_000:
                pass
            victim.send_signal(signal.SIGKILL)
            victim.communicate(timeout=60)
    sink.close()
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    bad = [line for line in lines if not line.endswith(b"}")]
    assert len(bad) <= 1
    mine = [each.step_name for each in read_events(path) if each.workflow_id == "1"]
    assert mine == [str(number) for number in range(200)]


def test_a_full_file_is_renamed(path):
    """A file never grows beyond ``max_bytes``; the one before is kept, and nothing is lost in between."""
    sink = JsonFileTraceSink(path, max_bytes=1000)
    rotated = path.with_name("trace.ndjson.1")
    seen = []
    for number in range(100):
        sink.emit(event(str(number)))
        assert path.stat().st_size <= 1000
        seen.append(steps(path)[-1])
    sink.close()
    assert seen == [str(number) for number in range(100)]
    both = steps(rotated) + steps(path)
    assert both == [str(number) for number in range(100)][-len(both) :]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_longer_than_a_file_gets_a_file_of_its_own(path):
    """Better a file that is too long than an event that is lost."""
    sink = JsonFileTraceSink(path, max_bytes=100)
    for step in ("a" * 300, "b" * 300):
        sink.emit(event(step))
        assert steps(path) == [step]
    sink.close()


def test_processes_that_rotate_together_lose_nothing(tmp_path):
    """Three writers fill one file; it is renamed once, and each line is in one of the two files."""
    path = tmp_path / "trace.ndjson"
    run_together([writer(path, name, 400, 100, "150000") for name in "abc"])
    both = [*read_events(tmp_path / "trace.ndjson.1"), *read_events(path)]
    assert len(both) == 1200
    for name in "abc":
        assert sorted(each.step_index for each in both if each.workflow_id == name) == list(range(400))
    assert (tmp_path / "trace.ndjson.1").stat().st_size > 100_000


def test_a_file_that_another_process_renamed_first_is_not_renamed_again(path, monkeypatch):
    """Of two writers that find the file full, one renames it; the other would replace it by an empty one."""
    sink, other = JsonFileTraceSink(path, max_bytes=150), JsonFileTraceSink(path, max_bytes=150)
    for each in (sink, other):
        each.emit(event("a"))
    real = file_sink._locked

    def slow(name):
        monkeypatch.setattr(file_sink, "_locked", real)
        other.emit(event("b"))
        return real(name)

    monkeypatch.setattr(file_sink, "_locked", slow)
    sink.emit(event("c"))
    assert steps(path.with_name("trace.ndjson.1")) == ["a", "a"]
    assert steps(path) == ["b", "c"]
    sink.close()
    other.close()


def test_threads_share_a_sink(sink, path):
    """Output of handlers in threads is traced from those threads."""
    barrier = threading.Barrier(4)

    def work(name):
        barrier.wait()
        for number in range(200):
            sink.emit(event(f"{name}{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = steps(path)
    assert [each for each in found if each.startswith("a")] == [f"a{number}" for number in range(200)]
    assert len(found) == 800


def test_a_short_write_is_finished(sink, path, monkeypatch):
    """When the system takes only a part of a line, the rest follows."""
    real = os.write
    monkeypatch.setattr(file_sink.os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    sink.emit(event("a"))
    sink.emit(event("b"))
    assert steps(path) == ["a", "b"]


def test_a_full_disk_is_reported_and_survived(sink, path, monkeypatch):
    """The caller learns what is wrong; when there is room again, the next event has its own line."""
    sink.emit(event("a"))
    real, answers = os.write, [5]

    def write(descriptor, data):
        if answers:
            return real(descriptor, data[: answers.pop()])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_sink.os, "write", write)
    with pytest.raises(StorageError, match=r"trace\.ndjson cannot be written: No space left"):
        sink.emit(event("b"))
    monkeypatch.undo()
    sink.emit(event("c"))
    assert steps(path) == ["a", "c"]


def test_a_path_that_cannot_be_opened_is_reported_and_tried_again(tmp_path):
    """A folder where the file should be, or a file where the folder should be, is a clear error."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "folder", tmp_path / "file" / "trace.ndjson"):
        sink = JsonFileTraceSink(path)
        for _ in range(2):
            with pytest.raises(StorageError, match="cannot be written"):
                sink.emit(event())
    (tmp_path / "folder").rmdir()
    sink = JsonFileTraceSink(tmp_path / "folder")
    sink.emit(event())
    sink.close()


def test_max_bytes_must_make_sense(path):
    """A file of no bytes could hold no event."""
    with pytest.raises(ValueError, match="max_bytes must be at least 1"):
        JsonFileTraceSink(path, max_bytes=0)


def test_text_that_json_cannot_hold_is_written_with_escapes(sink, path):
    """Output with undecodable bytes is traced all the same."""
    sink.emit(event("\udcff", meta={"text": ["a\ud800"]}, changes=msgspec.Raw(b'{"set":{}}')))
    (found,) = read_events(path)
    assert found.step_name == "\\udcff"
    assert found.meta == {"text": ["a\\ud800"]}
    assert found.changes == {"set": {}}


def test_an_event_that_is_no_json_is_refused(sink, path):
    """The message names the event; the sink goes on."""
    with pytest.raises(StorageError, match="step:start event cannot be written"):
        sink.emit(event(meta=object()))
    sink.emit(event("a"))
    assert steps(path) == ["a"]


class Recorder:
    """Keeps the events it gets."""

    def __init__(self):
        self.events = []
        self.closed = 0

    def emit(self, event):
        self.events.append(event)

    def close(self):
        self.closed += 1


class AsyncRecorder(Recorder):
    """Keeps the events it gets, a little later."""

    async def emit(self, event):
        await asyncio.sleep(0)
        self.events.append(event)

    async def close(self):
        self.closed += 1


class Broken:
    """Fails at every event."""

    def emit(self, event):
        raise OSError("plain")


class AsyncBroken:
    """Fails at every event, a little later."""

    async def emit(self, event):
        raise OSError("async")


def test_every_sink_gets_every_event():
    """Plain sinks are served without an event loop."""
    sinks = [Recorder(), Recorder()]
    multi = MultiTraceSink(*sinks)
    assert multi.emit(event("a")) is None
    assert [each.events for each in sinks] == [[event("a")], [event("a")]]
    assert multi.close() is None
    assert [each.closed for each in sinks] == [1, 1]


async def test_plain_and_async_sinks_mix():
    """The result is awaitable as soon as one sink is async, and some sinks have nothing to close."""
    sinks = [Recorder(), AsyncRecorder(), CallbackTraceSink(lambda event: None)]
    multi = MultiTraceSink(*sinks)
    await multi.emit(event("a"))
    assert [each.events for each in sinks[:2]] == [[event("a")], [event("a")]]
    await multi.close()
    assert [each.closed for each in sinks[:2]] == [1, 1]


async def test_a_failing_sink_keeps_no_event_from_the_others():
    """All sinks have their turn before the failure is raised, and several failures are raised together."""
    sinks = [Broken(), Recorder(), AsyncBroken(), AsyncRecorder()]
    with pytest.raises(ExceptionGroup) as caught:
        await MultiTraceSink(*sinks).emit(event())
    assert [str(each) for each in caught.value.exceptions] == ["plain", "async"]
    assert [len(sinks[1].events), len(sinks[3].events)] == [1, 1]
    with pytest.raises(OSError, match="plain"):
        MultiTraceSink(Broken(), sinks[1]).emit(event())
    assert len(sinks[1].events) == 2


async def test_a_function_is_a_sink():
    """Plain functions and coroutine functions can be called back."""
    recorder, later = Recorder(), AsyncRecorder()
    assert CallbackTraceSink(recorder.events.append).emit(event("a")) is None
    await CallbackTraceSink(later.emit).emit(event("b"))
    assert (recorder.events, later.events) == ([event("a")], [event("b")])


def test_events_can_go_to_a_logger(caplog):
    """One line each, at the level asked for, with the event for handlers that want all of it."""
    with caplog.at_level(logging.DEBUG, logger="flux.trace"):
        LoggingTraceSink().emit(event("pay", duration=12.5, attempt=2, error="ValueError: a\nb"))
        LoggingTraceSink(level=logging.DEBUG).emit(event("ship"))
    first, second = caplog.records
    assert first.getMessage() == "step:start 1 pay attempt 2 12.5 ms ValueError: a b"
    assert (first.levelno, second.levelno) == (logging.INFO, logging.DEBUG)
    assert first.flux_event.step_name == "pay"


def test_events_go_to_the_logger_that_was_given(caplog):
    """And nothing is made up for a level that is off."""
    logger = logging.getLogger("shop")
    with caplog.at_level(logging.WARNING, logger="shop"):
        LoggingTraceSink(logger).emit(event())
        LoggingTraceSink(logger, logging.ERROR).emit(event())
    assert [record.name for record in caplog.records] == ["shop"]


def test_what_json_holds_is_what_was_emitted(sink, path):
    """Names are those of the trace format."""
    sink.emit(event("a", max_retries=3))
    assert json.loads(path.read_bytes()) == {
        "type": "step:start",
        "timestamp": 1.0,
        "workflowId": "1",
        "stepName": "a",
        "maxRetries": 3,
    }


def test_all_sinks_are_sinks():
    """The protocol fits every sink that ships."""
    sinks: list[FluxTraceSink] = [MultiTraceSink(), LoggingTraceSink(), CallbackTraceSink(print), Recorder()]
    assert all(callable(each.emit) for each in sinks)


def test_several_events_at_once_are_the_lines_that_they_are_one_by_one(tmp_path):
    """Also with one among them that cannot be written, which is told and costs the others nothing."""
    together, singly = JsonFileTraceSink(tmp_path / "together"), JsonFileTraceSink(tmp_path / "singly")
    events = [TraceEvent(type="step:start", timestamp=number, step_name="é\ud800") for number in range(3)]
    together.emit_all(events)
    for event in events:
        singly.emit(event)
    with pytest.raises(StorageError, match="cannot be written"):
        together.emit_all([events[0], TraceEvent(type="bad", timestamp=1, meta=object()), events[1]])
    for event in events[:2]:
        singly.emit(event)
    assert (tmp_path / "together").read_bytes() == (tmp_path / "singly").read_bytes()


def test_a_sink_with_an_emit_of_its_own_is_given_each_event(tmp_path):
    """Whoever overrides emit sees all that happens."""
    seen = []

    class Watching(JsonFileTraceSink):
        def emit(self, event):
            seen.append(event.type)
            super().emit(event)

    Watching(tmp_path / "trace").emit_all([TraceEvent(type=kind, timestamp=1) for kind in ("a", "b")])
    assert seen == ["a", "b"]


def test_lines_written_together_respect_the_limit_of_a_file(tmp_path):
    """Each may be the one that a new file begins with."""
    sink = JsonFileTraceSink(tmp_path / "trace", max_bytes=100)
    sink.emit_all([TraceEvent(type="x" * 30, timestamp=number) for number in range(3)])
    assert (tmp_path / "trace").stat().st_size <= 100
    assert (tmp_path / "trace.1").stat().st_size <= 100
