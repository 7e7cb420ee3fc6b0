"""The themes of Flux, next to those that Textual brings along, and what makes all of them readable.

Success, warning, error and what moves differ in lightness as well as in hue, so that they stay apart for
eyes that mix up red and green; status is never told by colour alone in any case.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

from textual.color import Color
from textual.theme import Theme

FLUX_DARK = Theme(
    name="flux-dark",
    primary="#6aa5ff",
    secondary="#9aa3b8",
    accent="#cdb0f7",
    foreground="#d7dbe4",
    background="#14161b",
    surface="#191c22",
    panel="#22262e",
    success="#7fe3b4",
    warning="#f5c84c",
    error="#f0625a",
    dark=True,
    variables={
        "text-muted": "#9097a4",
        "text-disabled": "#6d7481",
        "text-primary": "#93bdff",
        "text-success": "#7fe3b4",
        "text-warning": "#f5c84c",
        "text-error": "#f2665e",
        "text-accent": "#cdb0f7",
        "border": "#6aa5ff",
        "border-blurred": "#3a404c",
        "block-cursor-foreground": "#14161b",
        "block-cursor-background": "#6aa5ff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-foreground": "#d7dbe4",
        "block-cursor-blurred-background": "#2b313c",
        "block-cursor-blurred-text-style": "none",
        "footer-key-foreground": "#93bdff",
        "input-selection-background": "#6aa5ff 30%",
        "scrollbar": "#3a404c",
        "scrollbar-hover": "#515969",
        "scrollbar-active": "#6aa5ff",
        "scrollbar-background": "#191c22",
        "scrollbar-background-hover": "#191c22",
        "scrollbar-background-active": "#191c22",
        "scrollbar-corner-color": "#191c22",
    },
)

FLUX_LIGHT = Theme(
    name="flux-light",
    primary="#1f5fbf",
    secondary="#5b6577",
    accent="#6c3bd6",
    foreground="#1d2330",
    background="#f4f5f8",
    surface="#fcfcfd",
    panel="#e6e9ef",
    success="#0c724b",
    warning="#8f5a04",
    error="#9c1b22",
    dark=False,
    variables={
        "text-muted": "#5c6371",
        "text-disabled": "#7c8492",
        "text-primary": "#1a52a8",
        "text-success": "#0c724b",
        "text-warning": "#8f5a04",
        "text-error": "#9c1b22",
        "text-accent": "#6c3bd6",
        "border": "#1f5fbf",
        "border-blurred": "#c3c9d4",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#1f5fbf",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-foreground": "#1d2330",
        "block-cursor-blurred-background": "#dbe2ee",
        "block-cursor-blurred-text-style": "none",
        "footer-key-foreground": "#1a52a8",
        "input-selection-background": "#1f5fbf 25%",
        "scrollbar": "#c3c9d4",
        "scrollbar-hover": "#a7afbd",
        "scrollbar-active": "#1f5fbf",
        "scrollbar-background": "#fcfcfd",
        "scrollbar-background-hover": "#fcfcfd",
        "scrollbar-background-active": "#fcfcfd",
        "scrollbar-corner-color": "#fcfcfd",
    },
)

FLUX_16 = Theme(
    name="flux-16",
    ansi=True,
    dark=True,
    primary="ansi_bright_cyan",
    secondary="ansi_cyan",
    accent="ansi_bright_magenta",
    foreground="ansi_bright_white",
    background="ansi_black",
    surface="ansi_black",
    panel="ansi_black",
    boost="ansi_black",
    success="ansi_bright_green",
    warning="ansi_bright_yellow",
    error="ansi_bright_red",
    variables={
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_bright_white",
        "surface": "ansi_black",
        "panel": "ansi_black",
        "boost": "ansi_black",
        "text": "ansi_bright_white",
        "text-muted": "ansi_white",
        "text-disabled": "ansi_bright_black",
        "primary-muted": "ansi_black",
        "error-muted": "ansi_black",
        "border": "ansi_bright_cyan",
        "border-blurred": "ansi_bright_black",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "block-cursor-blurred-foreground": "ansi_bright_white",
        "block-cursor-blurred-background": "ansi_black",
        "footer-key-foreground": "ansi_bright_cyan",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "scrollbar": "ansi_white",
        "scrollbar-hover": "ansi_white",
        "scrollbar-active": "ansi_cyan",
        "scrollbar-background": "ansi_black",
        "scrollbar-background-hover": "ansi_black",
        "scrollbar-background-active": "ansi_black",
        "scrollbar-corner-color": "ansi_black",
    },
)
"""For terminals with 16 colours, and for those where colours are not wanted: no others are named."""

THEMES = (FLUX_DARK, FLUX_LIGHT, FLUX_16)

TEXT: Final = 4.5
"""The contrast that text needs on each of its grounds, as a ratio of luminances (WCAG 2, level AA)."""

QUIET: Final = 3.0
"""The contrast of what may be passed over: hints that do nothing now, lines of a graph."""

_TONES: Final = ("foreground", *(f"text-{tone}" for tone in ("primary", "secondary", "accent")))
_STATES: Final = tuple(f"text-{tone}" for tone in ("success", "warning", "error"))
_GROUNDS: Final = ("background", "surface", "panel")


def chosen(
    configured: str | None, remembered: str | None, known: Mapping[str, Theme], *, few_colors: bool
) -> str:
    """Return the name of the theme to begin with: the configured one, that of earlier sessions, or ours.

    With ``few_colors`` only a configured theme goes before the one of 16 colours.
    """
    if configured in known:
        return str(configured)
    earlier = known.get(remembered or "")
    if earlier is not None and (earlier.ansi or not few_colors):
        return earlier.name
    return FLUX_16.name if few_colors else FLUX_DARK.name


def with_contrast(variables: Mapping[str, str], own: Collection[str]) -> dict[str, str]:
    """Return the colours of a theme, moved away from their grounds where they could not be read.

    ``text-muted`` is for what matters less, ``text-disabled`` for what may be passed over. What is named in
    ``own`` was designed and stays.
    """
    legible = dict(variables)
    grounds = tuple(variables[name] for name in _GROUNDS)
    if any(Color.parse(ground).ansi is not None for ground in grounds):
        return legible
    for name in (*_TONES, *_STATES):
        if name not in own:
            legible[name] = _away(variables[name], grounds, TEXT)
    clear = contrast(legible["foreground"], grounds)
    if "text-muted" not in own:
        legible["text-muted"] = _toward(legible["foreground"], grounds, max(min(clear * 0.55, 4.6), 3.6))
    if "text-disabled" not in own:
        legible["text-disabled"] = _toward(legible["foreground"], grounds, QUIET)
    return legible


def contrast(text: str, grounds: Collection[str]) -> float:
    """Return the least contrast that a colour has on any of the grounds."""
    color = Color.parse(text)
    return min(_ratio(_over(color, Color.parse(ground)), Color.parse(ground)) for ground in grounds)


def _over(color: Color, ground: Color) -> Color:
    return ground.blend(color.with_alpha(1), color.a)


def _ratio(one: Color, other: Color) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Color) -> float:
    """Return the relative luminance of WCAG 2."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB
        for part in color.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=512)
def _away(text: str, grounds: tuple[str, ...], wanted: float) -> str:
    """Return a colour as near to ``text`` as the wanted contrast allows."""
    color, ground = Color.parse(text), Color.parse(grounds[0])
    far = Color.parse("#ffffff" if ground.brightness < 0.5 else "#000000")  # noqa: PLR2004 - half of it
    steps = (color.blend(far, step / 40, 1).hex for step in range(41))
    return next((each for each in steps if contrast(each, grounds) >= wanted), far.hex)


@lru_cache(maxsize=512)
def _toward(text: str, grounds: tuple[str, ...], wanted: float) -> str:
    """Return a colour between ground and ``text`` that has the wanted contrast and hardly more."""
    color, ground = Color.parse(text), Color.parse(grounds[0])
    steps = (ground.blend(color, step / 40, 1).hex for step in range(41))
    return next((each for each in steps if contrast(each, grounds) >= wanted), color.hex)
