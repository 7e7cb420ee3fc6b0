"""What the main screen consists of, and what of it is as it was left in an earlier session."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container
from textual.geometry import Size
from textual.widgets import Static

from flux_tui import looks
from flux_tui.model.layout import Mode
from flux_tui.model.layouts import AUTO
from flux_tui.panes import Shares, shares_from
from flux_tui.remembered import Remembered
from flux_tui.widgets.details import Details
from flux_tui.widgets.error_view import ErrorView
from flux_tui.widgets.footer import FooterLine
from flux_tui.widgets.graph import StepGraph
from flux_tui.widgets.header import HeaderLine
from flux_tui.widgets.pane import Pane
from flux_tui.widgets.runs import RunList, RunsPane
from flux_tui.widgets.search_pane import SearchPane
from flux_tui.widgets.splitter import PaneBody
from flux_tui.widgets.welcome import Welcome
from flux_tui.widgets.workflows import WorkflowList

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


def parts(screen: "MainScreen", now: Callable[[], float]) -> ComposeResult:
    """Yield the header, the panes and the footer. ``now`` is the moment that the graph shows."""
    desk, plain = screen.desk, screen.desk.settings.ascii
    runs = RunList(
        desk.runs,
        marks=screen.marks,
        now=desk.now,
        empty=lambda: looks.no_runs(desk),
        plain=plain,
        id="runs",
    )

    def keep(shares: Shares) -> None:
        desk.remembered.put("panes", shares.by_layout)

    yield HeaderLine()
    yield Static(id="banner", markup=False)
    with PaneBody(shares=shares_from(desk.remembered.get("panes", dict)), keep=keep, id="body"):
        with Container(id="lists"):
            with Pane(title="Workflows", id="workflows-pane"):
                yield WorkflowList(empty=lambda: looks.no_workflows(desk), plain=plain, id="workflows")
            yield RunsPane(runs, workflows=lambda: sorted(desk.counts), id="runs-pane")
        with Container(id="right"):
            with SearchPane(id="graph-pane"):
                yield StepGraph(mode=graph_mode(desk.remembered), ascii=plain, now=now, id="graph")
            yield Details(looks.views(desk), id="details")
            with SearchPane(title="Problem", id="problem-pane"):
                yield ErrorView(id="problem")
            with Pane(title="Start here", id="welcome-pane"):
                yield Welcome(looks.home_path(desk.project), id="welcome")
    yield FooterLine()


def size_classes(screen: "MainScreen", size: Size) -> list[str]:
    """Return the classes of the screen for a size, as its breakpoints give them when it gets that size."""
    sides = (size.width, screen.HORIZONTAL_BREAKPOINTS), (size.height, screen.VERTICAL_BREAKPOINTS)
    return [max(each for each in breakpoints if each[0] <= cells)[1] for cells, breakpoints in sides]


def graph_mode(remembered: Remembered) -> str:
    """Return how the graph was drawn last, if somebody chose that."""
    mode = (remembered.get("view", dict[str, str]) or {}).get("graph", AUTO)
    return mode if mode in (AUTO, *Mode) else AUTO


def keep_graph_mode(remembered: Remembered, mode: str) -> None:
    """Draw the graph so in later sessions too."""
    remembered.put("view", {"graph": str(mode)})
