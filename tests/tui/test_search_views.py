"""``/`` in the views: typed, found, counted, gone through with ``n`` and ``N``, and ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widget import Widget

from flux_engine.execution import Changes, ErrorInfo, Frame
from flux_engine.trace.events import TraceEvent
from flux_tui.model.run import GraphSpec, LogLine, NodeSpec, RunView, StepView
from flux_tui.widgets.data_view import DataView
from flux_tui.widgets.error_view import ErrorView
from flux_tui.widgets.event_view import EventView
from flux_tui.widgets.graph import StepGraph
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.log_view import LogView
from flux_tui.widgets.search_pane import SearchPane, searched_by
from flux_tui.widgets.source_view import SourceView

PAY = StepView(name="pay", status="completed", changes=Changes())


class SearchApp(App[None]):
    """A view in a pane; ``/`` searches it, as in the dashboard, and other keys are counted."""

    BINDINGS = [  # noqa: RUF012
        Binding("slash", "search"),
        Binding("n", "other('n')"),
        Binding("escape", "other('escape')"),
    ]

    def __init__(self, view: Widget) -> None:
        super().__init__()
        self.view = view
        self.pane = SearchPane(view, id="pane")
        self.others: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def action_search(self) -> None:
        found = searched_by(self.focused)
        assert found is not None
        found[0].begin_search(found[1])

    def action_other(self, key: str) -> None:
        self.others.append(key)

    @property
    def rows(self) -> LineList:
        view = self.view.tree_view if isinstance(self.view, DataView) else self.view
        assert isinstance(view, LineList)
        return view

    @property
    def line(self) -> str:
        """The line under the cursor."""
        rows = self.rows
        return rows.render_line(rows.cursor - rows.scroll_offset.y).text[1:].strip()

    @property
    def count(self) -> str:
        return str(self.pane.search_line.count.visual).partition("   ")[0]


async def until(condition: Callable[[], bool], pilot: Pilot[None]) -> None:
    """Wait until something holds, for as long as a slow machine takes."""
    async with asyncio.timeout(20):
        while not condition():
            await pilot.pause()


def log(number: int, text: str, step: str = "pay") -> LogLine:
    return LogLine(timestamp=1000.0 + number, step=step, attempt=1, stream="stdout", text=text)


def run_of(data: dict[str, Any]) -> RunView:
    fetch = StepView(name="fetch", status="completed", changes=Changes(set=data))
    return RunView(id="r1", workflow="order", input={"order_id": "o-1"}, steps=(fetch, PAY))


RUN = RunView(id="r1", workflow="order", steps=(PAY,), started_at=1000.0)


async def test_data_is_searched_while_it_is_typed() -> None:
    """What is closed opens for a match and closes again; esc keeps the place, and the keys are others'."""
    view = DataView()
    app = SearchApp(view)
    async with app.run_test(size=(100, 40)) as pilot:
        data = {"a": {"b": [{"needle": 1}, {"x": "a NEEDLE"}]}, "z": {"needs": 2}}
        view.show(run_of(data), PAY)
        view.focus()
        await pilot.press("slash", *"need")
        assert (app.count, view.selected_value()) == ("1/3", 1)
        await pilot.press("enter", "n")
        assert (app.count, view.selected_value()) == ("2/3", "a NEEDLE")
        await pilot.press("n")
        assert (app.count, view.selected_value()) == ("3/3", 2)
        assert view.tree_view.root.number(("data", "a", "b")) is None
        await pilot.press("n")
        assert (app.count, view.selected_value()) == ("1/3 · search wrapped", 1)
        await pilot.press("N")
        assert view.selected_value() == 2
        assert app.others == []
        await pilot.press("escape", "n", "escape")
        assert view.selected_value() == 2
        assert app.others == ["n", "escape"]


async def test_esc_while_typing_goes_back_to_where_it_began() -> None:
    """And a text that nothing contains says so, and leaves the cursor where it was."""
    view = DataView()
    app = SearchApp(view)
    async with app.run_test(size=(100, 40)) as pilot:
        view.show(run_of({"a": 1, "b": 2, "c": 3}), PAY)
        view.focus()
        await pilot.press("down", "slash", *"c")
        assert view.selected_value() == 3
        await pilot.press("x")
        assert (app.count, view.selected_value()) == ("no match", 1)
        await pilot.press("backspace", "escape")
        assert view.selected_value() == 1
        assert app.focused is view.tree_view
        assert not app.pane.has_class("-searching")
        await pilot.press("slash", "up")
        assert app.pane.search_line.text.value != "cx"


async def test_a_masked_value_is_not_found_until_it_is_shown() -> None:
    """Its key is found either way."""
    view = DataView()
    app = SearchApp(view)
    async with app.run_test(size=(100, 40)) as pilot:
        view.show(run_of({"api_token": "very_secret"}), PAY)
        view.focus()
        await pilot.press("slash", *"very_s", "enter")
        assert app.count == "no match"
        await pilot.press("x")
        await until(lambda: app.count == "1", pilot)
        await pilot.press("slash", *"token")
        assert app.count == "1/1"


