"""The step graph on a screen: walking, selecting, panning, and a run going live in it."""

from textual.app import App

from flux_engine.execution import ErrorInfo
from flux_tui.model.crumbs import BACK, FORWARD
from flux_tui.model.overview import Aid
from flux_tui.model.run import GraphSpec, NodeSpec, RunView, StepView
from flux_tui.widgets.graph import StepGraph

NOW = 1_700_000_000_000.0

BRANCHES = GraphSpec(
    nodes=tuple(
        NodeSpec(name=name, index=number, commit=name == "report")
        for number, name in enumerate(("receive", "email", "slack", "hook", "report"))
    ),
    edges=(
        *(("receive", name) for name in ("email", "slack", "hook")),
        *((name, "report") for name in ("email", "slack", "hook")),
    ),
)
CHAIN = GraphSpec(
    nodes=tuple(NodeSpec(name=f"step-{number}", index=number) for number in range(9)),
    edges=tuple((f"step-{number}", f"step-{number + 1}") for number in range(8)),
)


def run_of(spec, **statuses):
    """Return a run of a graph in which the named steps have a status and the others are pending."""
    steps = []
    for node in spec.nodes:
        status = statuses.get(node.name.replace("-", "_"), "pending")
        steps.append(
            StepView(
                name=node.name,
                index=node.index,
                status=status,
                started_at=None if status in ("pending", "skipped") else NOW - 1500,
                duration=12.0 if status in ("completed", "failed") else None,
                tries=1,
                max_tries=1,
                reason="not wanted at all" if status == "skipped" else None,
                error=ErrorInfo(type="ValueError", message="no") if status == "failed" else None,
            )
        )
    return RunView(id="r1", workflow="w", graph=spec, steps=tuple(steps))


class GraphApp(App[None]):
    """A screen with a graph, and a record of what it announced."""

    CSS = "StepGraph { height: 1fr; }"

    def __init__(self, run=None, **options):
        super().__init__()
        self.step_graph = StepGraph(run, **options)
        self.announced: list[str] = []

    def compose(self):
        yield self.step_graph

    def on_step_graph_selected(self, message: StepGraph.Selected) -> None:
        self.announced.append(message.step)


def text_of(graph: StepGraph) -> str:
    """Return what is visible of a graph as text."""
    return "\n".join(graph.render_line(y).text.rstrip() for y in range(graph.size.height))


def places(graph: StepGraph) -> dict[str, tuple[int, int]]:
    """Return where on the screen each visible name stands."""
    lines = text_of(graph).split("\n")
    return {
        box.label: (lines[y].index(box.label), y)
        for box in graph.geometry.boxes
        for y in range(len(lines))
        if f" {box.label}" in lines[y]
    }


async def test_arrows_and_letters_walk_the_steps():
    """Arrows and hjkl lead along the lines, home and end to the first and the last step."""
    app = GraphApp(run_of(BRANCHES))
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.press("right", "right", "up", "j", "l", "h", "home", "end")
        assert app.announced == ["receive", "slack", "email", "slack", "report", "slack", "receive", "report"]
        assert app.step_graph.selected == "report"


async def test_the_first_key_goes_to_the_failed_step():
    """Without a selection, the step that matters most is selected first."""
    app = GraphApp(run_of(BRANCHES, receive="completed", hook="failed"))
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.press("left")
        assert app.announced == ["hook"]


async def test_the_application_selects_without_an_announcement():
    """Only what the user selects is announced."""
    app = GraphApp(run_of(BRANCHES))
    async with app.run_test(size=(100, 20)) as pilot:
        app.step_graph.selected = "email"
        await pilot.pause()
        assert app.announced == []
        assert "┏" in text_of(app.step_graph)


async def test_a_click_selects_the_step_under_it():
    """A click anywhere in a box selects its step; beside the boxes it selects nothing."""
    app = GraphApp(run_of(BRANCHES))
    async with app.run_test(size=(100, 20)) as pilot:
        x, y = places(app.step_graph)["hook"]
        await pilot.click(StepGraph, offset=(x + 1, y))
        await pilot.click(StepGraph, offset=(1, 18))
        assert app.announced == ["hook"]


async def test_nothing_moves_while_a_run_goes_live():
    """Names stand where they stood, whatever happens to the run; the selection stays as well."""
    app = GraphApp(spec=BRANCHES)
    async with app.run_test(size=(100, 20)) as pilot:
        graph = app.step_graph
        before = places(graph)
        assert set(before) == {"receive", "email", "slack", "hook", "report"}
        graph.selected = "slack"
        for statuses in (
            {"receive": "running"},
            {"receive": "completed", "email": "running", "slack": "skipped"},
            {"receive": "completed", "email": "completed", "slack": "skipped", "hook": "failed"},
            {"receive": "completed", "email": "interrupted", "slack": "suspended", "hook": "cancelled"},
        ):
            graph.run = run_of(BRANCHES, **statuses)
            graph.tick(NOW)
            await pilot.pause()
            assert places(graph) == before
            assert graph.selected == "slack"


