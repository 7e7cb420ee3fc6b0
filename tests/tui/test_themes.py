"""Themes: what can be read, and told apart, with which eyes and on which terminal."""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest
from fake_desk import FakeDesk, described, module, started, step_events
from rich.color import ColorType
from rich.segment import Segment
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from flux_tui.app import FluxApp
from flux_tui.plain import plain_text
from flux_tui.remembered import Remembered
from flux_tui.screens.main import MainScreen
from flux_tui.screens.theme import ThemeScreen
from flux_tui.themes import FLUX_16, FLUX_DARK, FLUX_LIGHT, QUIET, TEXT, chosen, contrast, with_contrast

OURS = [FLUX_DARK, FLUX_LIGHT]
BUILT_IN = [theme for theme in BUILTIN_THEMES.values() if not theme.ansi]
KNOWN = {theme.name: theme for theme in (*OURS, FLUX_16, *BUILTIN_THEMES.values())}
GROUNDS = ("background", "surface", "panel")
TONES = ("primary", "success", "warning", "error", "accent")

SIGHT = {
    "all colours": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "protanopia": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
}
"""What eyes make of linear RGB: Machado, Oliveira and Fernandes 2009, full severity."""


def colours(theme: Theme) -> dict[str, str]:
    """Return the colours of a theme as the dashboard uses them."""
    return with_contrast({**theme.to_color_system().generate(), **theme.variables}, theme.variables)


def of(theme: Theme, names: Sequence[str]) -> list[str]:
    """Return some colours of a theme."""
    found = colours(theme)
    return [found[name] for name in names]


@pytest.mark.parametrize("theme", [*OURS, *BUILT_IN], ids=lambda theme: theme.name)
def test_text_can_be_read_on_every_ground(theme: Theme) -> None:
    """Text, and every tone that text is written in, has the contrast of WCAG AA; quiet text has less."""
    found, grounds = colours(theme), of(theme, GROUNDS)
    for name in ("foreground", *(f"text-{tone}" for tone in TONES)):
        assert contrast(found[name], grounds) >= TEXT, name
    assert contrast(found["text-muted"], grounds) >= (TEXT if theme in OURS else QUIET)
    assert contrast(found["text-disabled"], grounds) >= QUIET


@pytest.mark.parametrize("theme", OURS, ids=lambda theme: theme.name)
def test_text_can_be_read_under_the_cursor_and_on_banners(theme: Theme) -> None:
    """The tints of the cursor rows and of the banner leave enough contrast for what stands on them."""
    found = colours(theme)
    surface, text = Color.parse(found["surface"]), Color.parse(found["foreground"])
    focused, blurred = surface.blend(Color.parse(found["primary"]), 0.28), surface.blend(text, 0.07)
    rows = [focused.hex, blurred.hex]
    assert contrast(found["foreground"], rows) >= TEXT
    assert min(contrast(found[f"text-{tone}"], [blurred.hex]) for tone in TONES) >= TEXT
    assert min(contrast(found[f"text-{tone}"], [focused.hex]) for tone in TONES) >= QUIET
    assert contrast(found["text-muted"], rows) >= QUIET
    assert contrast(found["text-error"], [found["error-muted"]]) >= QUIET
    assert contrast(found["block-cursor-foreground"], [found["block-cursor-background"]]) >= TEXT


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", OURS, ids=lambda theme: theme.name)
def test_states_differ_for_eyes_that_mix_up_red_and_green(theme: Theme, sight: str) -> None:
    """The colours of any two states are far apart; glyph and word differ in any case."""
    names = ("text-success", "text-warning", "text-error", "text-accent", "text-muted")
    seen = {name: lab(Color.parse(value), sight) for name, value in zip(names, of(theme, names), strict=True)}
    for one, other in combinations(names, 2):
        apart = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert apart >= 15, (one, other, apart)


