"""The statement that lists runs."""

from collections.abc import Sequence
from typing import Any

from flux_engine.storage.base import RunQuery
from flux_engine.storage.postgres.statements import LEASE_LEFT
from flux_engine.storage.postgres.texts import kept

_ROW = f"""
SELECT id, workflow, status, extract(epoch FROM created_at)::float8, extract(epoch FROM updated_at)::float8,
       extract(epoch FROM completed_at)::float8, current_step, error_summary, owner, {LEASE_LEFT}
  FROM {{s}}.runs"""  # noqa: S608 - no user's text

_KEYS = "SELECT id, created_at FROM {s}.runs"
_NEWEST = " ORDER BY created_at DESC, id DESC LIMIT %s"
_SEARCHED = ("id", "workflow", "current_step", "error_summary")
_LAST = "\U0010ffff"
"""The character that comes after all others."""


def listing(query: RunQuery, lower: str) -> tuple[str, list[Any]]:
    """Return the statement that lists runs, and its parameters. ``lower`` is the collation to ignore case by.

    Each status is asked for by itself: in an index that has the status first, the runs of one status
    lie in the order of the listing, those of several do not.
    """
    conditions, parameters = _conditions(query, lower)
    parameters.append(max(query.limit, 0))
    filters = [f"status = '{status.value}'" for status in dict.fromkeys(query.statuses)]
    if len(filters) <= 1:
        return _page(_ROW, [*filters, *conditions]), parameters
    pages = [f"({_page(_KEYS, [each, *conditions])})" for each in filters]
    keys = " UNION ALL ".join(pages) + _NEWEST
    newest = f"{_ROW} WHERE id IN (SELECT id FROM ({keys}) AS page){_NEWEST}"  # noqa: S608 - no user's text
    return newest, parameters * len(pages) + parameters[-1:] * 2


def _page(selection: str, conditions: Sequence[str]) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return selection + where + _NEWEST


def _conditions(query: RunQuery, lower: str) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    parameters: list[Any] = []
    if query.workflow is not None:
        conditions.append("workflow = %s")
        parameters.append(kept(query.workflow))
    if query.since is not None:
        conditions.append("created_at >= to_timestamp(%s)")
        parameters.append(query.since)
    if query.until is not None:
        conditions.append("created_at < to_timestamp(%s)")
        parameters.append(query.until)
    if query.before is not None:
        conditions.append("(created_at, id) < (to_timestamp(%s), %s)")
        parameters += (query.before[0], kept(query.before[1]))
    if query.id_prefix:
        conditions.append("id >= %s AND id < %s")
        parameters += [kept(query.id_prefix), kept(query.id_prefix) + _LAST]
    if query.text:
        condition, parameter = _containing(kept(query.text), lower)
        conditions.append(condition)
        parameters += [parameter] * len(_SEARCHED)
    return conditions, parameters


def _containing(text: str, lower: str) -> tuple[str, str]:
    """Return the condition for a part of one of the columns, whose parameter comes once for each."""
    if text.isascii():
        pattern = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        matches = [f'{column} COLLATE "C" ILIKE %s' for column in _SEARCHED]
        return f"({' OR '.join(matches)})", f"%{pattern}%"
    # The collation "C" knows the letters of ASCII only.
    matches = [
        f"strpos(lower({column} COLLATE {lower}), lower(%s::text COLLATE {lower}) COLLATE {lower}) > 0"
        for column in _SEARCHED
    ]
    return f"({' OR '.join(matches)})", text
