"""What is done to lines before they are written where colours, or any but ASCII characters, are unwanted."""

from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter, Monochrome, NoColor
from textual.strip import Strip

_DRAWN: Final = {
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋┍┑┕┙┎┒┖┚┝┥┯┷┿", "+"),
    **dict.fromkeys("─━═╌╍┄┅┈┉╴╶╸╺▁▔🬂🬭", "-"),
    **dict.fromkeys("│┃║╎╏┆┇┊┋╵╷╹╻▌▐▏▕▎▍▊▉┠┨", "|"),
    **dict.fromkeys("▲△↑", "^"),
    **dict.fromkeys("▼▽↓▾", "v"),
    **dict.fromkeys("▶▷▸▹→", ">"),
    **dict.fromkeys("◀◁◂←", "<"),
    **dict.fromkeys("█▇▆▅▄▃▂▀", "#"),
    **dict.fromkeys("·•∙", "."),
    **dict.fromkeys("●◉", "*"),
    **dict.fromkeys("○◌◯", "o"),
    "…": "~",
    "↻": "~",
    "✔": "v",
    "✓": "v",
    "✖": "x",
    "✗": "x",
    "⏎": "<",
    "⋯": "~",
    "≈": "~",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
}


class PlainAscii(LineFilter):
    """Writes frames, arrows and marks with ASCII characters; what else data has is left as it is."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with their characters replaced, none of another width."""
        del background
        return [
            segment
            if segment.text.isascii()
            else Segment(plain_text(segment.text), segment.style, segment.control)
            for segment in segments
        ]


@lru_cache(maxsize=2048)
def plain_text(text: str) -> str:
    """Return a text with what is drawn, not written, as ASCII."""
    return "".join(_DRAWN.get(each, each) if cell_len(each) == 1 else each for each in text)


def reversed_strip(strip: Strip) -> Strip:
    """Return a line as it looks under a cursor where no ground can be tinted: in reverse, in one colour."""
    return Strip(
        Segment(text, Style(reverse=True, bold=style is not None and bool(style.bold)))
        for text, style, _ in strip
    )


NO_COLOR: Final = NoColor()
MONOCHROME: Final = Monochrome()
ASCII: Final = PlainAscii()
