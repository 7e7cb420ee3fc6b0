"""Whether a process that works for long grows: an hour with ten runs a second, in one go."""

from pathlib import Path

from benchmarks.contest import Entry, contest
from benchmarks.figures import Figure

STRETCH = 9_000
"""Runs of each of the four stretches, the first of which is not counted."""


async def measure(folder: Path, rounds: int) -> list[Figure]:  # noqa: ARG001 - one round is long enough
    """Compare the second stretch with the last one."""
    memory, growth = await contest(
        folder,
        1,
        *(
            Entry(
                contender="flux_runs",
                task="soak",
                parameters={"runs": STRETCH, "at_once": 50, "what": what},
            )
            for what in ("megabytes", "growth")
        ),
    )
    runs = f"{STRETCH * 4:,} runs"
    return [
        Figure(name="soak", title=f"memory grown in {runs}", unit="MB", samples=memory.samples, target=5),
        Figure(
            name="soak", title="CPU of a step grown meanwhile", unit="%", samples=growth.samples, target=10
        ),
    ]