async def test_each_status_has_a_glyph_and_words_of_its_own():
    """Status can be read without colour; a reason that does not fit is left to the list."""
    app = GraphApp(run_of(BRANCHES, receive="completed", email="failed", slack="skipped", hook="running"))
    async with app.run_test(size=(100, 20)) as pilot:
        app.step_graph.tick(NOW)
        await pilot.pause()
        text = text_of(app.step_graph)
        for shown in (
            "✔ receive",
            "✖ email",
            "⊘ slack",
            "○ report",
            "12 ms",
            "skipped",
            "1.5 s",
            "◆ commit",
        ):
            assert shown in text
        app.step_graph.ascii = True
        text = text_of(app.step_graph)
        assert "v receive" in text
        assert text.isascii()


async def test_only_a_running_step_is_animated():
    """The clock has something to do only while a step runs or waits, and then touches that step alone."""
    app = GraphApp(run_of(BRANCHES, receive="completed", email="running"))
    async with app.run_test(size=(100, 20)) as pilot:
        graph = app.step_graph
        graph.tick(NOW)
        before = text_of(graph).split("\n")
        graph.tick(NOW + 1000)
        await pilot.pause()
        after = text_of(graph).split("\n")
        changed = [
            number for number, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]
        ]
        assert graph.animated
        assert set(changed) <= {1, 2}
        assert "2.5 s" in after[2]
        graph.run = run_of(BRANCHES, receive="completed", email="completed")
        assert not graph.animated
        assert "12 ms" in text_of(graph).split("\n")[2]


async def test_a_path_that_was_taken_is_drawn_differently():
    """The line into a step that ran has another style than the line into one that was skipped."""
    app = GraphApp(run_of(BRANCHES, receive="completed", email="completed", hook="skipped"))
    async with app.run_test(size=(100, 20)):
        graph = app.step_graph
        heads = {}
        for y in range(graph.size.height):
            for segment in graph.render_line(y):
                if "▶" in segment.text:
                    heads[y] = segment.style.color
        taken, plain, skipped = (heads[graph.geometry.box(name).row] for name in ("email", "slack", "hook"))
        assert len({taken, plain, skipped}) == 3


async def test_a_wide_graph_says_what_lies_beyond_its_edges():
    """A line counts the hidden steps and names those at hand; the selected step is brought into view."""
    app = GraphApp(run_of(CHAIN))
    async with app.run_test(size=(100, 6)) as pilot:
        graph = app.step_graph
        assert graph.aid is Aid.LINE
        assert text_of(graph).endswith(f"4 more {FORWARD}")
        assert BACK not in text_of(graph)
        await pilot.press("end")
        await pilot.pause()
        assert "┃ ○ step-8" in text_of(graph)
        last = text_of(graph).split("\n")[-1]
        assert last.startswith(f"{BACK} 4 more")
        assert f"step-7 {FORWARD} step-8" in last
        assert not last.endswith(FORWARD)
        graph.selected = "step-1"
        await pilot.pause()
        assert "┃ ○ step-1" in text_of(graph)


async def test_a_low_pane_shows_compact_lines_and_v_a_list():
    """Where boxes do not fit in height each step takes one row; a list says everything in words."""
    app = GraphApp(run_of(BRANCHES, receive="failed"))
    async with app.run_test(size=(100, 4)) as pilot:
        assert "✖ receive ─┼─▶" in text_of(app.step_graph)
        app.step_graph.selected = "slack"
        assert "[○ slack]" in text_of(app.step_graph)
        app.step_graph.mode = "list"
        await pilot.resize_terminal(100, 10)
        await pilot.pause()
        first, *_, last = text_of(app.step_graph).strip("\n").split("\n")
        assert "ValueError: no" in first
        assert "failed" in first
        assert "commit" in last
        assert any(
            line.startswith((" ▸", "▸")) and "slack" in line for line in text_of(app.step_graph).split("\n")
        )


async def test_markup_in_names_and_reasons_is_only_text():
    """What comes from data is drawn as it is, without styles and without control characters."""
    spec = GraphSpec(nodes=(NodeSpec(name="[bold]x[/]"), NodeSpec(name="a\x1b[31m\nb")), edges=())
    app = GraphApp(run_of(spec))
    async with app.run_test(size=(100, 20)):
        text = text_of(app.step_graph)
        assert "[bold]x[/]" in text
        assert "a␊b" in text


async def test_no_steps_are_said_to_be_none():
    """Before there is anything to draw the graph says so."""
    app = GraphApp()
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("right", "home", "end")
        assert "No steps" in text_of(app.step_graph)
        assert app.announced == []
