# ruff: noqa: T201 - printing is what is tested
"""Capturing output: every line reaches the step that wrote it, and no amount of it does harm."""

import asyncio
import functools
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any, TextIO, cast

import pytest

from flux_engine.context import CurrentStep, current_step
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.runner.capture import Capture
from flux_tui.runner.lines import AttemptLog, LineCutter, Throttle
from flux_tui.runner.streams import CapturedStream, capture_logging, follow_threads
from flux_tui.runner.tail import Tail
from flux_tui.runner.trace import RunnerTrace


class Heard:
    """A capture, and what has come out of it."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []
        self.outside: list[tuple[str, str]] = []
        self.ticks = count(1)
        self.capture = Capture(self.events.append, self._output, clock=lambda: next(self.ticks))

    def _output(self, stream: str, text: str) -> None:
        self.outside.append((stream, text))

    def lines(self, step: str) -> list[tuple[str, str]]:
        return [(e.meta["stream"], e.meta["text"]) for e in self.events if e.step_name == step]


def attempt(step: str = "pay", *, run: str = "r1", number: int = 1) -> CurrentStep:
    """Return an attempt of a step."""
    return CurrentStep(run_id=run, workflow="order", step=step, step_index=2, attempt=number)


@contextmanager
def inside(step: CurrentStep) -> Iterator[None]:
    """Be in the handler of a step."""
    token = current_step.set(step)
    try:
        yield
    finally:
        current_step.reset(token)


@pytest.fixture
def heard() -> Heard:
    """Give a capture that is not yet put in the place of anything."""
    return Heard()


@contextmanager
def in_place(capture: Capture) -> Iterator[None]:
    """Put the capture in the place of standard output and standard error, and give it a bare logging."""
    root = logging.root
    before = (sys.stdout, sys.stderr, list(root.handlers), root.level)
    sys.stdout = cast("TextIO", CapturedStream(capture, "stdout", 1))
    sys.stderr = cast("TextIO", CapturedStream(capture, "stderr", 2))
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        sys.stdout, sys.stderr, root.handlers[:], level = before
        root.setLevel(level)


def captured(test: Callable[..., None]) -> Callable[..., None]:
    """Run the test with its capture in place: pytest puts its own there before each test."""

    @functools.wraps(test)
    def run(*args: Any, streams: Heard, **kwargs: Any) -> None:
        with in_place(streams.capture):
            test(*args, streams=streams, **kwargs)

    return run


@pytest.fixture
def streams(heard: Heard) -> Heard:
    """Give the capture that ``captured`` puts in place."""
    return heard


@pytest.fixture
def _followed_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let threads count as the step that starts them."""
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit)
    follow_threads()


@captured
def test_a_line_becomes_an_event_of_the_step_that_printed_it(streams: Heard) -> None:
    """With run, workflow, step, index, attempt and stream; the line that is not ended waits."""
    with inside(attempt(number=3)):
        print("charging", "card")
        print("half", end="")
        print("error", file=sys.stderr)
    assert streams.lines("pay") == [("stdout", "charging card"), ("stderr", "error")]
    event = streams.events[0]
    assert event.type == EventType.STEP_LOG
    assert (event.workflow_id, event.workflow_name) == ("r1", "order")
    assert (event.step_index, event.attempt) == (2, 3)
    streams.capture.ended(attempt(number=3))
    assert streams.lines("pay")[-1] == ("stdout", "half")


@captured
def test_tasks_that_run_at_once_keep_their_lines_apart(streams: Heard) -> None:
    """Even when they write their lines piece by piece."""

    async def handler(name: str) -> None:
        with inside(attempt(name)):
            for piece in ("a", "b", "c\n"):
                sys.stdout.write(piece)
                await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(handler("one"), handler("two"))

    asyncio.run(both())
    assert streams.lines("one") == streams.lines("two") == [("stdout", "abc")]


@pytest.mark.usefixtures("_followed_threads")
@captured
def test_threads_and_pools_of_a_handler_count_as_its_step(streams: Heard) -> None:
    """A pool shared by two steps tells their jobs apart."""
    with ThreadPoolExecutor(1) as pool:
        for name in ("one", "two"):
            with inside(attempt(name)):
                thread = threading.Thread(target=print, args=("from a thread",))
                thread.start()
                thread.join()
                pool.submit(print, "from a pool").result()
        pool.submit(print, "from nobody").result()
    for name in ("one", "two"):
        assert streams.lines(name) == [("stdout", "from a thread"), ("stdout", "from a pool")]
    assert streams.outside == [("stdout", "from nobody")]