def lab(color: Color, sight: str) -> tuple[float, float, float]:
    """Return what eyes see of a colour, in CIE L*a*b*, where distances are as they are felt."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized
    ]
    red, green, blue = (
        min(max(sum(weight * part for weight, part in zip(row, linear, strict=True)), 0), 1)
        for row in SIGHT[sight]
    )
    white = (0.95047, 1.0, 1.08883)
    xyz = (
        0.4124 * red + 0.3576 * green + 0.1805 * blue,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        0.0193 * red + 0.1192 * green + 0.9505 * blue,
    )
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (part / of_white for part, of_white in zip(xyz, white, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize(
    ("configured", "remembered", "few", "theme"),
    [
        (None, None, False, "flux-dark"),
        (None, None, True, "flux-16"),
        ("nord", "dracula", True, "nord"),
        ("no such", "dracula", False, "dracula"),
        (None, "dracula", True, "flux-16"),
        (None, "ansi-light", True, "ansi-light"),
        (None, "gone", False, "flux-dark"),
    ],
)
def test_the_theme_to_begin_with(configured: str, remembered: str, few: bool, theme: str) -> None:
    """What is configured goes first, then what was picked before, if the terminal can show it."""
    assert chosen(configured, remembered, KNOWN, few_colors=few) == theme


PARCEL = described("parcel", "pick", "pack", "ship", commit="ship")


async def written(app: FluxApp, *keys: str) -> list[Segment]:
    """Return all that the dashboard writes of a run that failed, beside another one."""
    async with app.run_test(size=(100, 30)) as pilot:
        desk = app.desk
        assert isinstance(desk, FakeDesk)
        desk.load(module("parcel.py", PARCEL))
        for run_id in ("parcel-1", "parcel-2"):
            start = started(run_id, PARCEL)
            desk.trace(start, *step_events(start, ["pick", "pack"], fails="pack"))
        await pilot.press(*keys)
        await pilot.pause()
        lines = app.screen._compositor.render_strips()
        return [segment for line in lines for segment in line]


async def test_sixteen_colours_are_enough() -> None:
    """The theme for few colours names no other one, and the row in focus is in reverse."""
    segments = await written(FluxApp(FakeDesk(settings={"theme": "flux-16"})), "2")
    used = {
        color
        for segment in segments
        if segment.style
        for color in (segment.style.color, segment.style.bgcolor)
        if color is not None
    }
    assert {color.type for color in used} <= {ColorType.STANDARD, ColorType.DEFAULT}
    assert len(used) > 5
    assert any("parcel" in each.text and each.style and each.style.reverse for each in segments)


async def test_no_colour_is_written_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR the cursor is in reverse and the selected step framed in another way: no colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    segments = await written(FluxApp(FakeDesk()), "2")
    styles = [segment.style for segment in segments if segment.style]
    assert all(
        color is None or color.is_default for style in styles for color in (style.color, style.bgcolor)
    )
    assert any("parcel" in each.text and each.style and each.style.reverse for each in segments)
    text = "".join(segment.text for segment in segments)
    assert "┏" in text
    assert "✖ failed" in text


async def test_plain_ascii_is_all_that_is_written_where_nothing_else_is_wanted() -> None:
    """Frames, arrows, marks and scrollbars too."""
    segments = await written(FluxApp(FakeDesk(settings={"ascii": True})), "2")
    assert {char for segment in segments for char in segment.text if not char.isascii()} == set()
    assert plain_text("╭─ 日本 ─▶ …") == "+- 日本 -> ~"


async def test_a_configured_theme_without_colours_is_in_shades_of_grey(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What somebody asked for by name is kept as far as NO_COLOR goes."""
    monkeypatch.setenv("NO_COLOR", "")
    segments = await written(FluxApp(FakeDesk(settings={"theme": "nord"})))
    used = [each.style.color.get_truecolor() for each in segments if each.style and each.style.color]
    assert used
    assert all(red == green == blue for red, green, blue in used)


def test_every_text_style_of_the_program_names_a_colour_of_the_theme() -> None:
    """Those in drawings for other programs aside, no colour is written down outside the themes."""
    root = Path(__file__).parents[2] / "flux_tui"
    found = [
        f"{path.name}: {match}"
        for path in [*root.rglob("*.py"), *root.rglob("*.tcss")]
        if path.name not in {"themes.py", "diagram.py"}
        for match in re.findall(r"(?:color|background): *(#[0-9a-f]{3,6}|rgb\([^)]*\))", path.read_text())
    ]
    assert found == []


async def test_the_theme_that_was_picked_is_there_in_the_next_session(tmp_path: Path) -> None:
    """It is remembered for the project, unless the settings name one."""
    Remembered(tmp_path / "dashboard.json").put("theme", "nord")
    desk = FakeDesk()
    desk.remembered = Remembered(tmp_path / "dashboard.json")
    assert FluxApp(desk).theme == "nord"
    desk = FakeDesk(settings={"theme": "dracula"})
    desk.remembered = Remembered(tmp_path / "dashboard.json")
    assert FluxApp(desk).theme == "dracula"


async def test_a_theme_is_tried_while_it_is_chosen(tmp_path: Path) -> None:
    """The one under the cursor is on at once; esc puts the first one back, enter keeps another."""
    (tmp_path / "dashboard.json").touch()
    desk = FakeDesk()
    desk.remembered = Remembered(tmp_path / "dashboard.json")
    app = FluxApp(desk)
    async with app.run_test() as pilot:
        assert isinstance(app.screen, MainScreen)
        app.screen.action_do("theme")
        await pilot.pause()
        await pilot.press("down")
        await pilot.pause()
        assert app.theme == "flux-light"
        await pilot.press("escape")
        await pilot.pause()
        assert app.theme == "flux-dark"
        app.screen.action_do("theme")
        await pilot.pause()
        await pilot.press("G", "enter")
        await pilot.pause()
        assert app.theme == "tokyo-night"
    assert Remembered(tmp_path / "dashboard.json").get("theme", str) == "tokyo-night"


@pytest.mark.parametrize("theme", ["flux-16", "ansi-dark"])
async def test_a_theme_of_few_colours_is_tried_on_the_screen_behind(theme: str) -> None:
    """Where nothing can be dimmed, the list of themes covers no more than its own box."""
    desk = FakeDesk()
    app = FluxApp(desk)
    async with app.run_test(size=(100, 20)) as pilot:
        desk.load(module("parcel.py", described("parcel", "pick")))
        app.theme = theme
        await pilot.pause()
        app.push_screen(ThemeScreen([theme], theme))
        await pilot.pause()
        assert "Workflows" in app.export_screenshot()
