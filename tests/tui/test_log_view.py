"""The Logs, Events and Source tabs."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App, ComposeResult

from flux_engine.execution import ErrorInfo, Frame
from flux_engine.trace.events import TraceEvent
from flux_tui.model.folds import Folds
from flux_tui.model.run import LogLine, NodeSpec, RunView, StepView
from flux_tui.widgets.event_view import EventView
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.log_view import LogView
from flux_tui.widgets.source_view import SourceView

FETCH, PAY = StepView(name="fetch"), StepView(name="pay", index=1)
RUN = RunView(id="r1", workflow="order", steps=(FETCH, PAY), started_at=1000.0)


class ViewApp(App[None]):
    def __init__(self, view: LineList) -> None:
        super().__init__()
        self.view = view

    def compose(self) -> ComposeResult:
        yield self.view

    @property
    def lines(self) -> list[str]:
        lines = [self.view.render_line(y).text[1:].rstrip() for y in range(self.view.size.height)]
        return [" ".join(line.split()) for line in lines if line.strip()]


def log_line(number: int, step: str, text: str = "", stream: str = "stdout") -> LogLine:
    """Return a line printed so many milliseconds after the start."""
    return LogLine(
        timestamp=1000.0 + number, step=step, attempt=1, stream=stream, text=text or f"line {number}"
    )


async def test_logs_show_the_selected_step_or_the_whole_run() -> None:
    """Time since the start, level as sign and word, text; ``a`` adds the other steps with their names."""
    lines = [log_line(1, "fetch"), log_line(250, "pay", "careful", "warning"), log_line(251, "fetch")]
    view = LogView()
    app = ViewApp(view)
    async with app.run_test(size=(80, 20)) as pilot:
        view.show(RUN, PAY, lines)
        view.focus()
        await pilot.pause()
        assert app.lines == ["+0.250 ▲ warn careful"]
        await pilot.press("a")
        assert app.lines == [
            "+0.001 fetch │ out line 1",
            "+0.250 pay ▲ warn careful",
            "+0.251 fetch │ out line 251",
        ]
        await pilot.press("a")
        assert app.lines == ["+0.250 ▲ warn careful"]


async def test_logs_follow_their_end_until_an_upward_move() -> None:
    """Lines that arrive later are counted, not scrolled to."""
    lines = [log_line(number, "pay") for number in range(50)]
    view = LogView()
    app = ViewApp(view)
    async with app.run_test(size=(80, 10)) as pilot:
        view.show(RUN, PAY, lines)
        view.focus()
        lines += [log_line(number, "pay") for number in range(50, 60)]
        view.show(RUN, PAY, lines)
        await pilot.pause()
        assert app.lines[-1].endswith("line 59")
        await pilot.press("up")
        lines += [log_line(number, "pay") for number in range(60, 63)]
        view.show(RUN, PAY, lines)
        await pilot.pause()
        assert app.lines[-1].endswith("+3 new")
        assert view.copy_text() == "line 58"


async def test_a_long_log_line_unfolds() -> None:
    """What does not fit is one key away, and goes back with the same key."""
    text = "".join(f"{number:04}" for number in range(60))
    view = LogView()
    app = ViewApp(view)
    async with app.run_test(size=(80, 20)) as pilot:
        view.show(RUN, PAY, [log_line(1, "pay", text), log_line(2, "pay")])
        view.focus()
        await pilot.press("home")
        assert app.lines[0].endswith("…")
        await pilot.press("enter")
        assert "".join(app.lines[1:-1]) == text
        assert app.lines[-1].endswith("line 2")
        await pilot.press("enter")
        assert len(app.lines) == 2


async def test_what_is_unfolded_stays_so_when_lines_arrive() -> None:
    """Also when the lines come as other objects of the same value."""
    view = LogView()
    app = ViewApp(view)
    async with app.run_test(size=(60, 20)) as pilot:
        view.show(RUN, PAY, [log_line(1, "pay", "x" * 100)])
        view.focus()
        await pilot.press("enter")
        unfolded = len(app.lines)
        assert unfolded > 2
        view.show(RUN, PAY, [log_line(1, "pay", "x" * 100), log_line(2, "pay")])
        await pilot.pause()
        assert len(app.lines) == unfolded + 1


async def test_hostile_log_lines_stay_on_their_line() -> None:
    """Escapes and markup of what a handler prints are text."""
    view = LogView()
    app = ViewApp(view)
    async with app.run_test(size=(60, 10)) as pilot:
        texts = ["\x1b[2J\x1b[H gone", "[red]no[/red]", "\r\rback\x08", "\u202eabc", "漢" * 500]
        view.show(RUN, PAY, [log_line(at, "pay", text, "od[d]\x00") for at, text in enumerate(texts)])
        await pilot.pause()
        for y in range(len(texts)):
            strip = view.render_line(y)
            assert strip.cell_length == 60
            assert not any(ord(character) < 32 for character in strip.text)


async def test_empty_logs_say_why() -> None:
    """A silent step in a run that printed points to the whole run."""
    view = LogView()
    app = ViewApp(view)
    async with app.run_test(size=(90, 10)) as pilot:
        view.show(RUN, PAY, [log_line(1, "fetch")])
        await pilot.pause()
        assert app.lines == ["Step pay printed nothing. Press a to see the whole run."]


async def test_events_unfold_into_their_json_with_secrets_masked() -> None:
    """Time, sign, type, step and summary; ``enter`` shows the JSON; unreadable lines are counted on top."""
    events = [
        TraceEvent(type="workflow:start", timestamp=1000, input={"api_key": "sk_live"}),
        TraceEvent(type="step:start", timestamp=1001, step_name="pay"),
        TraceEvent(
            type="step:retry",
            timestamp=1100,
            step_name="pay",
            error="TimeoutError: slow",
            meta={"delay": 500},
        ),
        TraceEvent(type="made:up", timestamp=1101),
    ]
    view = EventView()
    app = ViewApp(view)
    async with app.run_test(size=(100, 30)) as pilot:
        view.show(RUN, events, bad_lines=2)
        view.focus()
        await pilot.pause()
        assert app.lines[0].startswith("! 2 lines were left out")
        assert app.lines[3] == "+0.100 ↻ step:retry pay TimeoutError: slow next try in 500 ms"
        assert app.lines[4] == "+0.101 ◇ made:up"
        await pilot.press("home", "down", "enter")
        assert '"type": "workflow:start",' in app.lines
        assert "sk_live" not in "\n".join(app.lines)
        assert "sk_live" not in view.copy_text()
        await pilot.press("enter")
        assert len(app.lines) == 5


HANDLER = """\
async def pay(ctx):
    order = ctx.data.order
    text = '''
    [bold]not markup[/bold]
    '''
    raise ValueError(text)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A module with a handler from its third line on."""
    path = tmp_path / "orders.py"
    path.write_text(f"import os\n\n{HANDLER}\n\nafter = 1\n")
    return path


def node_of(file: Path, fingerprint: str = "f1") -> NodeSpec:
    """Return the step that the handler is for."""
    return NodeSpec(name="pay", fingerprint=fingerprint, source={"file": str(file), "line": 3, "end_line": 8})


def failed_step(file: Path) -> StepView:
    """Return the step, failed in the handler's last line."""
    frame = Frame(file=str(file), line=8, function="pay")
    error = ErrorInfo(type="ValueError", message="x", frames=(frame,))
    return StepView(name="pay", status="failed", fingerprint="f1", error=error)


