"""Nothing is cut without an ellipsis: what stands at a right edge is compared with a wide screen."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import test_snapshots as snapshots
from fake_desk import FakeDesk
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from flux_engine.execution import RepeatedCommit, RetryPlan
from flux_tui.app import FluxApp
from flux_tui.widgets.graph import StepGraph
from flux_tui.widgets.pane import Pane

SIZES = [(60, 16), (80, 24), (120, 36)]
WIDE = (200, 60)
ENOUGH = 6
"""Cells that a text must have in common with the wide screen to be the same text."""

PLAN = RetryPlan(
    run_id="3f2a9c",
    step="payment",
    scope="downstream",
    runs_again=("payment", "deduct", "notify"),
    kept=("validate",),
    repeated_commits=(RepeatedCommit(step="payment", idempotency_key="3f2a9c-payment-" + "0123456789" * 4),),
)


def lines_in(strips: list[Strip], region: Region) -> list[str]:
    """Return what stands in a region of the screen."""
    return [strip.crop(region.x, region.right).text for strip in strips[region.y : region.bottom]]


def places(screen: Screen[Any]) -> Iterator[tuple[Widget, Region]]:
    """Yield the regions in which something is written: widgets without children, and the edges of panes."""
    for widget in screen.query(Widget):
        region = widget.content_region.intersection(screen.region)
        if not widget.display or not region or isinstance(widget, StepGraph):
            continue  # the graph pans, and has a test of its own
        if isinstance(widget, Pane):
            yield widget, Region(widget.region.x + 1, widget.region.y, widget.region.width - 2, 1)
        elif not widget.children and widget.is_scrollable is False:
            yield widget, region
        elif not widget.displayed_children:
            yield widget, widget.scrollable_content_region.intersection(screen.region)


def cut_texts(screen: Screen[Any], whole: list[str]) -> list[str]:
    """Return the texts at right edges that go on without a gap on the wide screen."""
    found = []
    strips = screen._compositor.render_strips()
    for widget, region in places(screen):
        lines = lines_in(strips, region)
        for line, below in zip(lines, [*lines[1:], ""], strict=True):
            text = line.rstrip(" ─━╮┐")
            tail = text[-ENOUGH:]
            at_the_edge = len(line) - len(text) <= 1
            if not at_the_edge or len(tail.strip()) < ENOUGH or tail.endswith(("…", "│")):
                continue
            ends = [each[each.index(tail) + ENOUGH :][:1] for each in whole if tail in each]
            goes_on = bool(ends) and all(end and (end.isalnum() or end in "-_/.") for end in ends)
            if goes_on and not below.lstrip().startswith(tuple(ends)):
                found.append(f"{type(widget).__name__} {screen.size}: {text!r}")
    return found


Play = Callable[[Pilot[Any]], Awaitable[None]]


async def broken_module(pilot: Pilot[Any]) -> None:
    """Go to the module that does not load."""
    await snapshots.play(pilot)
    await pilot.press("1", "home", "j", "j", "j")


async def help_screen(pilot: Pilot[Any]) -> None:
    """Open the help."""
    await snapshots.play(pilot)
    await pilot.press("?")


async def retry(pilot: Pilot[Any]) -> None:
    """Open the plan of a retry."""
    await snapshots.play(pilot)
    assert isinstance(pilot.app, FluxApp)
    assert isinstance(pilot.app.desk, FakeDesk)
    pilot.app.desk.plan = PLAN
    await pilot.press("t")


def with_tab(key: str) -> Play:
    """Return what opens a tab of the failed run."""

    async def play(pilot: Pilot[Any]) -> None:
        await snapshots.play(pilot)
        await pilot.press(key, "3")

    play.__name__ = f"tab_{key}"
    return play


SCENES: list[Play] = [broken_module, with_tab("V"), help_screen, retry]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_nothing_is_cut_without_an_ellipsis(
    scene: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Whatever is shown, at 60x16, 80x24 and 120x36."""
    monkeypatch.chdir(tmp_path)
    app = snapshots.a_busy_shop("flux-dark")
    async with app.run_test(size=WIDE) as pilot:
        await scene(pilot)
        await pilot.pause()
        whole = lines_in(app.screen._compositor.render_strips(), app.screen.region)
        found = []
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            found += cut_texts(app.screen, whole)
        assert found == []
