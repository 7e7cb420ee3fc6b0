"""A handler's statement as psycopg takes it: ``?`` and ``:name`` as on SQLite, and what handlers may not say.

``??`` is a question mark (some operators of PostgreSQL have one), a percent sign is just that. Nothing is
looked for in strings, quoted names, comments, dollar quotes and casts.
"""

import re
from typing import NamedTuple

from flux_engine.errors import TransactionError
from flux_engine.storage.postgres.schema import TABLES

_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*)
  | (?P<text> [eE]'(?:[^'\\]|\\.|'')*' | (?:[uU]&|[bBxXnN])?'(?:[^']|'')*')
  | (?P<quoted> (?:[uU]&)?"(?:[^"]|"")*")
  | (?P<dollar> \$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$)
  | (?P<word> [^\W\d][\w$]*)
  | (?P<number> \d[\w.]*)
  | (?P<cast> ::)
  | (?P<named> :[^\W\d]\w*)
  | (?P<two> \?\?)
  | (?P<mark> \?)
  | (?P<space> \s+)
  | (?P<other> .)
    """,
    re.VERBOSE | re.DOTALL,
)

_ENDS = frozenset({"begin", "start", "commit", "end", "abort", "prepare"})
_SAVEPOINTS = frozenset({"savepoint", "release", "rollback"})
_SESSION = frozenset({"discard", "listen", "unlisten", "copy"})
_READS = frozenset({"select", "values", "table", "show"})


class Statement(NamedTuple):
    """A statement for psycopg. ``savepoint`` says that it is about one, and wants none around it."""

    text: str
    savepoint: bool


def translate(statement: str, *, named: bool, schema: str) -> Statement:
    """Return the statement with psycopg's placeholders: ``named`` ones for ``:name``, others for ``?``.

    Raises ``TransactionError`` for one that would end the transaction, that is several, or that writes to the
    tables of the store by the name of its schema.
    """
    parts: list[str] = []
    words: list[str] = []  # those that count, and the marks between them
    for kind, text in _tokens(statement):
        if kind == "mark" and not named:
            parts.append("%s")
        elif kind == "named" and named:
            parts.append(f"%({text[1:]})s")
        else:
            parts.append("?" if kind == "two" else text.replace("%", "%%"))
        if kind not in {"comment", "space", "text", "dollar"}:
            words.append(_folded(kind, text))
    _check(words, schema.lower())
    return Statement("".join(parts), bool(words) and words[0] in _SAVEPOINTS)


def _tokens(statement: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while position < len(statement):
        found = _TOKEN.match(statement, position)
        if found is None or found.lastgroup is None:  # the last alternative takes any character
            break
        kind, end = found.lastgroup, found.end()
        if kind == "tag":
            kind = "dollar"
        if kind == "comment" and found[0] == "/*":
            end = _end_of_comment(statement, position)
        tokens.append((kind, statement[position:end]))
        position = end
    return tokens


def _end_of_comment(statement: str, begin: int) -> int:
    """Return where a comment ends; those of PostgreSQL hold others."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(statement, begin):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return len(statement)


def _folded(kind: str, text: str) -> str:
    if kind == "quoted":
        return text[text.index('"') + 1 : -1].replace('""', '"').lower()
    return text.lower()


def _check(words: list[str], schema: str) -> None:
    if not words:
        return
    first, second = words[0], words[1] if len(words) > 1 else ""
    if ";" in words[:-1]:
        raise TransactionError("ctx.tx: make one statement at a time; there is a ; within this one.")
    if first in _ENDS or (first == "rollback" and not {"to"} & set(words)):
        raise TransactionError(
            f"ctx.tx: {first.upper()} is not for handlers: the transaction is committed with the result of "
            "the commit, and rolled back when the handler raises. Use SAVEPOINT for a part that may be taken "
            "back."
        )
    if first in _SESSION:
        raise TransactionError(
            f"ctx.tx: {first.upper()} is not for handlers: it is not part of a transaction."
        )
    if first in {"set", "reset"} and second in {"role", "session", "transaction"}:
        raise TransactionError(
            f"ctx.tx: {first.upper()} {second.upper()} is not for handlers. Use SET LOCAL."
        )
    if first in _READS and "into" not in words:
        return
    for before, dot, table in zip(words, words[1:], words[2:], strict=False):
        if before == schema and dot == "." and table in TABLES:
            raise TransactionError(
                f"ctx.tx: {table!r} belongs to the store, which keeps its runs there. Use tables of your own."
            )
