"""How values become short texts on a terminal: times, statuses, names cut to a width.

Text that comes from data passes through ``printable`` before it is drawn, so that it can move neither
the cursor nor the text around it. Widths are terminal cells, as the renderer counts them.
"""

import re
from typing import Final

from rich.cells import cell_len, split_graphemes

from flux_engine.secrets import registered

ELLIPSIS: Final = "…"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
DELETE: Final = 0x7F
TAB_CELLS: Final = 4
HOURS_A_DAY: Final = 24

_GLYPHS: Final = {
    "completed": ("✔", "v"),
    "failed": ("✖", "x"),
    "pending": ("○", "o"),
    "running": ("◐", "*"),
    "waiting": ("↻", "~"),
    "skipped": ("⊘", "-"),
    "paused": ("⏸", "="),
    "suspended": ("⏸", "="),
    "interrupted": ("↯", "!"),
    "cancelled": ("■", "#"),
    "compensated": ("↩", "<"),
    "compensating": ("↩", "<"),
    "in doubt": ("?", "?"),
}
_UNKNOWN_GLYPH: Final = ("◇", "?")

_TONES: Final = {
    "completed": "success",
    "failed": "error",
    "running": "accent",
    "compensating": "accent",
    "waiting": "warning",
    "in doubt": "warning",
    "paused": "warning",
    "suspended": "warning",
    "interrupted": "warning",
}

_COLOUR_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;:]*m")
_EMOJI_PARTS: Final = re.compile("[\u200d\ufe0f\U0001f3fb-\U0001f3ff]")
_FLAG_LETTERS: Final = {0x1F1E6 + at: chr(0x41 + at) for at in range(26)}
UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPECIAL: Final = re.compile(
    UNPRINTABLE.pattern[:-1] + "\u200d\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]"
)


def status_glyph(status: str, ascii: bool = False) -> str:  # noqa: A002, FBT001, FBT002
    """Return the one-cell sign of a run's or step's status; ``ascii`` asks for the plain fallback."""
    return _GLYPHS.get(status, _UNKNOWN_GLYPH)[ascii]


def status_word(status: str) -> str:
    """Return the status as a word to read beside its glyph."""
    return status if status in _GLYPHS else printable(status) or "unknown"


def status_tone(status: str) -> str:
    """Return the theme colour that goes with a status: ``success error accent warning`` or ``muted``."""
    return _TONES.get(status, "muted")


def duration_text(milliseconds: float) -> str:
    """Return a duration as ``0.4 ms``, ``12 ms``, ``1.24 s``, ``2 m 05 s``, ``1 h 05 m`` or ``2 d 03 h``."""
    ms = max(milliseconds, 0.0)
    if ms < 0.95:  # noqa: PLR2004
        return f"{ms:.1f} ms" if ms >= 0.05 else "0 ms"  # noqa: PLR2004
    if ms < 999.5:  # noqa: PLR2004
        return f"{ms:.0f} ms"
    if ms < 9_995:  # noqa: PLR2004
        return f"{ms / 1000:.2f} s"
    if ms < 59_950:  # noqa: PLR2004
        return f"{ms / 1000:.1f} s"
    return _long_duration_text(round(ms / 1000))


def _long_duration_text(seconds: int) -> str:
    minutes, hours = seconds // 60, seconds // 3600
    if hours == 0:
        return f"{minutes} m {seconds % 60:02d} s"
    if hours < HOURS_A_DAY:
        return f"{hours} h {minutes % 60:02d} m"
    return f"{hours // HOURS_A_DAY} d {hours % HOURS_A_DAY:02d} h"


def age_text(milliseconds: float) -> str:
    """Return an age in its largest unit, rounded down: ``now``, ``20s``, ``5m``, ``3h``, ``2d``.

    Under a minute it is told in tens of seconds, which is how often it is looked at.
    """
    seconds = max(int(milliseconds // 1000), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds // 10}0s" if seconds >= 10 else "now"  # noqa: PLR2004


def printable(text: str) -> str:
    """Return ``text`` as one line that is safe to draw, registered secrets masked."""
    return drawable(registered.mask_cut(text) if registered else text)


def drawable(text: str) -> str:
    """Return ``text`` as one line that is safe to draw, whatever secrets are in it.

    Colour sequences go, other control characters become their pictures (``␛``, ``␊``), tabs become
    spaces, and bidirectional overrides, invisible characters and lone surrogates become ``�``. Joiners,
    emoji presentation selectors and skin tones go, and flags become their two letters: terminals disagree
    about the widths of what they make.
    """
    if text.isascii() and text.isprintable():
        return text
    if _SPECIAL.search(text) is None:
        return text
    text = _COLOUR_SEQUENCE.sub("", text).expandtabs(TAB_CELLS)
    return UNPRINTABLE.sub(_picture, _EMOJI_PARTS.sub("", text).translate(_FLAG_LETTERS))


def printable_lines(text: str, longest: int = 2_000) -> str:
    """Return lines that are safe to draw; of more than ``longest`` characters the beginning and ``…``."""
    shown = text if len(text) <= longest else text[: longest - 1] + ELLIPSIS
    return "\n".join(printable(line) for line in shown.splitlines())


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:  # noqa: PLR2004
        return chr(0x2400 + code)
    if code == DELETE:
        return "␡"
    return "␊" if code in (0x2028, 0x2029) else REPLACEMENT


def cut(text: str, cells: int) -> str:
    """Return ``text`` if it fits into ``cells``, otherwise its beginning and ``…``."""
    if cells <= 0:
        return ""
    if cell_len(text) <= cells:
        return text
    spans, _ = split_graphemes(text)
    width = end = 0
    for _start, stop, size in spans:
        if width + size > cells - 1:
            break
        width += size
        end = stop
    return text[:end] + ELLIPSIS


def fit(text: str, cells: int) -> str:
    """Return ``text`` cut or padded with spaces to exactly ``cells``."""
    shown = cut(text, cells)
    return shown + " " * (cells - cell_len(shown))
