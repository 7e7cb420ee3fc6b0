"""Durable steps a second, one run at a time and fifty at once, next to raw SQLite, DBOS and LangGraph."""

from pathlib import Path

from benchmarks.contest import Entry, Turns, contest
from benchmarks.figures import Figure

AT_ONCE = 50


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Let all of them take turns."""
    raw, one, many, dbos_one, dbos_many, langgraph = await contest(
        folder,
        rounds,
        Entry(contender="raw_sqlite", task="commits"),
        Entry(contender="flux_runs", task="durable", parameters={"runs": 200, "at_once": 1}),
        Entry(contender="flux_runs", task="durable", parameters={"runs": 1000, "at_once": AT_ONCE}),
        Entry(contender="dbos_runs", task="durable", parameters={"runs": 20, "at_once": 1}),
        Entry(contender="dbos_runs", task="durable", parameters={"runs": 100, "at_once": AT_ONCE}),
        Entry(contender="langgraph_runs", task="durable", parameters={"runs": 20}),
    )
    alone, together = "durable steps, one run at a time", f"durable steps, {AT_ONCE} runs at once"
    return [
        _held(alone, one, "raw one-row commits", raw, 0.6),
        _held(alone, one, "DBOS", dbos_one, 5),
        _held(alone, one, "LangGraph, SqliteSaver", langgraph, None),
        _held(together, many, "raw one-row commits", raw, 4),
        _held(together, many, "DBOS", dbos_many, 40),
    ]


def _held(title: str, own: Turns, peer_title: str, peer: Turns, advantage: float | None) -> Figure:
    return Figure(
        name="durable",
        title=title,
        unit="/s",
        samples=own.samples,
        peer_title=peer_title,
        peer=peer.samples,
        missing=peer.missing,
        advantage=advantage,
    )
