"""The two themes of Flux, next to those that Textual brings along.

Success and warning differ in lightness as well as in hue, so that they stay apart for eyes that
mix up red and green; status is never told by colour alone in any case.
"""

from textual.theme import Theme

FLUX_DARK = Theme(
    name="flux-dark",
    primary="#6aa5ff",
    secondary="#8b93a7",
    accent="#b79bff",
    foreground="#d7dbe4",
    background="#14161b",
    surface="#191c22",
    panel="#22262e",
    success="#63c98f",
    warning="#f2c14e",
    error="#ff6f6f",
    dark=True,
    variables={
        "border": "#6aa5ff",
        "border-blurred": "#3a404c",
        "block-cursor-foreground": "#14161b",
        "block-cursor-background": "#6aa5ff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-foreground": "#d7dbe4",
        "block-cursor-blurred-background": "#2b313c",
        "block-cursor-blurred-text-style": "none",
        "footer-key-foreground": "#6aa5ff",
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
    accent="#6b3fc0",
    foreground="#1d2330",
    background="#f4f5f8",
    surface="#fcfcfd",
    panel="#e6e9ef",
    success="#0f7a43",
    warning="#9a6200",
    error="#c02626",
    dark=False,
    variables={
        "border": "#1f5fbf",
        "border-blurred": "#c3c9d4",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#1f5fbf",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-foreground": "#1d2330",
        "block-cursor-blurred-background": "#dbe2ee",
        "block-cursor-blurred-text-style": "none",
        "footer-key-foreground": "#1f5fbf",
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

THEMES = (FLUX_DARK, FLUX_LIGHT)
