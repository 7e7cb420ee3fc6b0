"""What the pictures of docs/screens.md show: each scene presses keys in the real program.

A new screen gets a picture by a function with ``@scene`` above it; ``prepare`` has the runs there are.
"""

# ruff: noqa: INP001

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from textual.pilot import Pilot

from flux_tui.app import FluxApp
from flux_tui.screens.main import MainScreen

PROJECT = "shop"
WIDE, NARROW, LOW, HUGE = (120, 36), (80, 24), (60, 16), (200, 60)
PATIENCE = 30.0
ENDED = ("completed", "failed", "cancelled", "suspended", "paused")


@dataclass
class Stage:
    """The program while a picture is prepared. ``runs`` are the ids of the runs that there are, by name."""

    app: FluxApp
    pilot: Pilot[int]
    runs: dict[str, str] = field(default_factory=dict)

    @property
    def screen(self) -> MainScreen:
        """The main screen, whatever lies on top of it."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, MainScreen))

    async def until(self, true: Callable[[], object], what: str) -> None:
        """Wait for something."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}")
            await self.pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        """Press keys and let what they do come to rest."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause(0.05)

    async def write(self, text: str) -> None:
        """Write a text where the focus is."""
        await self.pilot.press(*(character if character != " " else "space" for character in text))
        await self.pilot.pause(0.1)

    async def do(self, action: str, dialog: str = "") -> None:
        """Do what an action is about, and wait for the dialog that it opens."""
        self.screen.action_do(action)
        if dialog:
            await self.until(lambda: type(self.app.screen).__name__ == dialog, dialog)
        await self.pilot.pause(0.2)

    async def ended(self, run_id: str) -> None:
        """Wait until a run ended, or waits."""
        runs = self.app.desk.runs
        await self.until(
            lambda: (row := runs.get(run_id)) is not None and row.status in ENDED, f"the end of {run_id}"
        )

    async def show(self, run: str, step: str = "", tab: str = "") -> None:
        """Look at a run, by its name, at one of its steps, and at a tab."""
        screen, run_id = self.screen, self.runs[run]
        await self.until(lambda: self.app.desk.runs.get(run_id), run)
        screen.go_to_run(run_id)
        screen.show()
        screen.focus_pane("runs")
        await self.until(lambda: screen.run_view is not None and screen.run_view.status in ENDED, run)
        if step:
            screen.graph.selected = step
            screen.graph.post_message(screen.graph.Selected(screen.graph, step))
            await self.until(lambda: screen.selection.step == step, step)
        if tab:
            screen.pick_tab(tab)
        await self.pilot.pause(0.1)


@dataclass(frozen=True)
class Scene:
    """A picture: its name, which group of the page it is in, what it shows, and how it comes about."""

    name: str
    group: str
    caption: str
    play: Callable[[Stage], Awaitable[None]]
    size: tuple[int, int] = WIDE
    theme: str = "flux-dark"
    ascii: bool = False
    no_color: bool = False
    empty: bool = False

    @property
    def title(self) -> str:
        """What stands in the place of the picture where there are none."""
        return self.name.replace("-", " ").capitalize()

    @classmethod
    def plain(cls) -> "Scene":
        """Return a scene without a picture, to prepare the others in."""
        return cls("", "", "", _nothing)


async def _nothing(_: Stage) -> None:
    await asyncio.sleep(0)


SCENES: list[Scene] = []


def scene(name: str, group: str, caption: str, **options: Any) -> Callable[..., Any]:
    """Make a picture of what a function sets up; several above each other come out from top to bottom."""

    def add(play: Callable[[Stage], Awaitable[None]]) -> Callable[[Stage], Awaitable[None]]:
        at = next((at for at, other in enumerate(SCENES) if other.play is play), len(SCENES))
        SCENES.insert(at, Scene(name, group, caption, play, **options))
        return play

    return add


async def prepare(stage: Stage) -> dict[str, str]:
    """Run the examples; return the ids of the runs by the names that scenes use."""
    desk, runs = stage.app.desk, {}

    async def run(name: str, workflow: str, **value: Any) -> None:
        runs[name] = await desk.run(workflow, value)
        await stage.ended(runs[name])

    async def view_of(name: str) -> Any:
        desk.look_at(runs[name])
        await stage.until(lambda: (view := desk.view(runs[name])) is not None and view.steps, name)
        return desk.view(runs[name])

    await run("report", "report-generation")
    await run("sales", "event-routing")
    await run("security", "event-routing", kind="login.failed", payload={"user": "ada", "ip": "203.0.113.7"})
    await run("order", "order-fulfillment")
    await run("express", "order-fulfillment", order_id="A-1002", express=True)
    await run("retried", "flaky-payment")
    await desk.retry(await view_of("retried"), "charge")
    await stage.until(lambda: desk.runs.get(runs["retried"]).status == "completed", "the retry")
    await run("approved", "expense-approval", employee="linus", purpose="Keyboard")
    await desk.signal(await view_of("approved"), "approval", {"approved": True, "by": "grace"})
    await stage.until(lambda: desk.runs.get(runs["approved"]).status == "completed", "the approval")
    await run("approval", "expense-approval")
    await run("payment", "flaky-payment", customer="grace@example.com", amount="99.50")
    return runs


# The main screen

MAIN = "The main screen"


@scene("failed-run", MAIN, "A run that failed: the graph, and the error where it happened.")
@scene("failed-run-80x24", MAIN, "The same in 80 columns.", size=NARROW)
@scene("failed-run-60x16", MAIN, "And in 60 columns and 16 lines: lists or details, `3` and `esc`.", size=LOW)
@scene("failed-run-200x60", MAIN, "And where there is room.", size=HUGE)
async def failed_run(stage: Stage) -> None:
    """Look at the payment that failed."""
    await stage.show("payment", "charge", "error")
    if stage.app.size == LOW:
        await stage.press("3")


@scene("welcome", MAIN, "Where there is nothing yet: how to begin.", empty=True)
async def welcome(stage: Stage) -> None:
    """Find nothing."""
    await stage.until(lambda: stage.screen.has_class("-welcome"), "the welcome")


@scene("broken-module", MAIN, "A module that does not load: file, line and caret, until it is fixed.")
async def broken_module(stage: Stage) -> None:
    """Break a module, and mend it after the picture."""
    path = stage.app.desk.project / "notifications.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("async def email(ctx):", "async def email(ctx:"), encoding="utf-8")
    definitions = stage.app.desk
    await stage.until(lambda: definitions.definitions.problems, "the problem")
    stage.screen.go_to_module(next(iter(definitions.definitions.problems)))
    stage.screen.show()
    stage.screen.focus_pane("workflows")
    await stage.until(lambda: stage.screen.has_class("-problem"), "the problem on screen")
    path.write_text(text, encoding="utf-8")


@scene("suspended-run", MAIN, "A run that waits for a signal says which one.")
async def suspended_run(stage: Stage) -> None:
    """Look at the expense that nobody approved yet."""
    await stage.show("approval", "approval")


@scene("filter", MAIN, "`/` filters the runs by text, status, workflow and time.")
async def filtered(stage: Stage) -> None:
    """Filter the runs."""
    await stage.show("payment", "charge", "error")
    await stage.press("2", "slash")
    await stage.write("status:completed !routing")


@scene("zoom", MAIN, "`z` gives the whole screen to one pane.")
async def zoomed(stage: Stage) -> None:
    """Zoom the data."""
    await stage.show("order", "ship", "data")
    await stage.press("3", "z")


# The graph

GRAPH = "The graph"


@scene("graph-branches", GRAPH, "Branches are drawn side by side; what was skipped is quiet.")
async def branches(stage: Stage) -> None:
    """Look at a routed event."""
    await stage.show("security", "security", "data")


@scene("graph-compact", GRAPH, "`v`: the same in few lines…")
async def compact(stage: Stage) -> None:
    """Draw the graph in lines."""
    await stage.show("security", "security", "data")
    await stage.press("4", "v")
    await _drawn_as(stage, "compact")


@scene("graph-list", GRAPH, "…and as a list.")
async def listed(stage: Stage) -> None:
    """Draw the graph as a list."""
    await stage.show("approved", "approval", "data")
    await stage.press("4")
    await _drawn_as(stage, "list")


async def _drawn_as(stage: Stage, mode: str) -> None:
    for _ in range(4):
        if str(stage.screen.graph.shown_mode.value) == mode:
            return
        await stage.press("v")


# The tabs

TABS = "The tabs"


@scene("tab-data", TABS, "Data: before and after the step, with what it changed.")
async def data_tab(stage: Stage) -> None:
    """Look at what a payment changed."""
    await stage.show("order", "payment", "data")
    await stage.press("3")


@scene("tab-timeline", TABS, "Timeline: attempts, back-offs and waits of every step.")
async def timeline_tab(stage: Stage) -> None:
    """Look at the attempts of a payment."""
    await stage.show("retried", "charge", "timeline")
    await stage.press("3")


@scene("tab-logs", TABS, "Logs: what the steps printed and logged.")
async def logs_tab(stage: Stage) -> None:
    """Look at what was printed."""
    await stage.show("retried", "charge", "logs")
    await stage.press("3", "a")


@scene("tab-events", TABS, "Events: the trace of the run, each event to be unfolded.")
async def events_tab(stage: Stage) -> None:
    """Look at the events."""
    await stage.show("retried", "charge", "events")
    await stage.press("3", "end", "k", "k", "enter")


@scene("tab-source", TABS, "Source: the code of the step; `o` opens it in an editor.")
async def source_tab(stage: Stage) -> None:
    """Look at the code."""
    await stage.show("payment", "charge", "source")
    await stage.press("3")


# Dialogs

DIALOGS = "Dialogs"


@scene("trigger", DIALOGS, "`r` runs a workflow: a form made from its input.")
async def trigger(stage: Stage) -> None:
    """Open the form."""
    await stage.show("order")
    await stage.do("run", "TriggerScreen")


@scene("retry", DIALOGS, "`t` retries from a step; it asks when a commit would be repeated.")
async def retry(stage: Stage) -> None:
    """Ask what a retry would do."""
    await stage.show("order", "payment")
    await stage.do("retry", "RetryScreen")


@scene("edit-data", DIALOGS, "`e` edits the data first.")
async def edit_data(stage: Stage) -> None:
    """Edit the data."""
    await stage.show("payment", "charge", "error")
    await stage.do("edit-retry", "EditDataScreen")


@scene("signal", DIALOGS, "`s` sends the signal that a run waits for, with a payload.")
async def signal(stage: Stage) -> None:
    """Open the form of the signal."""
    await stage.show("approval", "approval")
    await stage.do("signal", "SignalScreen")


@scene("confirm", DIALOGS, "What ends something asks first.")
async def confirm(stage: Stage) -> None:
    """Ask whether to cancel."""
    await stage.show("approval", "approval")
    await stage.do("cancel", "ConfirmScreen")


@scene("fork", DIALOGS, "`F` forks a run from a step.")
async def fork(stage: Stage) -> None:
    """Open the form of a fork."""
    await stage.show("order", "payment")
    await stage.do("fork", "ForkScreen")


@scene("bulk", DIALOGS, "`space` marks runs; `t`, `c`, `X` then mean all of them.")
async def bulk(stage: Stage) -> None:
    """Mark three runs and ask to delete them."""
    await stage.show("payment")
    await stage.press("2", "home", "space", "space", "space")
    await stage.do("delete", "ConfirmScreen")


@scene("help", DIALOGS, "`?` shows every key; type to search.")
async def help_screen(stage: Stage) -> None:
    """Open the help."""
    await stage.show("payment", "charge", "error")
    await stage.do("help", "HelpScreen")


@scene("palette", DIALOGS, "`ctrl+p` finds every action by name.")
async def palette(stage: Stage) -> None:
    """Open the command palette."""
    await stage.show("payment", "charge", "error")
    await stage.do("palette", "CommandPalette")
    await stage.write("retry")
    await stage.pilot.pause(1.0)


@scene("themes", DIALOGS, "Themes are tried while they are chosen.")
async def themes(stage: Stage) -> None:
    """Choose a theme."""
    await stage.show("payment", "charge", "error")
    await stage.do("theme", "ThemeScreen")
    await stage.press(*["down"] * 12)


# Time

TIME = "Time"


@scene("scrub", TIME, "`,` and `.` go back and forth in a run: graph, data and logs show that moment.")
async def scrub(stage: Stage) -> None:
    """Go back three events."""
    await stage.show("order", "payment", "timeline")
    await stage.press("comma", "comma", "comma")


@scene("compare", TIME, "`=` compares two runs, step by step.")
async def compare(stage: Stage) -> None:
    """Compare two orders."""
    await stage.show("express", "payment")
    await stage.do("compare", "CompareScreen")
    await stage.pilot.pause(0.5)


@scene("replay", TIME, "`P` replays a run on its recorded input, and tells what differs.")
async def replay(stage: Stage) -> None:
    """Replay an order."""
    await stage.show("order", "payment")
    await stage.do("replay", "ReplayScreen")
    await stage.pilot.pause(1.0)


# Looks

LOOKS = "Looks"


@scene("light", LOOKS, "`flux-light`.", theme="flux-light")
@scene("nord", LOOKS, "`nord`, one of those that Textual brings along.", theme="nord")
@scene("flux-16", LOOKS, "`flux-16`, for terminals with 16 colours.", theme="flux-16")
@scene("no-color", LOOKS, "With `NO_COLOR`.", theme="flux-16", no_color=True)
@scene("ascii", LOOKS, "With `--ascii`.", ascii=True)
async def looks(stage: Stage) -> None:
    """Look at the payment that failed."""
    await stage.show("payment", "charge", "error")
