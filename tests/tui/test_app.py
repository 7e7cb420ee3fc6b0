"""The dashboard as its user meets it: what is selected, what moves, what is said."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_desk import FakeDesk, completed, described, module, started, step_events
from textual.pilot import Pilot

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.execution import RepeatedCommit, RetryPlan
from flux_tui import at_hand
from flux_tui.address import StoreAddress
from flux_tui.app import FluxApp
from flux_tui.desk import Desk
from flux_tui.model.definitions import Definitions
from flux_tui.news import Blockage, DeskState, news
from flux_tui.runner.messages import Problem
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.help import HelpScreen
from flux_tui.screens.main import MainScreen
from flux_tui.screens.retry import RetryScreen
from flux_tui.screens.trigger import TriggerScreen
from flux_tui.settings import Settings
from flux_tui.widgets.details import TabBar
from flux_tui.widgets.footer import FooterLine

PARCEL = described("parcel", "pick", "pack", "ship", commit="ship")
LETTER = described("letter", "write", "send")
SYNTAX_ERROR = Problem(
    kind="SyntaxError", message="invalid syntax", file="/shop/post.py", line=12, column=5, code="def x(:"
)


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"never came: {what}")


def screen_of(pilot: Pilot[int]) -> MainScreen:
    """Return the one screen of the dashboard."""
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


def said(pilot: Pilot[int]) -> str:
    """Return all that the user was told."""
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


class Opened:
    """The dashboard on a fake desk with two modules loaded."""

    def __init__(self, size: tuple[int, int] = (120, 36), **options: Any) -> None:
        self.desk = FakeDesk(**options)
        self._running = FluxApp(self.desk).run_test(size=size, notifications=True)

    async def __aenter__(self) -> tuple[FakeDesk, Pilot[int]]:
        pilot = await self._running.__aenter__()
        self.desk.load(module("parcel.py", PARCEL), module("post.py", LETTER))
        await pilot.pause()
        return self.desk, pilot

    async def __aexit__(self, *error: object) -> None:
        await self._running.__aexit__(*error)


async def test_the_first_workflow_is_selected_and_shown_before_it_ever_ran() -> None:
    """Its graph is there, all steps pending, and the title says so."""
    async with Opened() as (_, pilot):
        screen = screen_of(pilot)
        assert screen.selection.workflow == "parcel"
        assert [box.name for box in screen.graph.geometry.boxes] == ["pick", "pack", "ship"]
        assert "not run yet" in screen.graph_pane.title.plain


async def test_a_highlighted_run_is_shown_at_once() -> None:
    """The graph follows the cursor of the list of runs."""
    async with Opened() as (desk, pilot):
        for run_id, workflow in (("aaa", PARCEL), ("bbb", LETTER)):
            start = started(run_id, workflow, ago=20 if run_id == "aaa" else 10)
            names = [step["name"] for step in workflow["steps"]]
            desk.trace(start, *step_events(start, names), completed(start))
        await pilot.press("2", "j")
        screen = screen_of(pilot)
        assert screen.selection.run == "aaa"
        await pilot.press("k")
        assert (screen.selection.run, screen.selection.workflow) == ("bbb", "letter")
        assert "letter  bbb" in screen.graph_pane.title.plain


async def test_new_runs_never_move_the_selection() -> None:
    """Whatever starts elsewhere, what is looked at stays."""
    async with Opened() as (desk, pilot):
        first = started("aaa", PARCEL)
        desk.trace(first, *step_events(first, ["pick"]))
        await pilot.press("2")
        await pilot.press("j")
        await pilot.press("k")
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        for number in range(30):
            desk.trace(started(f"new-{number}", LETTER, ago=1 - number / 100))
        await pilot.pause()
        assert screen.selection.run == "aaa"
        assert screen.runs.cursor_key == "aaa"


async def test_a_run_started_here_is_followed_to_its_error() -> None:
    """The form starts it, the graph follows it, and the Error tab opens on the step that failed."""
    async with Opened() as (desk, pilot):
        await pilot.press("r")
        await until(lambda: isinstance(pilot.app.screen, TriggerScreen), "the form")
        await pilot.press("ctrl+s")
        await until(lambda: desk.asked, "the request")
        assert desk.asked == [("run", "parcel", {})]
        screen = screen_of(pilot)
        await until(lambda: screen.selection.run == "run-new", "the run is selected")
        start = started("run-new", PARCEL, ago=1)
        desk.trace(start, *step_events(start, ["pick"]))
        await pilot.pause()
        desk.trace(*step_events(start, ["pick", "pack"], fails="pack")[2:])
        await pilot.pause()
        assert (screen.selection.step, screen.selection.tab) == ("pack", "error")
        assert screen.focused is screen.workflows


async def test_following_ends_with_the_first_move_of_the_user() -> None:
    """Who looks at something else is left alone when a step fails."""
    async with Opened() as (desk, pilot):
        screen = screen_of(pilot)
        start = started("run-new", PARCEL, ago=1)
        desk.trace(start, *step_events(start, ["pick"]))
        screen.follow("run-new", "parcel")
        await pilot.press("L")
        desk.trace(*step_events(start, ["pick", "pack"], fails="pack")[2:])
        await pilot.pause()
        assert (screen.selection.step, screen.selection.tab) == ("pick", "logs")


async def test_retry_asks_only_when_a_commit_would_be_repeated() -> None:
    """A plain retry starts at once; a repeated side effect is confirmed first."""
    async with Opened() as (desk, pilot):
        start = started("aaa", PARCEL)
        desk.trace(start, *step_events(start, ["pick", "pack"], fails="pack"))
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        await pilot.press("t")
        await until(lambda: desk.asked, "the retry")
        assert desk.asked.pop() == ("retry", "aaa", "pack", "downstream", None)

        commit = RepeatedCommit(step="ship", idempotency_key="aaa:ship")
        desk.plan = RetryPlan(
            run_id="aaa", step="pack", scope="only", runs_again=("pack",), kept=(), repeated_commits=(commit,)
        )
        await pilot.press("T")
        await until(lambda: isinstance(pilot.app.screen, RetryScreen), "the plan")
        assert not desk.asked
        await pilot.press("enter")
        await until(lambda: desk.asked, "the retry")
        assert desk.asked == [("retry", "aaa", "pack", "only", None)]


async def test_what_cannot_be_done_says_why() -> None:
    """A key that does nothing now is answered all the same."""
    async with Opened() as (desk, pilot):
        await pilot.press("t")
        await pilot.pause()
        assert "select a run first" in said(pilot)
        await pilot.press("n", "t", "t")
        await pilot.pause()
        assert len(pilot.app._notifications) == 1, "of what cannot be done, only the latest is told"
        desk.state = DeskState(runner="dead")
        await pilot.press("r")
        await pilot.pause()
        assert "the runner is dead" in said(pilot)
        assert not desk.asked


async def test_read_only_has_no_key_that_writes() -> None:
    """Footer and keys agree."""
    async with Opened(read_only=True) as (desk, pilot):
        assert "run" not in {hint.action for hint in screen_of(pilot).footer.hints}
        await pilot.press("r")
        await pilot.pause()
        assert "--read-only" in said(pilot)
        assert not desk.asked


async def test_escape_backs_out_and_never_quits() -> None:
    """It clears the filter, leaves the details, and then does nothing."""
    async with Opened() as (desk, pilot):
        start = started("aaa", PARCEL)
        desk.trace(start)
        desk.trace(started("bbb", LETTER))
        screen = screen_of(pilot)
        await pilot.press("slash", *"letter")
        await pilot.pause()
        assert [row.id for row in desk.runs.rows(0, 9)] == ["bbb"]
        await pilot.press("escape")
        await pilot.pause()
        assert len(desk.runs) == 2
        assert not screen.runs_pane.filtering
        await pilot.press("4", "escape")
        assert screen.focused is screen.runs
        await pilot.press("escape", "escape")
        assert pilot.app.is_running


async def test_quitting_asks_when_runs_are_in_hand() -> None:
    """Nobody interrupts a run by accident; without runs q just quits."""
    async with Opened() as (desk, pilot):
        desk.state = DeskState(runner="ready", in_hand=2)
        await pilot.press("q")
        await until(lambda: isinstance(pilot.app.screen, ConfirmScreen), "the question")
        await pilot.press("n")
        await pilot.pause()
        assert pilot.app.is_running
        desk.state = DeskState(runner="ready")
        await pilot.press("q")
        await until(lambda: pilot.app._exit, "the end")


async def test_a_broken_module_shows_its_problem_until_it_loads_again() -> None:
    """The header says so from anywhere, the module's row shows where, the last good graph stays."""
    async with Opened() as (desk, pilot):
        screen = screen_of(pilot)
        desk.load(module("parcel.py", PARCEL), module("post.py", problem=SYNTAX_ERROR))
        await pilot.press("j", "j")
        await pilot.pause()
        assert screen.header.headline.news.text == "post.py line 12 · SyntaxError: invalid syntax"
        assert "invalid syntax" not in screen.graph_pane.title.plain
        await pilot.press("k")
        await pilot.pause()
        assert screen.has_class("-problem")
        assert at_hand.place(screen) == ("/shop/post.py", 12)
        desk.load(module("parcel.py", PARCEL), module("post.py", LETTER))
        await pilot.pause()
        assert not screen.has_class("-problem")
        assert screen.selection.workflow == "letter"


