"""The Error tab: exceptions of steps and problems of modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult

from flux_engine.execution import ErrorInfo, Frame
from flux_engine.trace.events import TraceEvent
from flux_tui.model.attempts import failed_attempts
from flux_tui.model.run import RunView, StepView
from flux_tui.model.spans import FailedAttempt
from flux_tui.runner.messages import Problem
from flux_tui.widgets.error_view import ErrorView

CODE = "\n".join(f"line_{number} = {number}" for number in range(1, 21))


def failed_run(error: ErrorInfo | None) -> RunView:
    """Return a run that failed in its only step."""
    step = StepView(
        name="payment", status="failed", tries=3, max_tries=3, attempt=3, duration=1220, error=error
    )
    return RunView(id="r1", workflow="order", status="failed", steps=(step,), error=error)


def connection_error(file: Path, **changes: Any) -> ErrorInfo:
    """Return an error with two frames of the user and one of a library."""
    frames = (
        Frame(file=str(file), line=3, function="payment", code="line_3 = 3"),
        Frame(file=str(file), line=10, function="charge", code="line_10 = 10"),
        Frame(file="/usr/lib/http.py", line=9, function="request", code="raise it", user=False),
    )
    known = {
        "type": "ConnectionError",
        "message": "gateway returned 502",
        "frames": frames,
        "text": "Traceback: all",
    }
    return ErrorInfo(**{**known, **changes})


def change(file: Path) -> None:
    """Write other code into the file."""
    file.write_text("something = 'else'\n" * 20)


class ErrorApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.view = ErrorView()

    def compose(self) -> ComposeResult:
        yield self.view

    @property
    def lines(self) -> list[str]:
        lines = [self.view.render_line(y).text[1:].rstrip() for y in range(self.view.size.height)]
        return [" ".join(line.split()) for line in lines if line.strip()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source file of twenty lines."""
    file = tmp_path / "orders.py"
    file.write_text(CODE)
    return file


async def test_the_users_innermost_line_comes_first_with_its_neighbours(source: Path) -> None:
    """Type and message, then the innermost user frame and its code, then the outer one; libraries folded."""
    app = ErrorApp()
    async with app.run_test(size=(120, 40)) as pilot:
        run = failed_run(connection_error(source))
        app.view.show(run, run.steps[0])
        await pilot.pause()
        lines = app.lines
        assert lines[0] == "ConnectionError: gateway returned 502"
        assert lines[1] == "in step payment · try 3 of 3 · after 1.22 s"
        assert lines[2].endswith("orders.py:10 in charge")
        assert lines[3:10] == [
            *(f"{number} line_{number} = {number}" for number in (7, 8, 9)),
            "▸ 10 line_10 = 10",
            *(f"{number} line_{number} = {number}" for number in (11, 12, 13)),
        ]
        assert lines[10].endswith("orders.py:3 in payment")
        assert lines[12] == "▸ 1 frame in libraries"
        assert app.view.location() == (str(source), 10)


async def test_where_it_happened_is_in_view_however_low_the_pane_is(source: Path) -> None:
    """Fewer lines lead to the one that failed where more would push it out of sight."""
    app = ErrorApp()
    async with app.run_test(size=(80, 5)) as pilot:
        run = failed_run(connection_error(source))
        app.view.show(run, run.steps[0])
        await pilot.pause()
        assert app.lines[-1] == "▸ 10 line_10 = 10"


async def test_folds_open_on_enter(source: Path) -> None:
    """Library frames and the raw traceback are one key away."""
    app = ErrorApp()
    async with app.run_test(size=(120, 40)) as pilot:
        run = failed_run(connection_error(source))
        app.view.show(run, run.steps[0])
        app.view.focus()
        app.view.select("libraries")
        await pilot.press("enter")
        assert "/usr/lib/http.py:9 in request" in app.lines
        await pilot.press("G", "enter")
        assert app.lines[-1] == "Traceback: all"
        await pilot.press("enter")
        assert app.lines[-1] == "▸ Traceback as Python prints it"
        assert app.view.copy_text() == "Traceback: all"


