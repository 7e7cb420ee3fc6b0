"""What the pictures of docs/screens.md show: each scene presses keys in the real program.

A new screen gets a picture by a function with ``@scene`` above it; ``prepare`` has the runs there are.
"""

# ruff: noqa: INP001

from typing import Any

from picture_stage import SCENES, Scene, Stage, scene

__all__ = ["PROJECT", "SCENES", "Scene", "Stage", "prepare"]

PROJECT = "shop"
NARROW, LOW, HUGE = (80, 24), (60, 16), (200, 60)


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


@scene("search", TABS, "`/` searches whatever has the focus, also in what is folded.")
async def search(stage: Stage) -> None:
    """Search the data."""
    await stage.show("order", "ship", "data")
    await stage.press("3", "slash")
    await stage.write("mug")


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


@scene(
    "export", DIALOGS, "`W` writes a run to one file, with its secrets masked, that `flux-tui FILE` opens."
)
async def export(stage: Stage) -> None:
    """Open the form of an export."""
    await stage.show("order", "payment")
    await stage.do("export", "ExportScreen")


@scene("bulk", DIALOGS, "`space` marks runs; `t`, `c`, `X` then mean all of them.")
async def bulk(stage: Stage) -> None:
    """Mark three runs and ask to delete them."""
    await stage.show("payment")
    await stage.press("2", "home", "space", "j", "space", "j", "space")
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


# Debugging, last: the run that it pauses would be in the other pictures

DEBUGGING = "Debugging"


@scene(
    "breakpoint",
    DEBUGGING,
    "`b` stops runs before a step; `n` goes one step on, `g` goes on, `e` edits the data.",
)
async def breakpoint_hit(stage: Stage) -> None:
    """Run into a breakpoint."""
    await stage.show("order", "deduct")
    await stage.do("breakpoint")
    await stage.do("run-again")
    screen = stage.screen
    await stage.until(lambda: screen.run_view is not None and screen.run_view.status == "paused", "the stop")
    await stage.press("2")
