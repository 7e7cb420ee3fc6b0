"""The compositor of the main screen paints what Textual's own would, and renders no more than that."""

import random
from typing import Any

import pytest
from fake_desk import FakeDesk
from test_snapshots import play
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget

from flux_tui.app import FluxApp
from flux_tui.painting import FrugalCompositor

Painted = dict[tuple[int, int], Any]


def painted(compositor: Compositor, regions: set[Region], own: type[Compositor]) -> Painted:
    """Return the strips that are painted after these regions changed, by line and column."""
    compositor._dirty_regions = set(regions)
    update = own.render_partial_update(compositor)  # type: ignore[arg-type]
    assert isinstance(update, ChopsUpdate)
    cells = {}
    for y, x1, x2 in update.spans:
        for end, (begin, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=True):
            if begin < x2 and end > x1:
                assert strip is not None
                cells[y, begin] = [*strip]
    return cells


def some_regions(width: int, height: int, seed: int) -> set[Region]:
    """Return regions within the screen."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    regions = set()
    for _ in range(chance.randrange(1, 6)):
        x, y = chance.randrange(width), chance.randrange(height)
        regions.add(Region(x, y, chance.randrange(1, width - x + 1), chance.randrange(1, height - y + 1)))
    return regions


async def compositor_of(pilot: Pilot[Any]) -> FrugalCompositor:
    """Return the compositor of the main screen, with something to paint."""
    await play(pilot)
    compositor = pilot.app.screen._compositor
    assert isinstance(compositor, FrugalCompositor)
    return compositor


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 16)])
async def test_whatever_changes_is_painted_as_by_textual(size: tuple[int, int]) -> None:
    """Any regions, alone and together."""
    async with FluxApp(FakeDesk()).run_test(size=size) as pilot:
        compositor = await compositor_of(pilot)
        for seed in range(60):
            regions = some_regions(*size, seed)
            frugal = painted(compositor, regions, FrugalCompositor)
            compositor.__class__ = Compositor  # type: ignore[assignment]
            usual = painted(compositor, regions, Compositor)
            compositor.__class__ = FrugalCompositor
            assert frugal == usual, regions


async def test_no_line_is_rendered_that_is_not_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter above and one below leave what lies between them alone."""
    rendered: list[tuple[str, int, int]] = []
    usual = Widget.render_lines

    def noted(widget: Widget, crop: Region) -> Any:
        rendered.append((type(widget).__name__, widget.region.y + crop.y, crop.height))
        return usual(widget, crop)

    async with FluxApp(FakeDesk()).run_test(size=(120, 36)) as pilot:
        compositor = await compositor_of(pilot)
        monkeypatch.setattr(Widget, "render_lines", noted)
        compositor._dirty_regions = {Region(0, 0, 120, 1), Region(0, 35, 120, 1)}
        compositor.render_partial_update()
    assert {(y, height) for _, y, height in rendered} == {(0, 1), (35, 1)}
    assert {"HeaderLine", "FooterLine"} <= {name for name, _, _ in rendered}
    assert "StepGraph" not in {name for name, _, _ in rendered}