async def test_a_hundred_thousand_log_lines_are_searched() -> None:
    """Lines that arrive meanwhile are counted too, and move nothing."""
    lines = [
        log(number, f"line {number}{' needle' if number % 1000 == 7 else ''}") for number in range(100_000)
    ]
    view = LogView()
    app = SearchApp(view)
    async with app.run_test(size=(80, 20)) as pilot:
        view.show(RUN, PAY, lines)
        view.focus()
        await pilot.press("g")
        await pilot.press("slash", *"needle")
        await until(lambda: app.count == "1/100", pilot)
        assert app.line.endswith("line 7 needle")
        await pilot.press("enter", "N")
        assert app.count == "100/100 · search wrapped"
        lines += [log(100_000, "one more needle"), log(100_001, "hay")]
        view.show(RUN, PAY, lines)
        await until(lambda: app.count.startswith("100/101"), pilot)
        assert "line 99007 needle" in app.line


async def test_a_match_beyond_the_end_of_a_log_line_unfolds_it() -> None:
    """Until the next match; what stands out in the line is the match, by more than its colour."""
    view = LogView()
    app = SearchApp(view)
    async with app.run_test(size=(60, 20)) as pilot:
        view.show(RUN, PAY, [log(1, "x" * 500 + " Needle " + "y" * 50), log(2, "a Needle"), log(3, "needle")])
        view.focus()
        await pilot.press("g", "slash", *"Needle", "enter")
        assert app.count == "1/2"
        assert app.line.endswith("Nee")
        assert view.row_count() > 10
        await pilot.press("n")
        assert view.row_count() == 3
        strip = view.render_line(view.cursor)
        found = next(segment for segment in strip if segment.text == "Needle")
        assert found.style is not None
        assert found.style.reverse
        assert not any(segment.style.reverse for segment in view.render_line(0) if segment.style)


async def test_events_are_searched_down_to_their_json() -> None:
    """An event is one match; where the text is only in its JSON, that is unfolded around it."""
    start = TraceEvent(type="workflow:start", timestamp=1000.0, workflow_id="r1", workflow_name="order")
    many = {f"key {number}": number for number in range(2000)}
    big = TraceEvent(
        type="step:complete",
        timestamp=1001.0,
        workflow_id="r1",
        workflow_name="order",
        step_name="pay",
        input=many,
    )
    secret = TraceEvent(
        type="step:log",
        timestamp=1002.0,
        workflow_id="r1",
        workflow_name="order",
        input={"password": "hunter2"},
    )
    view = EventView()
    app = SearchApp(view)
    async with app.run_test(size=(100, 20)) as pilot:
        view.show(RUN, [start, big, secret])
        view.focus()
        await pilot.press("g", "slash", *"key 1999", "enter")
        await until(lambda: app.count == "1/1", pilot)
        assert "key 1999" in app.line
        await pilot.press("slash", *"hunter", "enter")
        assert app.count == "no match"
        await pilot.press("slash", *"order", "enter")
        await until(lambda: app.count.endswith("/3"), pilot)


async def test_a_traceback_is_searched_where_it_is_folded() -> None:
    """The fold opens for the match and closes when the search leaves it."""
    text = (
        "Traceback:\n"
        + "".join(f'  File "lib.py", line {number}\n' for number in range(300))
        + "ValueError: x"
    )
    frames = (Frame(file="/shop/orders.py", line=3, function="pay", code="charge()"),)
    error = ErrorInfo(type="ValueError", message="too small", frames=frames, text=text)
    view = ErrorView()
    app = SearchApp(view)
    async with app.run_test(size=(80, 20)) as pilot:
        view.show(RUN, StepView(name="pay", status="failed", error=error))
        view.focus()
        await pilot.press("slash", *"line 217", "enter")
        assert app.count == "1/1"
        assert app.line.endswith("line 217")
        await pilot.press("slash", *"too small", "enter")
        assert app.line == "ValueError: too small"
        assert view.row_count() < 20


async def test_source_is_searched(tmp_path: Path) -> None:
    """By its lines, with their numbers."""
    path = tmp_path / "orders.py"
    path.write_text("def pay(ctx):\n" + "".join(f"    charge({number})\n" for number in range(50)))
    node = NodeSpec(name="pay", source={"file": str(path), "line": 1, "end_line": 51})
    view = SourceView()
    app = SearchApp(view)
    async with app.run_test(size=(80, 20)) as pilot:
        view.show(RUN, PAY, node)
        view.focus()
        await pilot.press("slash", *"charge(4", "enter")
        assert app.count == "1/11"
        assert view.location() == (str(path), 6)


async def test_steps_are_found_in_the_graph_by_name() -> None:
    """The step is selected, as the arrow keys do; another graph is searched anew."""
    graph = StepGraph(spec=GraphSpec(nodes=tuple(NodeSpec(name=f"step-{n}", index=n) for n in range(200))))
    app = SearchApp(graph)
    async with app.run_test(size=(80, 30)) as pilot:
        graph.focus()
        await pilot.press("slash", *"step-19", "enter")
        assert (app.count, graph.selected) == ("1/11", "step-19")
        await pilot.press("n", "n")
        assert graph.selected == "step-191"
        graph.spec = GraphSpec(nodes=(NodeSpec(name="step-19"), NodeSpec(name="other", index=1)))
        await pilot.press("N")
        assert graph.selected == "step-19"
        assert app.count.startswith("1/1")
