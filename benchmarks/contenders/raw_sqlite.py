"""The limit for a store: ``sqlite3`` alone, write-ahead logging, FULL, one row a commit."""

import sqlite3
import time
from pathlib import Path

from benchmarks.contenders import main

COMMITS = 1500
ROW = "x" * 200


def commits(folder: str) -> float:
    """Return commits of one row each, a second."""
    connection = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, result TEXT)")
    for _ in range(COMMITS // 5):
        connection.execute("INSERT INTO steps (result) VALUES (?)", (ROW,))
    began = time.perf_counter()
    for _ in range(COMMITS):
        connection.execute("INSERT INTO steps (result) VALUES (?)", (ROW,))
    return COMMITS / (time.perf_counter() - began)


if __name__ == "__main__":
    main({"commits": commits})
