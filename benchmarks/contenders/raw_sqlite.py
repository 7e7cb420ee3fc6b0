"""The limit for a store: ``sqlite3`` alone, write-ahead logging, FULL, one row a commit."""

import asyncio
import sqlite3
from pathlib import Path

from benchmarks.contenders import main, quickest

COMMITS = 1500
ROW = "x" * 200


def commits(folder: str) -> float:
    """Return commits of one row each, a second."""
    connection = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, result TEXT)")

    async def commit() -> None:
        connection.execute("INSERT INTO steps (result) VALUES (?)", (ROW,))

    return 1 / asyncio.run(quickest(COMMITS, commit))


if __name__ == "__main__":
    main({"commits": commits})