async def test_a_file_that_changed_does_not_show_the_wrong_line(source: Path) -> None:
    """The line as it was when it failed, and a word that the file is another now."""
    change(source)
    app = ErrorApp()
    async with app.run_test(size=(120, 40)) as pilot:
        run = failed_run(connection_error(source))
        app.view.show(run, run.steps[0])
        await pilot.pause()
        assert "▸ 10 line_10 = 10" in app.lines
        assert "the file has changed since" in app.lines
        assert not any("something" in line for line in app.lines)


async def test_an_error_without_frames_shows_what_there_is() -> None:
    """A trace of another writer has one line of text; long and multi-line messages wrap."""
    app = ErrorApp()
    async with app.run_test(size=(40, 20)) as pilot:
        message = "first " + "word " * 12 + "end\nsecond [bold]line[/bold] \x1b[2J"
        run = failed_run(ErrorInfo(type="Error", message=message))
        app.view.show(run, None)
        await pilot.pause()
        text = " ".join(app.lines)
        assert "word end second [bold]line[/bold]" in text
        assert "no more than this line" in text
        assert "\x1b" not in text
        assert app.view.location() is None


async def test_earlier_attempts_are_listed_with_their_waits(source: Path) -> None:
    """Each failed attempt with its own error, opened by enter."""
    app = ErrorApp()
    async with app.run_test(size=(120, 40)) as pilot:
        first = FailedAttempt(
            number=1,
            error=ErrorInfo(type="TimeoutError", message="slow"),
            timestamp=1,
            duration=30,
            delay=1000,
        )
        error = connection_error(source)
        run = failed_run(error)
        app.view.show(run, run.steps[0], [first, FailedAttempt(number=2, error=error, timestamp=2)])
        await pilot.pause()
        assert "▸ 1 30 ms TimeoutError: slow then waited 1.00 s" in app.lines


async def test_a_module_that_does_not_load_points_at_the_character(source: Path) -> None:
    """File, line, caret under the column, traceback behind a fold."""
    app = ErrorApp()
    async with app.run_test(size=(120, 40)) as pilot:
        problem = Problem(
            kind="SyntaxError",
            message="invalid syntax",
            file=str(source),
            line=2,
            column=8,
            code="line_2 = 2",
            traceback="Traceback of the import",
        )
        app.view.show_problem(problem)
        app.view.focus()
        await pilot.pause()
        assert app.lines[0] == "SyntaxError: invalid syntax"
        raw = [app.view.render_line(y).text for y in range(app.view.size.height)]
        at = next(y for y, line in enumerate(raw) if "▸" in line)
        assert raw[at + 1].index("^") == raw[at].index("line_2") + 7
        assert app.view.location() == (str(source), 2)
        assert app.view.copy_text() == "Traceback of the import"


async def test_empty_error_views_say_where_to_look() -> None:
    """No run; a step without an error in a run that has one."""
    app = ErrorApp()
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        assert app.lines[0].startswith("No run selected.")
        failed = failed_run(ErrorInfo(type="Error", message="x"))
        app.view.show(failed, StepView(name="fetch", status="completed"))
        await pilot.pause()
        assert app.lines == ["Step fetch has no error. The step that failed is payment."]


def test_failed_attempts_are_read_from_the_trace() -> None:
    """Retries and the final error, with durations counted from the start of each."""
    events = [
        TraceEvent(type="step:start", timestamp=10, step_name="pay"),
        TraceEvent(
            type="step:retry", timestamp=30, step_name="pay", error="TimeoutError: slow", meta={"delay": 5}
        ),
        TraceEvent(type="step:start", timestamp=35, step_name="other"),
        TraceEvent(type="step:start", timestamp=36, step_name="pay"),
        TraceEvent(type="step:error", timestamp=40, step_name="pay", error="ValueError: no", duration=3),
    ]
    first, second = failed_attempts(events, "pay")
    assert (first.number, first.error.type, first.duration, first.delay) == (1, "TimeoutError", 20, 5)
    assert (second.number, second.error.message, second.duration) == (2, "no", 3)
