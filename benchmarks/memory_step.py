"""What a step costs in memory, next to LangGraph; and what the trace adds to it."""

from pathlib import Path

from benchmarks.contest import Entry, contest
from benchmarks.figures import Figure

RUNS = 300


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Let workflows of ten async steps take turns: plain, with the trace in a file, LangGraph's."""
    plain, traced, langgraph = await contest(
        folder,
        rounds,
        Entry(contender="flux_runs", task="memory", parameters={"runs": RUNS}),
        Entry(contender="flux_runs", task="memory", parameters={"runs": RUNS, "traced": True}),
        Entry(contender="langgraph_runs", task="memory", parameters={"runs": RUNS // 3}),
    )
    return [
        Figure(
            name="memory",
            title="step, memory",
            unit="µs",
            samples=plain.samples,
            target=12,
            peer_title="LangGraph",
            peer=langgraph.samples,
            missing=langgraph.missing,
            advantage=25,
        ),
        Figure(
            name="memory",
            title="trace on a disk, added to a step",
            unit="µs",
            samples=tuple(
                with_trace - without
                for with_trace, without in zip(traced.samples, plain.samples, strict=True)
            ),
            target=8,
        ),
    ]
