"""The page that a browser loads, and its files. All come from this server, none from elsewhere."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import textual_serve

FONT_SIZE: Final = 15

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer: nothing from other servers, no frames of others, the token of an address goes nowhere."""

_OWN = Path(__file__).parent / "assets"
_TERMINAL = Path(textual_serve.__file__).parent / "static"

ASSETS: Final[Mapping[str, Path]] = {
    **{name: _OWN / name for name in ("page.css", "page.js", "icon.svg")},
    "textual.js": _TERMINAL / "js" / "textual.js",
    "xterm.css": _TERMINAL / "css" / "xterm.css",
    **{
        name: _TERMINAL / "fonts" / name
        for name in ("RobotoMono-VariableFont_wght.ttf", "RobotoMono-Italic-VariableFont_wght.ttf")
    },
}
"""The files of the page by their names in it."""


def page(title: str) -> str:
    """Return the page. ``title`` is what the browser shows on the tab."""
    template = (_OWN / "page.html").read_text(encoding="utf-8")
    return template.replace("{title}", html.escape(title)).replace("{font_size}", str(FONT_SIZE))