def test_writers_of_one_step_do_not_mix_their_lines(heard: Heard) -> None:
    """A thread may write the end of its line after another, or a subprocess, has written."""
    step = attempt()
    heard.capture.started(step)
    with inside(step):
        heard.capture.write("stdout", "from the handler")
    heard.capture.write_from_outside("stdout", "from a subprocess\n")
    with inside(step):
        heard.capture.write("stdout", "\n")
    assert heard.lines("pay") == [("stdout", "from a subprocess"), ("stdout", "from the handler")]


@captured
def test_what_no_step_wrote_goes_outside(streams: Heard) -> None:
    """Whole lines at a time."""
    print("module level")
    assert streams.outside == [("stdout", "module level")]
    assert streams.events == []


def test_text_from_a_descriptor_belongs_to_the_only_step_that_runs(heard: Heard) -> None:
    """With none or several there is no telling whose it is."""
    heard.capture.write_from_outside("stdout", "none\n")
    heard.capture.started(attempt("one"))
    heard.capture.write_from_outside("stdout", "mine\n")
    heard.capture.started(attempt("two"))
    heard.capture.write_from_outside("stdout", "whose\n")
    heard.capture.ended(attempt("one"))
    heard.capture.write_from_outside("stdout", "second\n")
    assert heard.lines("one") == [("stdout", "mine")]
    assert heard.lines("two") == [("stdout", "second")]
    assert heard.outside == [("stdout", "none"), ("stdout", "whose")]


@captured
def test_a_flood_is_cut_off_and_counted(streams: Heard) -> None:
    """A handler that prints 100,000 lines leaves 20,000, and two that tell of the rest."""
    with inside(attempt()):
        for number in range(100_000):
            print(number)
    streams.capture.ended(attempt())
    lines = streams.lines("pay")
    assert len(lines) == 20_002
    assert "is dropped" in lines[20_000][1]
    assert lines[-1] == ("warning", "… 80,000 lines (480,000 characters) were dropped")


def test_a_million_characters_are_enough(heard: Heard) -> None:
    """Long lines use up the bound before there are many of them."""
    with inside(attempt()):
        for _ in range(300):
            heard.capture.write("stdout", "x" * 100_000 + "\n")
    kept = [text for stream, text in heard.lines("pay") if stream == "stdout"]
    assert sum(map(len, kept)) < 1_020_000
    assert kept[0].endswith("… (+91,808 characters)")


@captured
def test_output_after_the_end_of_the_attempt_is_still_that_steps(streams: Heard) -> None:
    """As of a thread that it left behind; nothing waits for the end of a line any more."""
    with inside(attempt()):
        print("first")
        streams.capture.ended(attempt())
        print("late", end="")
    assert streams.lines("pay") == [("stdout", "first"), ("stdout", "late")]


@captured
def test_log_records_carry_their_level(streams: Heard) -> None:
    """Without any configuration everything from info is taken, with its traceback."""
    capture_logging(streams.capture)
    logger = logging.getLogger("shop.payment")
    with inside(attempt()):
        logger.debug("too much")
        logger.info("charging %s", 5)
        try:
            int("no")
        except ValueError:
            logger.exception("declined")
    lines = streams.lines("pay")
    assert lines[:2] == [("info", "charging 5"), ("error", "declined")]
    assert lines[-1] == ("error", "ValueError: invalid literal for int() with base 10: 'no'")


@captured
def test_a_modules_own_logging_set_up_is_kept_and_gains_the_level(streams: Heard) -> None:
    """Its format and level are its own; print beside it is no log record."""
    logging.basicConfig(level=logging.DEBUG, format="%(name)s|%(message)s")
    capture_logging(streams.capture)
    with inside(attempt()):
        logging.getLogger("shop").debug("detail")
        print("plain", file=sys.stderr)
    assert streams.lines("pay") == [("debug", "shop|detail"), ("stderr", "plain")]