async def test_the_header_tells_of_a_handler_that_blocks() -> None:
    """It names workflow, step, place and the way out."""
    async with Opened() as (desk, pilot):
        blocked = Blockage(seconds=3.2, workflow="parcel", step="pack", where="parcel.py:41")
        desk.become(blocked=blocked)
        await pilot.pause()
        text = screen_of(pilot).header.headline.news.text
        assert text == "parcel/pack blocks the runner for 3 s (parcel.py:41) · K restarts it"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (DeskState(runner="starting"), "starting the runner…"),
        (
            DeskState(runner="ready", note="reloaded parcel.py in 84 ms"),
            "ready · reloaded parcel.py in 84 ms",
        ),
        (DeskState(runner="dead", death="The runner exited with 7."), "The runner exited with 7."),
        (
            DeskState(runner="ready", loading="slow.py is still being imported"),
            "slow.py is still being imported",
        ),
        (DeskState(runner="ready", store_problem="locked"), "the store cannot be used"),
        (DeskState(runner="off"), "trace only"),
    ],
)
def test_the_header_says_what_matters_most(state: DeskState, text: str) -> None:
    """One line, the gravest thing first."""
    assert news(state, Definitions()).text == text


async def test_text_that_looks_like_markup_is_shown_as_it_is() -> None:
    """Names and errors come from the user's code; nothing reads them as markup."""
    evil = described("[red]evil[/red]", "[bold]", "[/]")
    async with Opened() as (desk, pilot):
        desk.load(module("evil.py", evil))
        start = started("aaa", evil)
        desk.trace(start, *step_events(start, ["[bold]"], fails="[bold]"))
        screen = screen_of(pilot)
        screen.go_to_run("aaa")
        screen.show()
        await pilot.pause()
        assert screen.graph_pane.title.plain.startswith("[red]evil[/red]")


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)])
async def test_every_pane_can_be_reached_at_any_size(size: tuple[int, int]) -> None:
    """1 2 3 4 go to the panes, and the focused one is visible."""
    async with Opened(size=size) as (_, pilot):
        screen = screen_of(pilot)
        for key in ("1", "2", "3", "4", "1"):
            await pilot.press(key)
            await pilot.pause()
            focused = screen.focused
            assert focused is not None
            assert focused.region.height > 0
            assert screen.region.contains_region(focused.region)


