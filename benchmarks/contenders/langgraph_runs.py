"""LangGraph: a chain of ten async nodes, in memory and with its SQLite checkpointer."""

import asyncio
import itertools
from pathlib import Path
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from benchmarks.contenders import main, quickest

STEPS = 10
WARM_UP = 5


class State(TypedDict):
    """What the nodes share."""

    n: int


async def _count(state: State) -> State:
    return {"n": state["n"] + 1}


def _chain(checkpointer: Any = None) -> Any:
    graph = StateGraph(State)
    before = START
    for index in range(STEPS):
        graph.add_node(f"s{index}", _count)
        graph.add_edge(before, f"s{index}")
        before = f"s{index}"
    graph.add_edge(before, END)
    return graph.compile(checkpointer=checkpointer)


def memory(folder: str, runs: int) -> float:  # noqa: ARG001 - nothing is kept
    """Return microseconds a step."""

    async def measured() -> float:
        chain = _chain()
        for _ in range(WARM_UP):
            await chain.ainvoke({"n": 0})
        return await quickest(runs, lambda: chain.ainvoke({"n": 0})) / STEPS * 1e6

    return asyncio.run(measured())


def durable(folder: str, runs: int) -> float:
    """Return steps a second, one run at a time, each checkpoint written before the next node begins."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: PLC0415 - a package of its own

    async def measured() -> float:
        async with AsyncSqliteSaver.from_conn_string(str(Path(folder) / "checkpoints.db")) as saver:
            await saver.setup()
            await saver.conn.execute("PRAGMA synchronous = FULL")
            chain = _chain(saver)
            threads = itertools.count()

            async def one() -> None:
                thread = {"configurable": {"thread_id": str(next(threads))}}
                await chain.ainvoke({"n": 0}, thread, durability="sync")

            for _ in range(WARM_UP):
                await one()
            return STEPS / await quickest(runs, one)

    return asyncio.run(measured())


if __name__ == "__main__":
    main({"memory": memory, "durable": durable})