@captured
def test_recording_takes_what_no_step_wrote(streams: Heard) -> None:
    """As while a module is imported."""
    with streams.capture.recording() as tail:
        print("importing")
        with inside(attempt()):
            print("in a step")
    print("later")
    assert tail.text() == "importing\n"
    assert streams.lines("pay") == [("stdout", "in a step")]
    assert streams.outside == [("stdout", "later")]


def test_a_sink_that_prints_does_not_go_round_in_circles() -> None:
    """Its own output is passed over."""
    seen: list[str] = []

    def sink(*what: object) -> None:
        seen.append("called")
        print("writing", what)

    with in_place(Capture(sink, sink)):
        with inside(attempt()):
            print("once")
        print("outside")
    assert len(seen) == 2


def test_the_trace_has_a_steps_output_before_its_end(heard: Heard) -> None:
    """What is still in the pipe or without a line's end is written first."""
    trace = RunnerTrace(_Writer(heard), lambda: heard.capture.write_from_outside("stdout", "from the pipe"))
    capture = Capture(trace.write, lambda *_: None)
    trace.follow(capture)
    heard.capture = capture
    fields = {
        "workflow_id": "r1",
        "workflow_name": "order",
        "step_name": "pay",
        "step_index": 2,
        "attempt": 1,
    }
    trace.emit(TraceEvent(type=EventType.STEP_START, timestamp=0, **fields))
    assert capture.running() == [attempt()]
    trace.emit(TraceEvent(type=EventType.STEP_COMPLETE, timestamp=0, **fields))
    assert [event.type for event in heard.events] == ["step:start", "step:log", "step:complete"]
    assert capture.running() == []


@pytest.mark.parametrize("end", ["workflow:pause", "workflow:cancel", "workflow:suspend", "workflow:error"])
def test_the_end_of_a_run_ends_its_attempts(heard: Heard, end: str) -> None:
    """What they have left unfinished comes before it; other runs go on."""
    trace = RunnerTrace(_Writer(heard), lambda: None)
    capture = Capture(trace.write, lambda *_: None)
    trace.follow(capture)
    for run in ("r1", "r2"):
        capture.started(attempt(run=run))
        with inside(attempt(run=run)):
            capture.write("stdout", "half a line")
    trace.emit(TraceEvent(type=EventType(end), timestamp=0, workflow_id="r1", workflow_name="order"))
    assert [event.type for event in heard.events] == ["step:log", end]
    assert capture.running() == [attempt(run="r2")]


class _Writer:
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def emit(self, event: TraceEvent) -> None:
        self._heard.events.append(event)


@pytest.mark.parametrize(
    ("pieces", "lines", "rest"),
    [
        (["a\nb\nc"], ["a", "b"], "c"),
        (["a", "b", "\n"], ["ab"], None),
        (["a\r\n", "b\r", "\n"], ["a", "b"], None),
        (["10%\r", "50%\r", "100%\n"], ["100%"], None),
        (["10%\r50%\r99%\r"], [], "99%"),
        (["\n\n"], ["", ""], None),
        (["x" * 30 + "\n"], ["x" * 20 + "… (+10 characters)"], None),
    ],
)
def test_text_is_cut_into_lines(pieces: list[str], lines: list[str], rest: str | None) -> None:
    """A carriage return begins a line again; a long line is cut with a mark."""
    cutter = LineCutter(longest=20)
    assert [line for piece in pieces for line in cutter.feed(piece)] == lines
    assert cutter.rest() == rest


def test_an_attempts_log_without_output_has_no_last_words() -> None:
    """Nothing was dropped, so nothing is said."""
    assert AttemptLog().end() == []


def test_a_tail_keeps_the_end_and_says_how_much_is_missing() -> None:
    """However the text came in."""
    tail = Tail(limit=10)
    for number in range(1000):
        tail.add(f"{number},")
    first, _, kept = tail.text().partition("\n")
    assert kept == "98,999,"[-10:] or kept.endswith("998,999,")
    assert len(kept) == 10
    assert "3,880 characters" in first


def test_a_throttle_lets_a_second_worth_through_and_counts_the_rest() -> None:
    """The count comes with the next text that passes."""
    throttle = Throttle(per_second=10)
    assert throttle.let("x" * 12, 1.0) == "x" * 12
    assert throttle.let("lost", 1.5) == ""
    assert throttle.let("on", 2.0) == "… 4 characters were dropped\non"
