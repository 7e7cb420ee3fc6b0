"""The whole screen as text to keep: in every size, and in its colours under every theme."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.style import Style
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.constants import MAX_FPS
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input, TextArea

SIZES = {"low": (60, 16), "stacked": (80, 24), "wide": (120, 36), "huge": (200, 60)}
REFRESH = 1 / MAX_FPS
"""Seconds until what was changed is painted."""
THEMES = ("flux-dark", "flux-light", "flux-16")

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + "".join(
    chr(code) for code in range(0xC0, 0x17F) if chr(code).isalpha()
)


async def pictures(pilot: Pilot[Any]) -> str:
    """Return the screen in every size, and wide with its colours in every theme."""
    app = pilot.app
    app.theme = THEMES[0]
    parts = []
    for name, size in SIZES.items():
        await pilot.resize_terminal(*size)
        parts.append(f"== {name} {size[0]}x{size[1]}\n{_text(await _settled(pilot))}\n")
    await pilot.resize_terminal(*SIZES["wide"])
    by_theme = []
    for theme in THEMES:
        app.theme = theme
        by_theme.append([list(_cells(strip)) for strip in await _settled(pilot)])
    parts.append(f"== colours\n{_coloured(by_theme)}")
    return "\n".join(parts)


_FORGONE: Counter[str] = Counter()


def forgo_painting(compositor: Compositor, *_: Any, screen_stack: Any = None, **__: Any) -> None:
    """Take the place of ``Compositor.render_update``: without a terminal, what it paints is thrown away."""
    visible_screen_stack.set([] if screen_stack is None else screen_stack)
    _FORGONE["changed"] += bool(compositor._dirty_regions)
    compositor._dirty_regions.clear()


async def _settled(pilot: Pilot[Any]) -> list[Strip]:
    """Return the rows of the screen when they have come to rest."""
    for widget in pilot.app.screen.query("Input, TextArea"):
        if isinstance(widget, Input | TextArea):
            widget.cursor_blink = False
    await _rest(pilot)
    while True:
        visible_screen_stack.set(pilot.app._background_screens)
        strips = pilot.app.screen._compositor.render_strips()
        if await _rest(pilot):  # a list may learn by being painted how long it is
            return strips


async def _rest(pilot: Pilot[Any]) -> bool:
    """Wait until there is nothing to be painted; return whether there was nothing at all."""
    for tries in range(20):
        before = _FORGONE.total()
        await pilot.pause()
        await pilot.pause(REFRESH)
        if _FORGONE.total() == before:
            return tries == 0
    return True


def _text(strips: Sequence[Strip]) -> str:
    return "\n".join(strip.text.rstrip() for strip in strips)


def _cells(strip: Strip) -> Iterator[str]:
    """Yield the style of each character of a row, in words."""
    for segment in strip:
        if not segment.control:
            yield from [_words(segment.style)] * len(segment.text)


def _words(style: Style | None) -> str:
    if style is None:
        return "plain"
    flags = ("bold", "dim", "italic", "underline", "reverse", "strike")
    colours = f"{_colour(style.color)} on {_colour(style.bgcolor)}"
    return " ".join([colours, *(flag for flag in flags if getattr(style, flag))])


def _colour(colour: Any) -> str:
    return "default" if colour is None else str(colour.name)


def _coloured(by_theme: Sequence[list[list[str]]]) -> str:
    """Return for each row how many characters have which style, and what the styles are in each theme."""
    legend: dict[tuple[str, ...], str] = {}
    rows = [" ".join(_runs(zip(*same, strict=True), legend)) for same in zip(*by_theme, strict=True)]
    styles = [f"{letter} {' | '.join(style)}" for style, letter in legend.items()]
    return "\n".join([*rows, "-- legend", *styles, ""])


def _runs(styles: Iterable[tuple[str, ...]], legend: dict[tuple[str, ...], str]) -> Iterator[str]:
    for style, same in itertools.groupby(styles):
        yield f"{legend.setdefault(style, _LETTERS[len(legend)])}{len(list(same))}"