async def test_a_tab_that_is_hidden_comes_into_view_when_it_is_picked() -> None:
    """On a low terminal the key of a tab shows the tab, and escape goes back to the lists."""
    async with Opened(size=(60, 16)) as (_, pilot):
        screen = screen_of(pilot)
        assert not screen.details.display
        await pilot.press("L")
        await pilot.pause()
        assert screen.details.display
        assert screen.selection.tab == "logs"
        await pilot.press("escape")
        await pilot.pause()
        assert not screen.details.display


async def test_a_click_on_the_footer_does_what_the_key_does() -> None:
    """The mouse is a second way to everything in the footer, and to the tabs."""
    async with Opened() as (_, pilot):
        await pilot.click(TabBar, offset=(25, 0))
        await pilot.pause()
        assert screen_of(pilot).selection.tab == "logs"
        await pilot.click(FooterLine, offset=(2, 0))
        await until(lambda: isinstance(pilot.app.screen, TriggerScreen), "the form")


async def test_help_and_palette_open_on_an_empty_dashboard() -> None:
    """Help works before there is anything to be helped with."""
    desk = FakeDesk()
    async with FluxApp(desk).run_test() as pilot:
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)
        titles = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert {"Help", "Change theme…", "Run workflow…", "Quit"} <= titles


async def test_an_empty_project_says_how_to_begin() -> None:
    """The way to a first workflow is on the screen, and y copies it."""
    desk = FakeDesk()
    async with FluxApp(desk).run_test() as pilot:
        desk.load()
        await pilot.pause()
        screen = screen_of(pilot)
        assert screen.has_class("-welcome")
        assert "create_workflow" in (at_hand.text_to_copy(screen) or "")
        desk.load(module("parcel.py", PARCEL))
        await pilot.pause()
        assert not screen.has_class("-welcome")


async def test_only_the_clock_of_running_runs_ticks() -> None:
    """Nothing moves when nothing runs."""
    async with Opened() as (desk, pilot):
        screen = screen_of(pilot)
        clock = screen.clock
        assert clock is not None
        start = started("aaa", PARCEL)
        assert not clock._active.is_set()
        desk.trace(start, *step_events(start, ["pick"]))
        await pilot.pause()
        assert clock._active.is_set()
        desk.trace(completed(start))
        await pilot.pause()
        assert not clock._active.is_set()


async def test_a_rebound_key_works_and_is_shown() -> None:
    """Keys are rebound by the id of the action."""
    async with Opened(settings={"keymap": {"help": "f2"}}) as (_, pilot):
        assert any(hint.key == "f2" for hint in screen_of(pilot).footer.hints)
        await pilot.press("f2")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)