async def test_source_marks_the_line_that_failed(file: Path) -> None:
    """The handler's lines alone, numbered as in the file, with the cursor where it failed."""
    view = SourceView()
    app = ViewApp(view)
    async with app.run_test(size=(100, 20)) as pilot:
        view.show(RUN, failed_step(file), node_of(file))
        await pilot.pause()
        assert app.lines[0].endswith("orders.py:3")
        assert app.lines[1] == "3 async def pay(ctx):"
        assert app.lines[-1] == "▸ 8 raise ValueError(text)"
        assert "6 [bold]not markup[/bold]" in app.lines
        assert view.location() == (str(file), 8)
        assert view.copy_text() == HANDLER.rstrip()


async def test_source_says_that_the_code_changed_since_the_run(file: Path) -> None:
    """Then the line that failed is not marked: it may be another one now."""
    view = SourceView()
    app = ViewApp(view)
    async with app.run_test(size=(100, 20)) as pilot:
        view.show(RUN, failed_step(file), node_of(file, fingerprint="f2"))
        await pilot.pause()
        assert "changed since this run" in app.lines[0]
        assert not any(line.startswith("▸") for line in app.lines)


async def test_source_of_a_file_that_is_gone(tmp_path: Path) -> None:
    """It says so, and where the file was."""
    view = SourceView()
    app = ViewApp(view)
    async with app.run_test(size=(140, 20)) as pilot:
        view.show(RUN, PAY, node_of(tmp_path / "gone.py"))
        await pilot.pause()
        assert "is gone or cannot be read" in app.lines[1]
        view.show(RUN, PAY, None)
        await pilot.pause()
        assert app.lines[0].startswith("The source of this step is not known")


def test_folds_agree_on_rows_and_items() -> None:
    """Every row belongs to one item, in order, whichever items are open."""
    folds: Folds[str] = Folds()
    folds.toggle(2, ["a", "b"])
    folds.toggle(0, ["c"])
    rows = [folds.locate(row) for row in range(5 + folds.extra)]
    assert rows == [(0, None), (0, "c"), (1, None), (2, None), (2, "a"), (2, "b"), (3, None), (4, None)]
    assert [folds.row(item) for item in range(5)] == [0, 2, 3, 6, 7]
    folds.toggle(0, [])
    assert folds.locate(0) == (0, None)
    assert folds.locate(1) == (1, None)
