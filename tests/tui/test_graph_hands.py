"""The step graph under the hands of a user: panned, dragged, clicked, shown in other ways, and marked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count, pairwise

import pytest
from msgspec.structs import replace
from textual.app import App
from textual.events import Click, MouseScrollDown
from textual.pilot import Pilot

from flux_tui.model.layout import Mode
from flux_tui.model.overview import Aid
from flux_tui.model.run import GraphSpec, NodeSpec, RunView, StepView, WaitView
from flux_tui.widgets.graph import StepGraph

NOW = 1_700_000_000_000.0
MINUTE = 60_000.0


def run_of(names, edges, statuses=None, **run):
    """Return a run; every third step is a commit, and every second can be taken back."""
    said = statuses or {}
    graph = GraphSpec(
        nodes=tuple(
            NodeSpec(name=name, index=index, commit=index % 3 == 2, compensates=index % 2 == 1)
            for index, name in enumerate(names)
        ),
        edges=tuple(edges),
    )
    steps = tuple(
        replace(said.get(name, StepView(name=name)), name=name, index=index)
        for index, name in enumerate(names)
    )
    return RunView(id="r", workflow="w", status=run.pop("status", "running"), graph=graph, steps=steps, **run)


def chain(count, statuses=None, **run):
    """Return a run of steps in a row."""
    names = [f"step-{number}" for number in range(count)]
    return run_of(names, pairwise(names), statuses, **run)


def fan(count, **run):
    """Return a run with branches between two steps."""
    names = [f"branch-{number}" for number in range(count)]
    return run_of(
        ["in", *names, "out"], [edge for name in names for edge in (("in", name), (name, "out"))], **run
    )


class GraphApp(App[None]):
    """A screen with a graph, and a record of what it announced."""

    CSS = "StepGraph { height: 1fr; }"

    def __init__(self, graph):
        super().__init__()
        self.step_graph = graph
        self.announced = []

    def compose(self):
        yield self.step_graph

    def on_step_graph_selected(self, message):
        self.announced.append(("selected", message.step))

    def on_step_graph_chosen(self, message):
        self.announced.append(("clicked twice" if message.clicked else "chosen", message.step))

    def on_pan_view_panned(self):
        self.announced.append(("panned", ""))


@asynccontextmanager
async def opened(run, size, **options) -> AsyncIterator[tuple[Pilot[None], StepGraph]]:
    """Open a graph on a screen of some size."""
    graph = StepGraph(run, **options)
    async with GraphApp(graph).run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot, graph


def text_of(graph: StepGraph) -> str:
    """Return what is visible of a graph as text."""
    return "\n".join(graph.render_line(y).text.rstrip() for y in range(graph.size.height))


async def test_the_view_is_panned_with_keys_and_comes_back_to_the_selected_step():
    """Shift and an arrow move the view and nothing else; a walk brings the selected step into view again."""
    async with opened(chain(30), (80, 6)) as (pilot, graph):
        graph.selected = "step-0"
        await pilot.press("shift+right", "pagedown")
        await pilot.pause()
        assert graph.scroll_offset.x > 70
        assert graph.selected == "step-0"
        assert {kind for kind, _ in graph.app.announced} == {"panned"}
        panned = graph.scroll_offset
        graph.run = replace(
            graph.run, steps=(StepView(name="step-0", status="running"), *graph.run.steps[1:])
        )
        await pilot.pause()
        assert graph.scroll_offset == panned
        await pilot.resize_terminal(80, 12)
        await pilot.pause()
        assert graph.aid is Aid.BELOW
        assert graph.scroll_offset == panned
        await pilot.press("right")
        await pilot.pause()
        assert "┃ ○ step-1" in text_of(graph)


async def test_the_wheel_moves_the_view_the_way_there_is():
    """Down where there is more below, sideways with shift, and sideways where there is no other way."""
    async with opened(chain(30), (80, 6)) as (pilot, graph):
        await pilot._post_mouse_events([MouseScrollDown], StepGraph, (5, 2))
        await pilot.pause()
        assert (graph.scroll_offset.x > 0, graph.scroll_offset.y) == (True, 0)
    async with opened(fan(30), (80, 20), mode="boxes") as (pilot, graph):
        await pilot._post_mouse_events([MouseScrollDown], StepGraph, (5, 2))
        await pilot.pause()
        assert (graph.scroll_offset.x, graph.scroll_offset.y > 0) == (0, True)


async def test_the_view_is_dragged_with_the_mouse():
    """What is under the mouse stays under it, and letting go selects nothing."""
    async with opened(chain(30), (80, 6)) as (pilot, graph):
        await pilot.mouse_down(StepGraph, offset=(60, 2))
        await pilot.hover(StepGraph, offset=(20, 2))
        await pilot.mouse_up(StepGraph, offset=(20, 2))
        await pilot._post_mouse_events([Click], StepGraph, (20, 2), button=1)
        await pilot.pause()
        assert graph.scroll_offset.x == 40
        assert {kind for kind, _ in graph.app.announced} == {"panned"}
        await pilot.click(StepGraph, offset=(20, 2))
        assert graph.app.announced[-1] == ("selected", "step-3")


async def test_enter_and_two_clicks_ask_for_the_details():
    """Both name the step; a click twice selects it first."""
    async with opened(chain(3), (80, 6)) as (pilot, graph):
        await pilot.click(StepGraph, offset=(25, 1), times=2)
        await pilot.press("enter")
        assert graph.app.announced == [
            ("selected", "step-1"),
            ("clicked twice", "step-1"),
            ("chosen", "step-1"),
        ]


async def test_a_click_on_the_map_brings_its_place_into_view():
    """The map stands below the graph, marks what is in view, and leads there."""
    async with opened(chain(60), (80, 12)) as (pilot, graph):
        assert graph.aid is Aid.BELOW
        assert "━" in text_of(graph).split("\n")[-1]
        await pilot.click(StepGraph, offset=(77, 10))
        await pilot.pause()
        assert "step-59" in text_of(graph)
        assert graph.app.announced == [("panned", "")]


async def test_the_views_take_turns_and_keep_the_selected_step_in_view():
    """Boxes, compact lines, list, boxes; each is announced by how it looks."""
    async with opened(chain(40), (80, 9)) as (pilot, graph):
        graph.selected = "step-20"
        seen = []
        for _ in range(4):
            seen.append(graph.shown_mode)
            await pilot.pause()
            assert "step-20" in text_of(graph).split("\n")[0 if graph.shown_mode is Mode.COMPACT else 1] + (
                text_of(graph) if graph.shown_mode is Mode.LIST else ""
            )
            graph.next_view()
        assert seen == [Mode.BOXES, Mode.COMPACT, Mode.LIST, Mode.BOXES]


@pytest.mark.parametrize("mode", list(Mode))
async def test_breakpoints_and_the_place_where_a_run_is_paused_are_marked(mode):
    """The marks come and go without moving a step."""
    run = chain(3, {"step-0": StepView(name="step-0", status="completed")}, status="paused")
    async with opened(run, (90, 6), mode=mode) as (_, graph):
        before = graph.geometry
        assert "●" not in text_of(graph)
        graph.breakpoints = frozenset({"step-2"})
        assert text_of(graph).count("●") == 1
        assert "⏸" in text_of(graph)
        assert mode is Mode.COMPACT or "paused" in text_of(graph)
        assert graph.geometry is before
        graph.breakpoints = frozenset()
        assert "●" not in text_of(graph)


async def test_what_a_step_waits_for_is_kept_true_while_time_passes():
    """The words change when the clock does."""
    now, ticks = NOW, count()
    wait = WaitView(signal="go", until=NOW + 3 * MINUTE + 50)
    run = chain(
        2, {"step-0": StepView(name="step-0", status="suspended", waits_for=wait)}, status="suspended"
    )
    async with opened(run, (60, 6), now=lambda: now + next(ticks) / 1000) as (pilot, graph):
        assert "3 min left" in text_of(graph)
        now = NOW + 61_000
        for _ in range(1500):
            if "119 s left" in text_of(graph):
                break
            await pilot.pause(0.02)
        assert "119 s left" in text_of(graph)


@pytest.mark.parametrize("size", [(56, 4), (76, 8), (116, 14), (196, 40)])
async def test_without_unicode_nothing_but_names_has_other_characters(size):
    """Every view, mark, map and line has an ASCII form; every row fits, and what is cut says so."""
    statuses = {
        "in": StepView(name="in", status="completed", duration=12.0, compensation="failed"),
        "branch-0": StepView(
            name="branch-0", status="suspended", waits_for=WaitView(signal="s", until=NOW + MINUTE)
        ),
        "branch-1": StepView(name="branch-1", status="skipped", reason="when false"),
        "branch-2": StepView(name="branch-2", status="compensated"),
        "branch-3": StepView(name="branch-3", status="completed", compensation="running"),
        "branch-4": StepView(name="branch-4", status="suspended", waits_for=WaitView(in_doubt=True)),
    }
    run = replace(fan(24), steps=fan(24).steps, status="paused")
    run = replace(run, steps=tuple(statuses.get(step.name, step) for step in run.steps))
    async with opened(run, size, ascii=True, now=lambda: NOW) as (pilot, graph):
        graph.breakpoints = frozenset({"branch-0", "out"})
        for name in ("in", "branch-12", "out"):
            graph.selected = name
            for mode in Mode:
                graph.mode = mode
                await pilot.pause()
                text = text_of(graph)
                assert text.isascii()
                assert all(len(line) <= graph.size.width for line in text.split("\n"))
                assert name in text