async def test_an_unknown_theme_is_told_and_replaced() -> None:
    """A mistake in the settings is no reason not to start."""
    async with Opened(settings={"theme": "flux-drak"}) as (_, pilot):
        assert pilot.app.theme == "flux-dark"
        assert "flux-drak" in said(pilot)


async def test_a_trace_alone_is_shown_and_says_why_nothing_can_be_run(tmp_path: Path) -> None:
    """Workflows and runs come from the file; the runner's keys answer with the reason."""
    start = started("aaa", PARCEL)
    lines = [start, *step_events(start, ["pick", "pack"], fails="pack")]
    trace = tmp_path / "trace.ndjson"
    from flux_engine.trace.events import encode_event  # noqa: PLC0415

    trace.write_bytes(b"".join(encode_event(line) for line in lines) + b"{ torn")
    desk = Desk(Settings(project=tmp_path, trace=trace).anchored(), [], trace_only=True)
    async with FluxApp(desk).run_test(notifications=True) as pilot:
        screen = screen_of(pilot)
        await until(lambda: screen.selection.run == "aaa", "the run of the trace")
        await until(lambda: screen.selection.tab == "error", "its error")
        await pilot.press("t")
        await pilot.pause()
        assert "only a trace is shown" in said(pilot)


async def test_older_runs_are_read_when_the_list_nears_its_end(tmp_path: Path) -> None:
    """A long history is paged in, never read as a whole."""
    storage = SQLiteStorage(tmp_path / "flux.db")
    flow = create_workflow("old").step("one", lambda ctx: None)
    async with FluxEngine(storage=storage) as engine:
        await asyncio.gather(*(engine.execute(flow, None) for _ in range(230)))
    desk = Desk(
        Settings(project=tmp_path, db=StoreAddress(file=tmp_path / "flux.db")).anchored(), [tmp_path / "none"]
    )
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        screen = screen_of(pilot)
        await until(lambda: desk.runs.total == 200, "the first page")
        await until(lambda: screen.runs_pane.border_subtitle == "200+", "the count")
        await pilot.press("2", "end")
        await until(lambda: desk.runs.total == 230, "the rest")
        await pilot.pause()
        assert screen.runs_pane.border_subtitle == "230"


SHOP = """
from flux_engine import create_workflow

def pick(ctx):
    ctx.data.shelf = ctx.input["shelf"]

parcel = create_workflow("shop-parcel").step("pick", pick)
"""


async def test_a_real_run_goes_from_the_key_to_the_glyph(tmp_path: Path) -> None:
    """With a real store, trace and runner; and this process never imports the module."""
    (tmp_path / "parcel_shop.py").write_text(SHOP)
    desk = Desk(Settings(project=tmp_path).anchored(), [tmp_path])
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        screen = screen_of(pilot)
        await until(lambda: screen.selection.workflow == "shop-parcel", "the workflow")
        run_id = await desk.run("shop-parcel", {"shelf": "A7"})
        screen.follow(run_id, "shop-parcel")
        await until(lambda: "✔ completed" in screen.graph_pane.title.plain, "the end of the run")
        view = screen.run_view
        assert view is not None
        assert view.data_after("pick") == {"shelf": "A7"}
    assert "parcel_shop" not in sys.modules
    assert json.loads((tmp_path / ".flux/trace.ndjson").read_text().splitlines()[0])["workflowId"] == run_id


DEADLY = """
import os
from flux_engine import create_workflow

def last_words(ctx):
    print("farewell", flush=True)
    os._exit(7)

deadly = create_workflow("deadly").step("die", last_words)
"""


async def test_a_runner_that_dies_leaves_a_run_to_resume(tmp_path: Path) -> None:
    """The run is interrupted in list and graph, its logs are open, the user hears of it, and u applies."""
    (tmp_path / "deadly.py").write_text(DEADLY)
    desk = Desk(Settings(project=tmp_path).anchored(), [tmp_path])
    async with FluxApp(desk).run_test(size=(120, 36), notifications=True) as pilot:
        screen = screen_of(pilot)
        await until(lambda: screen.selection.workflow == "deadly", "the workflow")
        run_id = await desk.run("deadly", None)
        screen.follow(run_id, "deadly")
        await until(lambda: (view := screen.run_view) and view.status == "interrupted", "the interruption")
        await until(lambda: (row := desk.runs.get(run_id)) and row.status == "interrupted", "its row")
        await until(lambda: "The runner died" in said(pilot), "the news")
        await until(lambda: desk.state.runner == "ready", "another runner")
        await pilot.pause()
        assert screen.selection.tab == "logs"
        assert next(hint for hint in screen.footer.hints if hint.action == "resume").reason is None
