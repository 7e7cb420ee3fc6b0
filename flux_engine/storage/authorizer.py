"""What a handler's statements may do in the file of a store: anything with tables of their own.

SQLite asks an authorizer about each action when it compiles a statement, those of triggers included.
"""

import sqlite3

from flux_engine.storage.schema import TABLES

_ON_FIRST = frozenset(
    {
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_VIEW,
    }
)
"""Actions whose first argument is the table."""

_ON_SECOND = frozenset(
    {
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TRIGGER,
    }
)
"""Actions whose second argument is the table."""

_PRAGMAS = frozenset(
    {
        "foreign_key_check",
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
"""Those that only look at tables."""


class Authorizer:
    """Refuses what would end the transaction or touch the store. ``reason`` says what was refused last."""

    def __init__(self) -> None:
        self.reason = ""

    def __call__(
        self, action: int, first: str | None, second: str | None, schema: str | None, _trigger: str | None, /
    ) -> int:
        """Answer SQLite; the arguments are those of ``sqlite3_set_authorizer``."""
        reason = _refusal(action, first, second, schema)
        if reason is None:
            return sqlite3.SQLITE_OK
        self.reason = reason
        return sqlite3.SQLITE_DENY


def _refusal(action: int, first: str | None, second: str | None, schema: str | None) -> str | None:
    if action == sqlite3.SQLITE_TRANSACTION:
        return (
            f"{first} is not for handlers: the transaction is committed with the result of the commit, and "
            "rolled back when the handler raises. Use SAVEPOINT for a part that may be taken back."
        )
    if action in {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}:
        return "other files cannot be part of the transaction. Use tables in the file of the store."
    if action == sqlite3.SQLITE_PRAGMA and first not in _PRAGMAS:
        return f"PRAGMA {first} is not for handlers: it may change the store."
    table = first if action in _ON_FIRST else second if action in _ON_SECOND else None
    if table in TABLES and schema in {"main", None}:
        return f"{table!r} belongs to the store, which keeps its runs there. Use tables with other names."
    return None
