"""Columns of many rows as array literals of PostgreSQL: how a batch of writes is one statement.

Made by hand because a batch has hundreds of small values; see "Array Input and Output Syntax" in its manual.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flux_engine.storage.postgres.texts import kept


def texts(values: Iterable[str | None]) -> str:
    """Return the literal of a ``text[]``."""
    return "{" + ",".join([_quoted(value) for value in values]) + "}"


def numbers(values: Iterable[float | None]) -> str:
    """Return the literal of an array of numbers."""
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in values]) + "}"


def columns(kinds: str, rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return a literal for each column. ``kinds`` has a letter for each: ``t`` text, ``n`` numbers."""
    if not rows:
        return ["{}"] * len(kinds)
    return [_LITERAL[kind](column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]


_LITERAL: dict[str, Callable[[Iterable[Any]], str]] = {"t": texts, "n": numbers}


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    value = kept(value)
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if '"' in value:
        value = value.replace('"', '\\"')
    return f'"{value}"'
