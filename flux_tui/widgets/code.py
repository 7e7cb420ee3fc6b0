"""Python code with quiet colours, a line at a time."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pygments.token import Token  # type: ignore[import-untyped]
from textual.content import Content, Span

from flux_tui.widgets import tones

_STYLES: dict[Any, str] = {
    Token.Comment: f"italic {tones.FAINT}",
    Token.Keyword: tones.CONSTANT,
    Token.Keyword.Constant: tones.CONSTANT,
    Token.Literal.Number: tones.NUMBER,
    Token.Literal.String: tones.TEXT,
    Token.Literal.String.Doc: f"italic {tones.MUTED}",
    Token.Name.Builtin: tones.LINK,
    Token.Name.Class: tones.LINK,
    Token.Name.Decorator: tones.LINK,
    Token.Name.Function: f"bold {tones.LINK}",
    Token.Operator.Word: tones.CONSTANT,
}


def highlighted(lines: Sequence[str]) -> list[Content]:
    """Return lines of Python, each coloured; the text is that of ``lines``."""
    return list(_highlighted(tuple(lines)))


@lru_cache(maxsize=64)
def _highlighted(lines: tuple[str, ...]) -> tuple[Content, ...]:
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped] # noqa: PLC0415 - takes 10 ms

    spans: list[list[Span]] = [[] for _ in lines]
    row = column = 0
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens("\n".join(lines)):
        style = _style(kind)
        for number, piece in enumerate(value.split("\n")):
            if number:
                row, column = row + 1, 0
            if style and piece and row < len(spans):
                spans[row].append(Span(column, column + len(piece), style))
            column += len(piece)
    return tuple(Content(line, spans[at]) for at, line in enumerate(lines))


def _style(kind: Any) -> str | None:
    while kind is not None:
        if kind in _STYLES:
            return _STYLES[kind]
        kind = kind.parent
    return None
