"""What the end of a trace file is asked, where the last execution of a handler may have died."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from flux_engine import FluxSilentLogger, Hooks, JsonFileTraceSink
from flux_engine.integrations.restate import once_told, trace_tail
from flux_engine.integrations.restate.once_told import Announcers, HeldAnnouncer
from flux_engine.integrations.restate.trace_tail import Told, alone, told_by
from flux_engine.running.announcer import Announcer
from flux_engine.running.problems import Problems
from flux_engine.trace.events import TraceEvent


def event(number, *, at=None, run="r"):
    return TraceEvent(
        type="step:start",
        timestamp=1000.0 + number if at is None else at,
        workflow_id=run,
        step_name=f"s{number}",
        attempt=1,
        meta={"padding": "x" * (number % 7)},
    )


@pytest.mark.parametrize("block", [1, 7, 64, 1000, 1 << 20])
def test_every_line_is_found_whatever_the_blocks_cut(tmp_path, monkeypatch, block):
    """Read from the end, in blocks of any size."""
    monkeypatch.setattr(trace_tail, "_BLOCK", block)
    sink = JsonFileTraceSink(tmp_path / "t.ndjson")
    told = [event(number) for number in range(40)]
    for each in told:
        sink.emit(each)
    assert told_by(sink, told) == {Told.of(each) for each in told}
    assert told_by(sink, [event(41), event(3, run="other")]) == set()


def test_the_file_before_is_read_too_and_nothing_that_is_much_older(tmp_path, monkeypatch):
    """A file that was just begun does not hide what the one before has."""
    sink = JsonFileTraceSink(tmp_path / "t.ndjson", max_bytes=400)
    told = [event(number) for number in range(4)]
    for each in told:
        sink.emit(each)
    assert (tmp_path / "t.ndjson.1").exists()
    assert told_by(sink, told[2:]) == {Told.of(each) for each in told[2:]}
    read = []
    decode = trace_tail.decode_event
    monkeypatch.setattr(trace_tail, "decode_event", lambda line: read.append(line) or decode(line))
    assert told_by(sink, [event(9, at=10_000_000.0, run="other")]) == set()
    assert len(read) == 1  # the first line of the newer file, which is old enough to end the search


def test_a_file_that_is_not_there_or_garbage_tells_nothing(tmp_path):
    """Nothing fails for it."""
    sink = JsonFileTraceSink(tmp_path / "t.ndjson")
    assert told_by(sink, [event(1)]) == set()
    (tmp_path / "t.ndjson").write_bytes(b"\xff\xfe\n{]\n\n{}")
    assert told_by(sink, [event(1)]) == set()
    assert told_by(sink, []) == set()


async def test_two_that_ask_at_once_do_so_one_after_the_other(tmp_path):
    """Else both would find nothing, and both would tell."""
    sink = JsonFileTraceSink(tmp_path / "t.ndjson")

    async def tell():
        async with alone(sink):
            if not told_by(sink, [event(1)]):
                await asyncio.sleep(0.02)
                sink.emit(event(1))

    await asyncio.gather(*(tell() for _ in range(4)))
    assert (tmp_path / "t.ndjson").read_text().count("\n") == 1


async def test_one_that_hangs_is_not_waited_for_longer_than_a_moment(tmp_path, monkeypatch):
    """A process that was stopped keeps nobody from telling, and knows when it goes on."""
    monkeypatch.setattr(trace_tail, "_TRIES", 2)
    sink = JsonFileTraceSink(tmp_path / "t.ndjson")
    sink.emit(event(1))
    async with alone(sink) as was_alone:
        assert was_alone()
        async with asyncio.timeout(10), alone(sink) as is_alone:
            assert is_alone()
            assert not was_alone()
        assert not was_alone()
    async with alone(sink) as is_alone:
        assert is_alone()


async def test_one_that_lost_its_turn_asks_again_before_it_tells(tmp_path, monkeypatch):
    """While it was stopped another process may have told the same."""
    sink = JsonFileTraceSink(tmp_path / "t.ndjson")
    sink.emit(event(1))

    def told_and_stopped(*asked):
        found = told_by(*asked)
        if not found:
            Path(f"{sink.path}.asked").unlink()  # as one does that has waited for it
            sink.emit(event(2))
        return found

    monkeypatch.setattr(once_told, "told_by", told_and_stopped)
    nobody = Announcer(None, Hooks(), Problems(FluxSilentLogger()))
    announcers = Announcers(nobody, [(sink, Announcer(sink, Hooks(), Problems(FluxSilentLogger())))], nobody)
    actions = SimpleNamespace(is_replaying=False, is_first=False)
    held = HeldAnnouncer(announcers, actions)
    await held.tell([event(2)])
    await held.release()
    assert sink.path.read_text().count("\n") == 2
