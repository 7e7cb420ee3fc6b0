"""The statement that lists runs."""

from collections.abc import Sequence
from typing import Any

from flux_engine.storage.base import RunQuery
from flux_engine.storage.times import to_text

_ROW = """
SELECT id, workflow, status, created_at, updated_at, completed_at, current_step, error_summary, owner,
       lease_until
  FROM runs"""


def listing(query: RunQuery) -> tuple[str, list[Any]]:
    """Return the statement that lists runs, and its parameters.

    Each status is asked for by itself: in an index that has the status first, the runs of one status
    lie in the order of the listing, those of several do not.
    """
    conditions, parameters = _conditions(query)
    parameters.append(max(query.limit, 0))
    filters = [f"status = '{status.value}'" for status in dict.fromkeys(query.statuses)]
    if len(filters) <= 1:
        return _page([*filters, *conditions]), parameters
    pages = [f"SELECT * FROM ({_page([each, *conditions])})" for each in filters]  # noqa: S608 - no user's text
    return " UNION ALL ".join(pages) + _NEWEST, parameters * len(pages) + parameters[-1:]


_NEWEST = " ORDER BY created_at DESC, id DESC LIMIT ?"
_SEARCHED = ("id", "workflow", "current_step", "error_summary")
_LAST = "\U0010ffff"
"""The character that comes after all others."""


def _page(conditions: Sequence[str]) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return _ROW + where + _NEWEST


def _conditions(query: RunQuery) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    parameters: list[Any] = []
    if query.workflow is not None:
        conditions.append("workflow = ?")
        parameters.append(query.workflow)
    if query.since is not None:
        conditions.append("created_at >= ?")
        parameters.append(to_text(query.since))
    if query.until is not None:
        conditions.append("created_at < ?")
        parameters.append(to_text(query.until))
    if query.before is not None:
        conditions.append("(created_at, id) < (?, ?)")
        parameters += (to_text(query.before[0]), query.before[1])
    if query.id_prefix:
        conditions.append("id >= ? AND id < ?")
        parameters += [query.id_prefix, query.id_prefix + _LAST]
    if query.text:
        condition, parameter = _containing(query.text)
        conditions.append(condition)
        parameters += [parameter] * len(_SEARCHED)
    return conditions, parameters


def _containing(text: str) -> tuple[str, str]:
    """Return the condition for a part of one of the columns, whose parameter comes once for each."""
    if text.isascii():
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        matches = [f"{column} LIKE ? ESCAPE '\\'" for column in _SEARCHED]
        return f"({' OR '.join(matches)})", f"%{pattern}%"
    # LIKE ignores case in ASCII only.
    matches = [f"instr(flux_lower({column}), ?)" for column in _SEARCHED]
    return f"({' OR '.join(matches)})", text.lower()


def lower(text: str | None) -> str | None:
    """Return the text in lower case: ``flux_lower`` in the statements of this module."""
    return None if text is None else text.lower()
